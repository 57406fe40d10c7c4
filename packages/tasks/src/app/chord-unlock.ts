/**
 * Celery's task that looks for the end of a chord, again and again, where the store of results cannot count.
 * Sent by us or by Python, run by whoever gets it.
 */
import { chordUnlock, readTree } from '../canvas/index.ts'
import type { WireSignature } from '../protocol/task-message.ts'
import type { TaskContext } from '../execution/context.ts'
import { orUnrecorded } from '../execution/unrecorded.ts'
import { redactionWithin } from './redaction.ts'
import { describeRedacted } from '../execution/redact.ts'
import type { Runnable } from '../execution/runnable.ts'
import { TasksError } from '../kernel/errors.ts'
import type { Celeriac } from './app.ts'

/** Ours among its keywords: when a member had ended first, in seconds; Python passes over it. */
const sinceName = 'celeriac_since'

export function registerChordUnlock(app: Celeriac): void {
  const params = ['groupId', 'body', 'more']
  // It carries the body, with what is secret about its arguments.
  const bodyOf: Runnable['redactFor'] = ({ args, kwargs }) =>
    redactionWithin(app, kwargs['body'] ?? args[1])
  app.registry.add({
    name: chordUnlock,
    options: { ignoreResult: true, maxRetries: null, trail: false, delivery: {} },
    params,
    redactFor: bodyOf,
    declared: {
      delivery: { ignoreResult: true },
      describe: (one) => describeRedacted(one, bodyOf(one), params),
    },
    run: async function (groupId: unknown, body: unknown) {
      await unlock(app, this, String(groupId), body as WireSignature)
    },
  })
}

async function unlock(
  app: Celeriac,
  context: TaskContext,
  groupId: string,
  body: WireSignature,
): Promise<void> {
  const { request } = context
  const { result, interval, max_retries: limit, [sinceName]: given } = request.kwargs
  const members = Array.isArray(result) ? result.map(readTree) : []
  if (!Array.isArray(result) || members.some((one) => one === undefined)) {
    throw new TasksError(
      'TASKS_SIGNATURE_INVALID',
      `the members of the chord ${groupId} must be a list of handles`,
    )
  }
  const { config, executor, ambient } = await app.setup()
  const { clock } = ambient
  const trees = members.filter((one) => one !== undefined)
  // Nobody else looks: while the store or the broker is away, the message comes again.
  const ended = await orUnrecorded(() => executor.follower.join(body, trees, request))
  if (ended === 'all') return
  const countdown = typeof interval === 'number' ? interval : config.resultChordRetryInterval
  const most = typeof limit === 'number' ? limit : Infinity
  const now = clock.now() / 1000
  const since = typeof given === 'number' ? given : ended === 'some' ? now : undefined
  // Celery asks for ever; once the records of the first are gone it can never be complete.
  const isOver = since !== undefined && now - since > (config.resultExpires || Infinity)
  if (isOver || request.retries >= most) {
    const reason = `the members of ${groupId} did not end within ${request.retries + 1} looks`
    return await orUnrecorded(() => executor.follower.giveUp(body, reason, request))
  }
  const kwargs = since === undefined ? request.kwargs : { ...request.kwargs, [sinceName]: since }
  throw context.retry({ countdown, maxRetries: null, kwargs })
}
