/** What a running task sees as `this`: its request, and what it can do with itself. */
import type { Logger } from '@celeriac/messaging'
import { canCount } from '../backend/backend.ts'
import { fromWire, idOf, plan, withOptions, dataOf } from '../canvas/index.ts'
import type { Sending } from '../client/outbox.ts'
import { Replaced, TasksError } from '../kernel/errors.ts'
import type { JobControl } from '../kernel/job.ts'
import { nextAttempt } from './classify.ts'
import type { TaskContext } from './context.ts'
import type { Recorder } from './record.ts'
import type { Runnable } from './runnable.ts'
import { requestOf, type Running } from './running.ts'

export interface ContextServices {
  readonly outbox: Sending
  readonly recorder: Recorder
  readonly log: Logger
  readonly replyTo: string
  nextId(): string
  sendEvent(
    type: string,
    hostname: string,
    fields: Readonly<Record<string, unknown>>,
  ): Promise<void>
  /** Stores a state of the running task. */
  store(running: Running, state: string, value: unknown): Promise<void>
}

/** Everything in it is made when it is looked at, since most tasks never do; methods work without their object. */
export class RunningContext implements TaskContext {
  readonly #running: Running
  readonly #runnable: Runnable
  readonly #control: JobControl
  readonly #services: ContextServices
  #request: TaskContext['request'] | undefined

  constructor(
    running: Running,
    runnable: Runnable,
    control: JobControl,
    services: ContextServices,
  ) {
    this.#running = running
    this.#runnable = runnable
    this.#control = control
    this.#services = services
  }

  get request(): TaskContext['request'] {
    return (this.#request ??= requestOf(this.#running))
  }

  get signal(): AbortSignal {
    return this.#control.signal
  }

  get log(): Logger {
    const { id, task } = this.#running.meta
    return this.#services.log.with({ task, id })
  }

  get children(): readonly string[] {
    return this.#running.children.map(idOf)
  }

  get retry(): TaskContext['retry'] {
    const { id, task, retries } = this.#running.meta
    return (options = {}) => nextAttempt({ id, task, retries }, this.#runnable.options, options)
  }

  get updateState(): TaskContext['updateState'] {
    return async (state, value) => {
      if (!this.#control.abandoned) await this.#services.store(this.#running, state, value ?? null)
    }
  }

  get isAborted(): TaskContext['isAborted'] {
    const { id } = this.#running.meta
    return async () => (await this.#services.recorder.read([id]))[0]?.state === 'ABORTED'
  }

  get replace(): TaskContext['replace'] {
    return (signature) => new Replaced(dataOf(signature))
  }

  get addToChord(): TaskContext['addToChord'] {
    return (signature) => addToChord(this.#running, signature, this.#services)
  }

  get sendEvent(): TaskContext['sendEvent'] {
    const { meta, job } = this.#running
    return (type, fields = {}) =>
      this.#services.sendEvent(type, job.hostname, { ...fields, uuid: meta.id })
  }
}

/** Celery's add_to_chord: the count first, so that the body cannot start between. */
async function addToChord(
  { meta, payload, children }: Running,
  signature: unknown,
  { outbox, recorder, replyTo, nextId }: ContextServices,
): Promise<string> {
  const { chord } = payload.embed
  const { groupId } = meta
  if (chord === null || groupId === undefined) {
    throw new TasksError(
      'TASKS_NOT_SUPPORTED',
      `${meta.task}[${meta.id}] is not in the header of a chord, so nothing can be added to it`,
    )
  }
  const backend = await recorder.backend()
  if (!canCount(backend)) {
    throw new TasksError(
      'TASKS_NOT_SUPPORTED',
      `the result backend '${backend.name}' cannot add to a chord; Redis, Memcached, SQLite and memory can`,
    )
  }
  const taskId = nextId()
  const member = withOptions(dataOf(signature), { taskId, groupId, chord: fromWire(chord) })
  const { id: parentId, rootId } = meta
  const planned = plan(member, { nextId, replyTo, parentId, rootId })
  if (!planned.result) throw new TasksError('TASKS_SIGNATURE_INVALID', 'there is nothing to add')
  await backend.extendCountdown(groupId, idOf(planned.result))
  await outbox.send(planned)
  children.push(planned.result)
  return idOf(planned.result)
}
