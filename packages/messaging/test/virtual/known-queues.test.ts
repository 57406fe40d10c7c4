import { expect, it } from '@jest/globals'
import { systemClock } from '../../src/kernel/clock.ts'
import { queue } from '../../src/topology/queue.ts'
import { KnownQueues } from '../../src/virtual/known-queues.ts'
import type { MessageStore } from '../../src/virtual/store.ts'

it('keeps how long messages live, however many other queues are declared', () => {
  const known = new KnownQueues({} as MessageStore, systemClock)
  const brief = queue('brief', { messageTtlMs: 5 })
  known.set('brief', brief)
  for (let i = 0; i < 20_000; i++) known.set(`reply-${i}`, queue(`reply-${i}`))

  expect(known.get('brief')).toBe(brief)
  known.set('brief', queue('brief'))
  expect(known.get('brief')).toBeUndefined()
})
