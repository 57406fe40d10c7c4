import { describe, expect, it } from '@jest/globals'
import { isSchedule, latestTick } from '../../src/schedule/schedule.ts'
import { stretchAt } from '../../src/schedule/zoned-time.ts'
import { crontab } from '../../src/schedules/crontab.ts'
import { interval } from '../../src/schedules/interval.ts'

const at = (text: string): number => Date.parse(text)

describe('latestTick', () => {
  it.each<[string, string, string | undefined]>([
    ['2024-01-01T00:00:00Z', '2024-01-01T00:04:59Z', undefined],
    ['2024-01-01T00:00:00Z', '2024-01-01T00:05:00Z', '2024-01-01T00:05:00.000Z'],
    ['2024-01-01T00:05:00Z', '2024-01-01T00:05:00Z', undefined],
    ['2024-01-01T00:00:00Z', '2024-01-01T03:07:00Z', '2024-01-01T03:05:00.000Z'],
    ['2014-01-01T00:00:00Z', '2024-01-01T03:07:00Z', '2024-01-01T03:05:00.000Z'],
  ])('every five minutes, from %s to %s', (from, to, tick) => {
    const found = latestTick(interval(300), at(from), at(to))

    expect(found === undefined ? undefined : new Date(found).toISOString()).toBe(tick)
  })

  it('does not count through a long outage', () => {
    let asked = 0
    const inner = crontab()
    const counted = { next: (ms: number) => (asked++, inner.next(ms)) }

    expect(latestTick(counted, at('2014-01-01T00:00:00Z'), at('2024-01-01T00:00:30Z'))).toBe(
      at('2024-01-01T00:00:00Z'),
    )
    expect(asked).toBeLessThan(20)
  })

  it('finds rare ticks far back', () => {
    const leapDay = crontab('0 0 29 feb *')

    expect(latestTick(leapDay, at('2020-01-01T00:00:00Z'), at('2023-12-31T00:00:00Z'))).toBe(
      at('2020-02-29T00:00:00Z'),
    )
  })
})

describe('stretches of a zone', () => {
  it('end where the clock changes', () => {
    const winter = stretchAt('Europe/Warsaw', at('2024-01-15T00:00:00Z'))

    expect([winter.offsetMs, winter.untilMs]).toEqual([3_600_000, at('2024-03-31T01:00:00Z')])
    expect(stretchAt('Europe/Warsaw', winter.untilMs).offsetMs).toBe(7_200_000)
    expect(stretchAt('Europe/Warsaw', winter.untilMs - 1).offsetMs).toBe(3_600_000)
  })

  it('do not end where it never changes', () => {
    expect(stretchAt('UTC', 0)).toEqual({ fromMs: 0, untilMs: Infinity, offsetMs: 0 })
  })

  it('are right in any order of asking', () => {
    const months = Array.from({ length: 240 }, (_, i) => Date.UTC(2005, (i * 7) % 240, 10))

    for (const ms of [...months, ...months.toReversed()]) {
      const summer = [3, 4, 5, 6, 7, 8, 9].includes(new Date(ms).getUTCMonth())
      expect(stretchAt('Europe/Warsaw', ms).offsetMs).toBe(summer ? 7_200_000 : 3_600_000)
    }
  })
})

describe('isSchedule', () => {
  it.each<[unknown, boolean]>([
    [interval(1), true],
    [{ next: () => 1, isDue: () => 1 }, true],
    [{ next: () => 1 }, false],
    [null, false],
    [30, false],
  ])('%p: %s', (value, is) => {
    expect(isSchedule(value)).toBe(is)
  })
})
