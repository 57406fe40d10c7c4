import { describe, expect, it } from '@jest/globals'
import { outgoing } from '../../src/canvas/outgoing.ts'
import { plan } from '../../src/canvas/plan.ts'
import { call, type SignatureOptions } from '../../src/canvas/signature.ts'
import type { OutgoingTask } from '../../src/protocol/task-message.ts'

function sent(options: SignatureOptions): OutgoingTask {
  const planned = plan(call('t', { options }), { nextId: () => 'i', replyTo: 'r' })
  return outgoing(planned.send[0]!, { nowMs: 0, origin: 'gen1@host' })
}

describe('a call that goes out', () => {
  it.each<[SignatureOptions, Partial<OutgoingTask>]>([
    [{}, { id: 'i', task: 't', origin: 'gen1@host', replyTo: 'r', rootId: 'i' }],
    [{ countdown: 5 }, { eta: '1970-01-01T00:00:05+00:00' }],
    [{ eta: new Date(0) }, { eta: '1970-01-01T00:00:00+00:00' }],
    [{ expires: 60 }, { expires: '1970-01-01T00:01:00+00:00' }],
    [
      { timeLimit: 2, softTimeLimit: 1 },
      { hardLimit: 2, softLimit: 1 },
    ],
    [
      { priority: 0, deliveryMode: 1 },
      { priority: 0, deliveryMode: 1 },
    ],
    [
      { shadow: 's', headers: { h: 1 } },
      { shadow: 's', headers: { h: 1 } },
    ],
    [
      { argsRepr: 'a', kwargsRepr: 'k' },
      { argsRepr: 'a', kwargsRepr: 'k' },
    ],
    [
      { ignoreResult: true, retries: 2 },
      { ignoreResult: true, retries: 2 },
    ],
    [{ extra: { message_id: 'm', type: 'job' } }, { properties: { messageId: 'm', type: 'job' } }],
    [{ extra: { DelaySeconds: 5 } }, { properties: { extra: { DelaySeconds: 5 } } }],
    [
      { stampedHeaders: ['a'], extra: { a: 1 } },
      { stampedHeaders: ['a'], stamps: { a: 1 }, properties: undefined },
    ],
  ])('%j', (options, expected) => {
    expect(sent(options)).toMatchObject(expected)
  })

  it.each<SignatureOptions>([{ countdown: NaN }, { eta: 'soon' }, { expires: new Date(NaN) }])(
    'refuses %j',
    (options) => {
      expect(() => sent(options)).toThrow(
        expect.objectContaining({ code: 'TASKS_ARGUMENTS_INVALID' }),
      )
    },
  )
})
