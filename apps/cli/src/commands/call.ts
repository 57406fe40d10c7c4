/** `celeriac call`: sends one task, and waits for it when told to. */
import type { Command as Parser } from 'commander'
import type { SendOptions } from '@celeriac/tasks'
import { backendUrl, didYouMean } from '@celeriac/tasks/internal'
import type { Command, Invocation } from '../command.ts'
import { exitCodes, UsageError } from '../errors.ts'
import { secondsArgument } from '../flags.ts'
import { jsonText } from '../format/json.ts'
import { openApp } from '../load-app.ts'
import { outcomeError } from '../outcome.ts'

interface CallOptions {
  readonly args?: string
  readonly kwargs?: string
  readonly eta?: string
  readonly countdown?: number
  readonly expires?: string
  readonly queue?: string
  readonly exchange?: string
  readonly routingKey?: string
  readonly serializer?: string
  readonly wait?: boolean
  readonly timeout?: number
}

export const call: Command = {
  examples: [
    ["celeriac -A ./tasks.ts call tasks.add --args '[2, 3]'", 'send, print the id'],
    ["celeriac -A ./tasks.ts call tasks.add -a '[2, 3]' --wait", 'print the result: 5'],
    ['celeriac -b redis://localhost call ml.train --countdown 60', 'a task of any program'],
  ],

  define(parser: Parser) {
    parser
      .argument('<name>', 'name of the task')
      .option('-a, --args <json>', 'positional arguments, a JSON array')
      .option('-k, --kwargs <json>', 'keyword arguments, a JSON object')
      .option('--eta <time>', 'not before this time, ISO 8601')
      .option('--countdown <seconds>', 'not before so many seconds from now', secondsArgument)
      .option('--expires <time>', 'not after this time, ISO 8601, or so many seconds from now')
      .option('--queue <name>', 'queue to send to')
      .option('--exchange <name>', 'exchange to publish to')
      .option('--routing-key <key>', 'routing key')
      .option('--serializer <name>', 'serializer of the message')
      .option('--wait', 'wait for the result and print it as JSON; the id goes to standard error')
      .option('--timeout <seconds>', 'with --wait: give up after so long', secondsArgument)
  },

  async run({ args: [name], options, globals }: Invocation) {
    const given = options as CallOptions
    if (given.timeout !== undefined && !given.wait) {
      throw new UsageError('--timeout is for waiting; add --wait')
    }
    const send = sendOptions(given)
    const args = parseJson('--args', given.args ?? '[]')
    if (!Array.isArray(args)) throw new UsageError(`--args must be a JSON array: '[2, 3]'`)
    const kwargs = parseJson('--kwargs', given.kwargs ?? '{}')
    if (typeof kwargs !== 'object' || kwargs === null || Array.isArray(kwargs)) {
      throw new UsageError(`--kwargs must be a JSON object: '{"debug": true}'`)
    }

    const { app } = await openApp(globals)
    try {
      if (given.wait && backendUrl(app.config) === 'disabled') {
        throw new UsageError(
          'there is no result backend to wait at; name one: --result-backend redis://…',
          'CLI_NO_RESULTS',
        )
      }
      if (globals.app !== undefined && !globals.quiet && !app.registry.find(name!)) {
        const hint = didYouMean(name!, app.registry.names)
        process.stderr.write(
          `warning: the app has no task '${name}'; it is sent all the same.${hint}\n`,
        )
      }
      const result = await app.sendTask(name!, args as unknown[], {
        ...send,
        kwargs: kwargs as Record<string, unknown>,
      })
      if (!given.wait) {
        process.stdout.write(`${result.id}\n`)
        return exitCodes.ok
      }
      if (!globals.quiet) process.stderr.write(`${result.id}\n`)
      try {
        const value = await result.get({ timeout: given.timeout })
        process.stdout.write(`${jsonText(value)}\n`)
      } catch (error) {
        throw outcomeError(error, `${name}[${result.id}]`)
      }
      return exitCodes.ok
    } finally {
      await app.close()
    }
  },
}

function sendOptions(given: CallOptions): SendOptions {
  const { countdown, queue, exchange, routingKey, serializer } = given
  if (given.eta !== undefined && countdown !== undefined) {
    throw new UsageError('--eta and --countdown say the same thing; give one of them')
  }
  return {
    ...(given.eta !== undefined && { eta: timeArgument('--eta', given.eta) }),
    ...(countdown !== undefined && { countdown }),
    ...(given.expires !== undefined && { expires: expiresArgument(given.expires) }),
    ...(queue !== undefined && { queue }),
    ...(exchange !== undefined && { exchange }),
    ...(routingKey !== undefined && { routingKey }),
    ...(serializer !== undefined && { serializer }),
  }
}

function expiresArgument(text: string): number | string {
  return /^\d+(\.\d+)?$/.test(text.trim()) ? Number(text) : timeArgument('--expires', text)
}

/** The text itself: what it means without a zone is for the settings to say. */
function timeArgument(option: string, text: string): string {
  if (!Number.isNaN(Date.parse(text))) return text
  throw new UsageError(`${option}: expected a time such as 2030-01-31T12:00:00Z; found '${text}'`)
}

function parseJson(option: string, text: string): unknown {
  try {
    return JSON.parse(text) as unknown
  } catch (error) {
    throw new UsageError(`${option} is not JSON: ${(error as Error).message}`, 'CLI_USAGE', {
      cause: error,
    })
  }
}
