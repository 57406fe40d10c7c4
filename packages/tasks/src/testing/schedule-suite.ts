/** What every schedule must do: ticks that grow, `isDue` that agrees with them, and a way to JSON and back. */
import assert from 'node:assert/strict'
import type { Runner } from '@celeriac/messaging/testing'
import type { Schedule, ScheduleJson } from '../schedule/schedule.ts'

export interface ScheduleHarness {
  readonly name: string
  readonly schedule: Schedule
  readonly fromJson: (json: ScheduleJson) => Schedule
  /** Zones to look at; default UTC and two with changing clocks. */
  readonly zones?: readonly string[]
}

/** Moments around changes of clocks, ends of years and leap days. */
const moments = [
  '1970-01-01T00:00:00Z',
  '2024-02-28T23:59:59.999Z',
  '2024-03-10T09:59:30Z',
  '2024-03-31T00:59:00Z',
  '2024-10-27T00:30:00Z',
  '2024-11-03T05:59:00.500Z',
  '2024-12-31T23:59:00Z',
].map((text) => Date.parse(text))

const TICKS = 20

export function scheduleSuite({ describe, it }: Runner, harness: ScheduleHarness): void {
  const { schedule } = harness

  for (const zone of harness.zones ?? ['UTC', 'Europe/Warsaw', 'America/New_York']) {
    describe(`schedule: ${harness.name} in ${zone}`, () => {
      it('ticks strictly later each time', () => {
        for (const moment of moments) {
          let afterMs = moment
          for (let count = 0; count < TICKS; count++) {
            const tick = schedule.next(afterMs, zone)
            if (tick === undefined) break
            assert.ok(tick > afterMs, `${tick} is not after ${afterMs}`)
            assert.ok(Number.isInteger(tick), `${tick} is not a whole millisecond`)
            afterMs = tick
          }
        }
      })

      it('has nothing between a moment and its next tick', () => {
        for (const moment of moments) {
          const tick = schedule.next(moment, zone)
          if (tick === undefined) continue
          for (const part of [0.25, 0.5, 0.999]) {
            const between = Math.floor(moment + (tick - moment) * part)
            assert.equal(schedule.next(between, zone), tick)
          }
          assert.equal(schedule.next(tick - 1, zone), tick)
        }
      })

      it('is due from its tick on, and says how long to wait before', () => {
        for (const moment of moments) {
          const tick = schedule.next(moment, zone)
          if (tick === undefined) continue
          const before = schedule.isDue(moment, tick - 1, zone)
          assert.deepEqual(before, { due: false, nextSeconds: 0.001 })

          const at = schedule.isDue(moment, tick, zone)
          assert.equal(at.due, true)
          const later = schedule.next(tick, zone)
          const wait = later === undefined ? undefined : (later - tick) / 1000
          assert.equal(at.nextSeconds, wait)
        }
      })

      it('is not due again once its tick was served', () => {
        for (const moment of moments) {
          const tick = schedule.next(moment, zone)
          if (tick !== undefined) assert.equal(schedule.isDue(tick, tick, zone).due, false)
        }
      })

      it('is the same after a way through JSON', () => {
        const text = JSON.stringify(schedule)
        const again = harness.fromJson(JSON.parse(text) as ScheduleJson)

        assert.equal(again.kind, schedule.kind)
        assert.equal(JSON.stringify(again), text)
        for (const moment of moments) {
          assert.equal(again.next(moment, zone), schedule.next(moment, zone))
        }
      })
    })
  }
}
