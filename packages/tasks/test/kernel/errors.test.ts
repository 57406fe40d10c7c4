import { describe, expect, it } from '@jest/globals'
import {
  ChordError,
  ConfigError,
  Ignore,
  isSteering,
  MaxRetriesExceededError,
  NotRegistered,
  Reject,
  Retry,
  SecurityError,
  SoftTimeLimitExceeded,
  TaskRevokedError,
  TasksError,
  Terminated,
  TimeLimitExceeded,
  TimeoutError,
  WorkerLostError,
} from '../../src/kernel/errors.ts'

describe('errors', () => {
  // The names travel as `exc_type`: Python workers look classes up by them.
  it.each<[string, string, TasksError]>([
    ['NotRegistered', 'TASKS_UNKNOWN_TASK', new NotRegistered('a')],
    ['TimeoutError', 'TASKS_TIMEOUT', new TimeoutError()],
    ['SoftTimeLimitExceeded', 'TASKS_SOFT_TIME_LIMIT', new SoftTimeLimitExceeded(1)],
    ['TimeLimitExceeded', 'TASKS_TIME_LIMIT', new TimeLimitExceeded(1)],
    ['WorkerLostError', 'TASKS_WORKER_LOST', new WorkerLostError('x')],
    ['Terminated', 'TASKS_TERMINATED', new Terminated('SIGKILL')],
    ['MaxRetriesExceededError', 'TASKS_MAX_RETRIES', new MaxRetriesExceededError('a', 'id')],
    ['TaskRevokedError', 'TASKS_REVOKED', new TaskRevokedError()],
    ['ChordError', 'TASKS_CHORD_FAILED', new ChordError('x')],
    [
      'SecurityError',
      'TASKS_SECURITY_KEY_INVALID',
      new SecurityError('TASKS_SECURITY_KEY_INVALID', 'x'),
    ],
    ['ConfigError', 'TASKS_CONFIG_INVALID', new ConfigError('TASKS_CONFIG_INVALID', 'x')],
  ])('%s has the code %s', (name, code, error) => {
    expect([error.name, error.code]).toEqual([name, code])
    expect(TasksError.is(error)).toBe(true)
    expect(isSteering(error)).toBe(false)
  })

  it('recognises errors of another copy of the package', () => {
    const brand = Object.getOwnPropertySymbols(new TimeoutError())[0]!

    expect(TasksError.is({ [brand]: true })).toBe(true)
    expect([TasksError.is(new Error('x')), TasksError.is(null)]).toEqual([false, false])
  })

  it('keeps the cause of a retry, also when it is undefined', () => {
    const cause = new Error('x')

    expect(new Retry('again', { cause, countdown: 5 })).toMatchObject({
      cause,
      options: { countdown: 5 },
    })
    expect('cause' in new Retry()).toBe(false)
  })

  it('tells steering from failing', () => {
    expect([new Retry(), new Ignore(), new Reject('x', true)].map(isSteering)).toEqual([
      true,
      true,
      true,
    ])
    expect(new Reject(new Error('bad'), true)).toMatchObject({ message: 'bad', requeue: true })
    expect([new Retry().kind, new Ignore().kind, new Reject().kind]).toEqual([
      'retry',
      'ignore',
      'reject',
    ])
  })
})
