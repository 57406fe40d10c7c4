import { describe, expect, it } from '@jest/globals'
import type { Clock, Delivery } from '@celeriac/messaging'
import { Holds } from '../../src/worker/holds.ts'

/** Time that moves when told. */
function manualClock() {
  let now = 0
  let timers: { at: number; run: () => void }[] = []
  const clock: Clock = {
    now: () => now,
    monotonic: () => now,
    after(ms, run) {
      const timer = { at: now + ms, run }
      timers.push(timer)
      return () => (timers = timers.filter((one) => one !== timer))
    },
  }
  const advance = (to: number): void => {
    now = to
    const due = timers.filter(({ at }) => at <= now)
    timers = timers.filter(({ at }) => at > now)
    for (const { run } of due) run()
  }
  return { clock, advance, pending: () => timers.length }
}

const delivery = (name: string): Delivery => ({ name }) as unknown as Delivery

describe('Holds', () => {
  it('releases in the order of time, with one timer however many wait', () => {
    const { clock, advance, pending } = manualClock()
    const released: unknown[] = []
    const holds = new Holds(clock, (due) => released.push(...due))
    const [a, b, c] = [delivery('a'), delivery('b'), delivery('c')]
    holds.add(b, 200)
    holds.add(c, 300)
    holds.add(a, 100)

    expect(pending()).toBe(1)
    advance(99)
    expect(released).toEqual([])
    advance(200)
    expect(released).toEqual([a, b])
    expect(holds.size).toBe(1)
    advance(300)
    expect(released).toEqual([a, b, c])
    expect(pending()).toBe(0)
  })

  it('forgets everything when it is drained', () => {
    const { clock, advance, pending } = manualClock()
    const released: unknown[] = []
    const holds = new Holds(clock, (due) => released.push(...due))
    const a = delivery('a')
    holds.add(a, 100)

    expect(holds.drain()).toEqual([a])
    expect(pending()).toBe(0)
    advance(1000)
    expect(released).toEqual([])
    holds.add(a, 1100)
    advance(1100)
    expect(released).toEqual([a])
  })
})
