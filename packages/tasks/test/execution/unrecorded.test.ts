import { describe, expect, it } from '@jest/globals'
import { MessagingError } from '@celeriac/messaging'
import { orUnrecorded, Unrecorded } from '../../src/execution/unrecorded.ts'
import { TasksError, type TasksCode } from '../../src/kernel/errors.ts'

const messaging = (code: MessagingError['code']) => new MessagingError(code, 'message', code)
const tasks = (code: TasksCode, cause?: unknown) => new TasksError(code, code, { cause })
const thrown = (error: unknown) =>
  orUnrecorded(() => Promise.reject(error)).catch((e: unknown) => e)

describe('orUnrecorded', () => {
  const outages: readonly [string, Error][] = [
    ['a lost link', messaging('MESSAGING_CONNECTION_LOST')],
    [
      'a send that was not confirmed',
      tasks('TASKS_SEND_FAILED', messaging('MESSAGING_PUBLISH_TIMEOUT')),
    ],
    ['a broker that is full', tasks('TASKS_SEND_FAILED', messaging('MESSAGING_PUBLISH_REFUSED'))],
    ['a backend that is away', tasks('TASKS_BACKEND_FAILED')],
  ]
  it.each(outages)('brings the message back after %s', async (_what, error) => {
    const found = await thrown(error)
    expect(found).toBeInstanceOf(Unrecorded)
    expect(found).toMatchObject({ cause: error })
  })

  const mistakes: readonly [string, Error][] = [
    ['a step that is too large', tasks('TASKS_SEND_FAILED', messaging('MESSAGING_TOO_LARGE'))],
    [
      'a queue of other arguments',
      tasks('TASKS_SEND_FAILED', messaging('MESSAGING_DECLARATION_REFUSED')),
    ],
    [
      'arguments that cannot be sent',
      tasks('TASKS_ARGUMENTS_INVALID', messaging('MESSAGING_ENCODE_FAILED')),
    ],
    ['a broken signature', tasks('TASKS_SIGNATURE_INVALID')],
    ['a result that cannot be carried', new TypeError('a function')],
  ]
  it.each(mistakes)('fails the task after %s', async (_what, error) => {
    expect(await thrown(error)).toBe(error)
  })
})
