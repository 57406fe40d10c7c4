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

export function contextOf(
  running: Running,
  runnable: Runnable,
  control: JobControl,
  services: ContextServices,
): TaskContext {
  const { meta } = running
  const { id, task, retries } = meta
  let request: TaskContext['request'] | undefined
  return {
    // Made when it is looked at: most tasks never do.
    get request() {
      return (request ??= requestOf(running))
    },
    get signal() {
      return control.signal
    },
    get log() {
      return services.log.with({ task, id })
    },
    get children() {
      return running.children.map(idOf)
    },
    retry: (options = {}) => nextAttempt({ id, task, retries }, runnable.options, options),
    updateState: async (state, value) => {
      if (!control.abandoned) await services.store(running, state, value ?? null)
    },
    isAborted: async () => (await services.recorder.read([id]))[0]?.state === 'ABORTED',
    replace: (signature) => new Replaced(dataOf(signature)),
    addToChord: (signature) => addToChord(running, signature, services),
    sendEvent: (type, fields = {}) =>
      services.sendEvent(type, running.job.hostname, { ...fields, uuid: id }),
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
