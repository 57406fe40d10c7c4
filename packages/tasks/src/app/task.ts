/**
 * A task of an app: callable like the function it was made from, and with Celery's ways to send it. Types
 * flow from the function; canvas/types.ts checks what is built from it.
 */
import { createHash } from 'node:crypto'
import { stringifyJson } from '@celeriac/messaging/internal'
import {
  call,
  chunks,
  noOptions,
  xmap,
  xstarmap,
  type PlannedCall,
  type SignatureOptions,
} from '../canvas/index.ts'
import type { DeliveryOptions, Signature } from '../canvas/signature.ts'
import type { UniqueOptions } from '../client/unique.ts'
import { bindArguments, parameterNames } from '../execution/bind.ts'
import { directContext } from '../execution/direct-context.ts'
import { describeRedacted } from '../execution/redact.ts'
import type { Runnable, RunOptions } from '../execution/runnable.ts'
import { checkedArguments } from '../execution/validate.ts'
import { TasksError } from '../kernel/errors.ts'
import type { Member } from '../result/group-result.ts'
import type { Celeriac, SendOptions } from './app.ts'
import { AppliedSignature, dataOf } from './applied-signature.ts'
import { splitOptions, type TaskOptions } from './task-options.ts'
import { splitKw } from './kw.ts'
import type { AnyFunction, DefineTask, Task } from './typed.ts'

export type { AnyFunction, Task } from './typed.ts'
export type { TaskOptions } from './task-options.ts'

interface CallOptions extends SendOptions {
  readonly link?: unknown
  readonly linkError?: unknown
}

const listOf = (one: unknown): readonly unknown[] => (Array.isArray(one) ? one : [one])

/** What is known of a task where it is called. */
interface Callee {
  readonly name: string
  readonly delivery: DeliveryOptions
  readonly params: readonly string[] | undefined
  /** Positional arguments a call must have; undefined where nothing is known. */
  readonly required: number | undefined
  readonly schema: RunOptions['args']
  readonly redact: RunOptions['redact']
  readonly shadowName: TaskOptions['shadowName']
  readonly run: Runnable['run']
}

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
  const params = options.params ?? parameterNames(Function.prototype.toString.call(run))
  const { redact, unique } = running
  const runnable: Runnable = {
    name,
    options: { ...running, delivery },
    params,
    run: run as unknown as Runnable['run'],
    declared: {
      delivery,
      unique: unique && {
        options: unique,
        keyOf: shortKey(keyMaker(name, params, unique), redact?.args !== undefined),
      },
      describe: (one) => describeRedacted(one, redact, params),
    },
  }
  app.registry.add(runnable)
  const callee: Callee = {
    name,
    delivery,
    params,
    required: requiredOf(options, run),
    schema: running.args,
    redact: running.redact,
    shadowName: options.shadowName,
    run: runnable.run,
  }
  return taskFront(app, callee) as unknown as Task<Name, F>
}

/** Longest key that travels as it is: it is a header, and a name in the store. */
const longestKey = 200

/** Long keys, and those made of secrets, as their digest. */
function shortKey(
  keyOf: (call: PlannedCall) => string,
  isSecret: boolean,
): (call: PlannedCall) => string {
  return (one) => {
    const key = keyOf(one)
    if (!isSecret && key.length <= longestKey) return key
    return `sha256:${createHash('sha256').update(key).digest('hex')}`
  }
}

/** Calls with the same text are the same. */
function keyMaker(
  name: string,
  params: readonly string[] | undefined,
  { key }: UniqueOptions,
): (call: PlannedCall) => string {
  const unknown = Array.isArray(key)
    ? key.find((one) => typeof one === 'string' && params?.includes(one) !== true)
    : undefined
  if (unknown !== undefined) {
    throw new TasksError(
      'TASKS_ARGUMENTS_INVALID',
      `the task '${name}' is unique by '${unknown}', but its parameters are (${params?.join(', ') ?? 'not known; name them in the option params'})`,
    )
  }
  if (typeof key === 'function')
    return ({ task, args, kwargs }) =>
      String((key as (...args: unknown[]) => string)(...bindArguments(task, params, args, kwargs)))
  return ({ task, args, kwargs }) => {
    const bound = bindArguments(task, params, args, kwargs)
    const chosen = key?.map((one) => {
      return bound[typeof one === 'number' ? one : params!.indexOf(one)] ?? null
    })
    return stringifyJson(chosen ?? bound)
  }
}

/** The function behind `app.task()`. */
export function taskDefiner(app: Celeriac): DefineTask {
  const define = (name: string, ...rest: [AnyFunction] | [TaskOptions, AnyFunction]): unknown => {
    const [options, run] = rest.length === 1 ? [{}, rest[0]] : rest
    return makeTask(app, name, options, run)
  }
  return define as DefineTask
}

