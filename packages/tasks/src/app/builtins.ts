/** Tasks every app has, by Celery's names, so that workflows from any language find them here. */
import type { Celeriac } from './app.ts'
import { AppliedSignature } from './applied-signature.ts'
import { registerChordUnlock } from './chord-unlock.ts'
import { registerGoOn } from './go-on.ts'
import { redactionWithin } from './redaction.ts'
import { chunks, fromWire, type Signature } from '../canvas/index.ts'
import { currentExecution, within } from '../execution/context.ts'
import { describeRedacted } from '../execution/redact.ts'
import type { Runnable } from '../execution/runnable.ts'
import { TasksError } from '../kernel/errors.ts'

export function registerBuiltins(app: Celeriac): void {
  registerChordUnlock(app)
  registerGoOn(app)
  const add = (
    name: string,
    params: readonly string[],
    run: Runnable['run'],
    redactFor?: Runnable['redactFor'],
  ): void =>
    app.registry.add({
      name,
      options: { delivery: {} },
      params,
      run,
      ...(redactFor && { redactFor }),
      declared: {
        delivery: {},
        describe: (one) => describeRedacted(one, redactFor?.(one), params),
      },
    })
  // What is secret about a task is secret about its items, too.
  const asMapped: Runnable['redactFor'] = ({ args, kwargs }) =>
    redactionWithin(app, kwargs['task'] ?? args[0])

  add(
    'celery.map',
    ['task', 'it'],
    async (task: unknown, it: unknown) => {
      const results: unknown[] = []
      for (const item of it as unknown[]) results.push(await callHere(app, task, [item]))
      return results
    },
    asMapped,
  )

  add(
    'celery.starmap',
    ['task', 'it'],
    async (task: unknown, it: unknown) => {
      const results: unknown[] = []
      for (const item of it as unknown[][]) results.push(await callHere(app, task, item))
      return results
    },
    asMapped,
  )

  // Here chunks are sent as the group they are; Python sends those that have travelled as a task of their own.
  add(
    'celery.chunks',
    ['task', 'it', 'n'],
    async (task: unknown, it: unknown, n: unknown) => {
      if (!Array.isArray(it)) {
        throw new TasksError('TASKS_ARGUMENTS_INVALID', 'chunks need a list of items')
      }
      const members = chunks(fromWire(task), it as unknown[][], Number(n))
      return (await new AppliedSignature(app, members).applyAsync()).toJSON()
    },
    asMapped,
  )

  add('celery.backend_cleanup', [], async () => {
    await (await app.backend()).cleanup?.()
  })

  // The body a group gets that takes the place of a task.
  add('celery.accumulate', ['...args'], function () {
    const { args, kwargs } = this.request
    const { index } = kwargs
    return typeof index === 'number' ? args[index] : args
  })
}

/** Calls a task of this app in place, as a part of the task that runs. */
async function callHere(app: Celeriac, wire: unknown, args: readonly unknown[]): Promise<unknown> {
  const signature: Signature = fromWire(wire)
  if (signature.kind !== 'call') {
    throw new TasksError('TASKS_SIGNATURE_INVALID', 'only plain tasks can be mapped over items')
  }
  const runnable = app.registry.get(signature.task)
  const execution = currentExecution()!
  const all = signature.immutable ? signature.args : [...args, ...signature.args]
  return await within(execution, () => runnable.run.apply(execution.context, [...all]))
}
