/**
 * A task of an app: callable like the function it was made from, and with Celery's ways to send it. Types
 * flow from the function; canvas/types.ts checks what is built from it.
 */
import { call, chunks, xmap, xstarmap, type SignatureOptions } from '../canvas/index.ts'
import { parameterNames } from '../execution/bind.ts'
import { currentExecution } from '../execution/context.ts'
import type { Runnable, RunOptions } from '../execution/runnable.ts'
import { Retry, TasksError } from '../kernel/errors.ts'
import type { DeliveryOptions } from '../canvas/signature.ts'
import type { TaskContext } from '../execution/context.ts'
import { silentLogger as silent } from '@celeriac/messaging'
import type { Celeriac, SendOptions } from './app.ts'
import { AppliedSignature, dataOf } from './applied-signature.ts'
import { splitOptions, type TaskOptions } from './task-options.ts'
import { splitKw } from './kw.ts'
import type { AnyFunction, Task } from './typed.ts'

export type { AnyFunction, Task } from './typed.ts'
export type { TaskOptions } from './task-options.ts'

interface CallOptions extends SendOptions {
  readonly link?: unknown
  readonly linkError?: unknown
}

const listOf = (one: unknown): readonly unknown[] => (Array.isArray(one) ? one : [one])

/** Registers a task and gives its callable front. */
export function makeTask<Name extends string, F extends AnyFunction>(
  app: Celeriac,
  name: Name,
  options: TaskOptions,
  run: F,
): Task<Name, F> {
  if (name.trim() === '') throw new TasksError('TASKS_ARGUMENTS_INVALID', 'a task needs a name')
  if (typeof run !== 'function') {
    throw new TasksError(
      'TASKS_ARGUMENTS_INVALID',
      `the task '${name}' needs a function, found ${typeof run}`,
    )
  }
  const { running, delivery } = splitOptions(name, options)
  const runOptions: RunOptions = { ...running, delivery }
  const runnable: Runnable = {
    name,
    options: runOptions,
    params: options.params ?? parameterNames(Function.prototype.toString.call(run)),
    run: run as unknown as Runnable['run'],
  }
  app.registry.add(runnable)
  return taskFront(app, name, delivery, run) as unknown as Task<Name, F>
}

/** The front of a task that lives elsewhere: everything but calling it here. */
export function remoteFront(app: Celeriac, name: string): object {
  return taskFront(app, name, {}, () => {
    throw new TasksError(
      'TASKS_NOT_SUPPORTED',
      `'${name}' lives elsewhere and cannot be called here; send it with delay()`,
    )
  })
}

function taskFront(
  app: Celeriac,
  name: string,
  delivery: DeliveryOptions,
  run: (...args: never[]) => unknown,
): object {
  const front = function (...args: unknown[]): unknown {
    return (run as unknown as Runnable['run']).apply(directContext(app, name), args)
  }
  const signature = (args: readonly unknown[], immutable = false): AppliedSignature => {
    const { positional, kwargs } = splitKw(args)
    return new AppliedSignature(app, call(name, { args: positional, kwargs }, immutable))
  }
  const applyAsync = (args: readonly unknown[] = [], options: CallOptions = {}) => {
    const { positional, kwargs } = splitKw(args)
    const { link, linkError, ...sending } = options
    const links = {
      ...(link !== undefined && { link: listOf(link).map(dataOf) }),
      ...(linkError !== undefined && { linkError: listOf(linkError).map(dataOf) }),
    }
    return app.send(call(name, { args: positional, kwargs, options: links }), sending)
  }
  const methods = {
    app,
    /** Options declared with the task. */
    delivery,
    delay: (...args: unknown[]) => applyAsync(args),
    applyAsync,
    s: (...args: unknown[]) => signature(args),
    si: (...args: unknown[]) => signature(args, true),
    signature: (args: readonly unknown[] = [], options: SignatureOptions = {}) =>
      signature(args).set(options),
    map: (items: Iterable<unknown>) => new AppliedSignature(app, xmap(call(name), items)),
    starmap: (items: Iterable<readonly unknown[]>) =>
      new AppliedSignature(app, xstarmap(call(name), items)),
    chunks: (items: Iterable<readonly unknown[]>, size: number) =>
      new AppliedSignature(app, chunks(call(name), items, size)),
  }
  Object.defineProperty(front, 'name', { value: name })
  return Object.assign(front, methods)
}

/** What `this` is when a task is called as a function: the task around it, or a stand-in. */
function directContext(app: Celeriac, name: string): TaskContext {
  const execution = currentExecution()
  if (execution) return execution.context
  const never = new AbortController().signal
  return {
    request: {
      id: '',
      task: name,
      args: [],
      kwargs: {},
      retries: 0,
      deliveries: 0,
      hostname: '',
      rootId: '',
      parentId: undefined,
      groupId: undefined,
      groupIndex: undefined,
      correlationId: undefined,
      replyTo: undefined,
      origin: undefined,
      etaMs: undefined,
      expiresMs: undefined,
      timeLimit: [undefined, undefined],
      headers: {},
      stamps: {},
      deliveryInfo: { exchange: '', routingKey: '', queue: '', redelivered: false, attempts: 0 },
      calledDirectly: true,
    },
    signal: never,
    get log() {
      return app.log ?? silent
    },
    retry: (options) => (options?.cause instanceof Error ? options.cause : new Retry()),
    updateState: async () => undefined,
  }
}