/** The front of a task that lives elsewhere: everything but calling it here. */
export function remoteFront(app: Celeriac, name: string, options: TaskOptions = {}): object {
  const { running, delivery } = splitOptions(name, options)
  if (running.unique) {
    throw new TasksError(
      'TASKS_NOT_SUPPORTED',
      `'${name}' lives elsewhere, where nobody looks after keys: it cannot be unique`,
    )
  }
  app.registry.declare(name, {
    delivery,
    describe: (one) => describeRedacted(one, running.redact, options.params),
  })
  return taskFront(app, {
    name,
    delivery,
    params: options.params,
    required: undefined,
    schema: running.args,
    redact: running.redact,
    shadowName: options.shadowName,
    run: () => {
      throw new TasksError(
        'TASKS_NOT_SUPPORTED',
        `'${name}' lives elsewhere and cannot be called here; send it with delay()`,
      )
    },
  })
}

function taskFront(app: Celeriac, callee: Callee): object {
  const { name, delivery, run } = callee
  const front = function (...args: unknown[]): unknown {
    return run.apply(
      directContext(name, () => app.log),
      args,
    )
  }
  const signature = (args: readonly unknown[], immutable = false): AppliedSignature => {
    const { positional, kwargs } = splitKw(args)
    return new AppliedSignature(app, call(name, { args: positional, kwargs }, immutable))
  }
  const whole = (args: readonly unknown[], options: SignatureOptions = noOptions): Signature => {
    const { positional, kwargs } = splitKw(args)
    checkCount(callee, positional, kwargs)
    const shadow = callee.shadowName?.(positional, kwargs)
    const all = shadow === undefined ? options : { ...options, shadow }
    return call(name, { args: positional, kwargs, options: all })
  }
  const applyAsync = (
    args: readonly unknown[] = [],
    options: CallOptions = noSendOptions,
  ): Promise<Member> => {
    try {
      const { link, linkError, ...sending } = options
      const one = whole(args, linksOf(link, linkError))
      return callee.schema ? checkedSend(one, sending) : app.send(one, sending)
    } catch (error) {
      return Promise.reject(error as Error)
    }
  }
  const checkedSend = async (one: Signature, sending: SendOptions): Promise<Member> => {
    await checkCall(callee, one)
    return await app.send(one, sending)
  }
  const methods = {
    app,
    /** Options declared with the task. */
    delivery,
    delay: (...args: unknown[]) => applyAsync(args),
    applyAsync,
    applyAsyncMany: async (calls: Iterable<readonly unknown[]>, options: CallOptions = {}) => {
      const { link, linkError, ...sending } = options
      const links = linksOf(link, linkError)
      const all = Array.from(calls, (args) => whole(args, links))
      if (callee.schema) for (const one of all) await checkCall(callee, one)
      return await app.sendMany(all, sending)
    },
    apply: async (args: readonly unknown[] = [], options: CallOptions & ApplyOptions = {}) => {
      const { link, linkError, ...sending } = options
      return await app.apply(whole(args, linksOf(link, linkError)), sending)
    },
    asyncResult: (id: string) => app.result(id),
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

/** Options of a run in the caller. */
export interface ApplyOptions {
  /** Throw what the task throws; default the setting `taskEagerPropagates`. */
  readonly throw?: boolean
}

const noSendOptions: CallOptions = Object.freeze({})

function linksOf(link: unknown, linkError: unknown): SignatureOptions {
  if (link === undefined && linkError === undefined) return noOptions
  return {
    ...(link !== undefined && { link: listOf(link).map(dataOf) }),
    ...(linkError !== undefined && { linkError: listOf(linkError).map(dataOf) }),
  }
}

/** Parameters before the first with a default; the last may be one for keywords. */
function requiredOf({ typing, params }: TaskOptions, { length }: AnyFunction): number | undefined {
  if (typing === false || params !== undefined) return undefined
  return typing === true ? length : Math.max(0, length - 1)
}

/** Celery's strict typing: a call that cannot work is refused where it is made. */
function checkCount(
  { name, params, required }: Callee,
  args: readonly unknown[],
  kwargs: Readonly<Record<string, unknown>>,
): void {
  if (required === undefined || params === undefined) return
  const takesAll = params.at(-1)?.startsWith('...') ?? false
  const missing = params.slice(args.length, required).filter((one) => !(one in kwargs))
  const problem =
    args.length > params.length && !takesAll
      ? `${args.length} arguments were given`
      : missing.length > 0
        ? `${missing.join(', ')} ${missing.length === 1 ? 'is' : 'are'} missing`
        : undefined
  if (problem === undefined) return
  throw new TasksError(
    'TASKS_ARGUMENTS_INVALID',
    `${name}(${params.join(', ')}): ${problem}; the option typing: false sends it as it is`,
  )
}

/** The schema sees the arguments where they are given, too; what it makes of them is made where they are used. */
async function checkCall({ name, params, schema, redact }: Callee, one: Signature): Promise<void> {
  if (one.kind !== 'call') return
  const args = bindArguments(name, params, one.args, one.kwargs)
  await checkedArguments(name, schema!, args, redact)
}
