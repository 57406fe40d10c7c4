import { describe, expect, it } from '@jest/globals'
import type { ConfirmChannel } from 'amqplib/callback_api'
import type { Clock } from '../../src/kernel/clock.ts'
import { Settlements } from '../../src/transports/amqp/settlements.ts'

/** A channel that writes down what it is told, and a clock that runs when asked. */
function setup(window = 4) {
  const sent: unknown[][] = []
  const record =
    (verb: string) =>
    ({ fields }: { fields: { deliveryTag: number } }, ...rest: unknown[]) =>
      sent.push([verb, fields.deliveryTag, ...rest])
  const channel = { ack: record('ack'), nack: record('nack'), reject: record('reject') }
  const timers = new Set<() => void>()
  const clock = {
    after: (_: number, run: () => void) => {
      timers.add(run)
      return () => timers.delete(run)
    },
  }
  const settlements = new Settlements(
    channel as unknown as ConfirmChannel,
    clock as unknown as Clock,
    () => undefined,
  )
  settlements.setWindow(window)
  const add = (...tags: number[]) => {
    for (const tag of tags) settlements.add(tag)
  }
  const ack = (...tags: number[]) => Promise.all(tags.map((tag) => settlements.settle(tag, 'ack')))
  const tick = () => {
    for (const run of timers) run()
  }
  return { sent, settlements, add, ack, tick, timers }
}

describe('acknowledgements of a channel', () => {
  it('leave as one when they are everything up to a message', async () => {
    const { sent, add, ack } = setup()
    add(1, 2, 3, 4)

    await ack(3, 1, 2)

    expect(sent).toEqual([['ack', 3, true]])
  })

  it('leave one by one when something older is still out', async () => {
    const { sent, add, ack } = setup()
    add(1, 2, 3, 4, 5)

    await ack(1, 2, 4, 5)

    expect(sent).toEqual([
      ['ack', 2, true],
      ['ack', 4, false],
      ['ack', 5, false],
    ])
  })

  it('never cover what is out', async () => {
    const { sent, add, ack } = setup()
    add(1, 2, 3)

    await ack(2, 3)
    await ack(1)

    expect(sent).toEqual([
      ['ack', 2, false],
      ['ack', 3, false],
      ['ack', 1, false],
    ])
  })

  it('wait a moment where the window has room, and not longer', async () => {
    const { sent, add, ack, tick, settlements } = setup(100)
    add(1, 2, 3)

    await ack(1)
    await ack(2)
    expect(sent).toEqual([])
    expect(settlements.size).toBe(1)
    tick()

    expect(sent).toEqual([['ack', 2, true]])
  })

  it('leave at once when they are a quarter of the window, or asked to', async () => {
    const { sent, add, ack, settlements, timers } = setup(8)
    add(1, 2, 3, 4)

    await ack(1)
    expect(sent).toEqual([])
    await ack(2)
    expect(sent).toEqual([['ack', 2, true]])
    void ack(3)
    settlements.flush()

    expect(sent.at(-1)).toEqual(['ack', 3, false])
    expect(timers.size).toBe(0)
  })

  it('do not touch what is not out any more', async () => {
    const { sent, add, ack, settlements, tick } = setup(100)
    add(1, 2)

    await ack(1)
    settlements.clear()
    tick()
    await ack(2)

    expect(sent).toEqual([])
  })

  it('mix with messages that go back or are dropped', async () => {
    const { sent, add, settlements } = setup()
    add(1, 2, 3)

    await Promise.all([
      settlements.settle(1, 'back'),
      settlements.settle(2, 'ack'),
      settlements.settle(3, 'drop'),
    ])

    expect(sent).toEqual([
      ['nack', 1, false, true],
      ['reject', 3, false],
      ['ack', 2, false],
    ])
  })
})
