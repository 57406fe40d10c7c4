/** `celeriac result`: what is stored of a task. */
import type { Command as Parser } from 'commander'
import { backendUrl } from '@celeriac/tasks/internal'
import type { Command, Invocation } from '../command.ts'
import { exitCodes, UsageError } from '../errors.ts'
import { secondsArgument } from '../flags.ts'
import { jsonText } from '../format/json.ts'
import { openApp } from '../load-app.ts'
import { outcomeError } from '../outcome.ts'

interface ResultOptions {
  readonly task?: string
  readonly traceback?: boolean
  readonly wait?: boolean
  readonly timeout?: number
}

const ready = new Set(['SUCCESS', 'FAILURE', 'REVOKED'])

export const result: Command = {
  examples: [
    ['celeriac -A ./tasks.ts result 9f1c…', 'print the result as JSON'],
    ['celeriac -A ./tasks.ts result 9f1c… --wait --timeout 10', 'wait for it first'],
    ['celeriac -A ./tasks.ts result 9f1c… --traceback', 'where a failed task failed'],
  ],

  define(parser: Parser) {
    parser
      .argument('<id>', 'id of the task')
      .option('-t, --task <name>', 'name of the task, for messages')
      .option('--traceback', "print where the task's error came from")
      .option('--wait', 'wait until the task has ended')
      .option('--timeout <seconds>', 'with --wait: give up after so long', secondsArgument)
  },

  async run({ args: [id], options, globals }: Invocation) {
    const given = options as ResultOptions
    if (given.timeout !== undefined && !given.wait) {
      throw new UsageError('--timeout is for waiting; add --wait')
    }
    const { app } = await openApp(globals)
    try {
      if (backendUrl(app.config) === 'disabled') {
        throw new UsageError(
          'there is no result backend to ask; name one: --result-backend redis://…',
          'CLI_NO_RESULTS',
        )
      }
      const handle = await app.result(id!)
      const name = given.task === undefined ? `[${id}]` : `${given.task}[${id}]`
      if (given.wait) await handle.get({ timeout: given.timeout, propagate: false })
      const record = await handle.info()
      if (record === undefined || !ready.has(record.status)) {
        throw notReady(record?.status ?? 'PENDING', name)
      }
      if (given.traceback) {
        if (record.traceback) process.stdout.write(`${record.traceback.trimEnd()}\n`)
        else process.stderr.write(`task ${name} has no traceback: its state is ${record.status}\n`)
        return record.status === 'SUCCESS' || record.traceback ? exitCodes.ok : exitCodes.failed
      }
      try {
        process.stdout.write(`${jsonText(await handle.get())}\n`)
      } catch (error) {
        throw outcomeError(error, name)
      }
      return exitCodes.ok
    } finally {
      await app.close()
    }
  },
}

function notReady(state: string, name: string): Error {
  const why =
    state === 'PENDING'
      ? 'nothing is stored of it: it has not begun, or was never sent'
      : 'it has not ended yet'
  return Object.assign(new Error(`task ${name} has no result, its state is ${state}: ${why}`), {
    code: 'TASKS_NOT_READY',
  })
}
