import { describe, expect, it } from '@jest/globals'
import { entryFrom, type EntryRecord } from '../../src/beat/entry.ts'
import { Heap } from '../../src/beat/heap.ts'
import { Scheduler, type SchedulerOptions } from '../../src/beat/scheduler.ts'
import type { BeatEntrySetting } from '../../src/config/options/structures.ts'
import { crontab } from '../../src/schedules/crontab.ts'

const start = Date.parse('2024-01-01T00:00:00Z')

function setup(
  schedules: Record<string, BeatEntrySetting['schedule']>,
  options: SchedulerOptions = {},
): Scheduler {
  const scheduler = new Scheduler(options)
  for (const [name, schedule] of Object.entries(schedules)) {
    scheduler.add(entryFrom(name, { task: `tasks.${name}`, schedule }), start)
  }
  return scheduler
}

/** What is due, as name and seconds since the start, and serves it. */
function serve(
  scheduler: Scheduler,
  seconds: number,
): { ticks: string[]; next: number | undefined } {
  const look = scheduler.tick(start + seconds * 1000)
  const ticks: string[] = []
  for (const { name, ticks: some, hasLeftOut } of look.due) {
    if (hasLeftOut) ticks.push(`${name}…`)
    for (const tick of some) {
      ticks.push(`${name}@${(tick.tickMs - start) / 1000}`)
      scheduler.served(tick)
    }
    scheduler.settle(name)
  }
  const nextMs = scheduler.nextMs()
  return { ticks, next: nextMs === undefined ? undefined : (nextMs - start) / 1000 }
}

describe('scheduler', () => {
  it('has nothing due for a new entry, and says when', () => {
    expect(setup({ a: 30, b: 20 }).tick(start)).toEqual({ due: [], nextMs: start + 20_000 })
  })

  it('hands out entries in the order of their ticks', () => {
    const scheduler = setup({ a: 30, b: 20 })

    expect(serve(scheduler, 19.999)).toEqual({ ticks: [], next: 20 })
    expect(serve(scheduler, 20)).toEqual({ ticks: ['b@20'], next: 30 })
    expect(serve(scheduler, 45)).toEqual({ ticks: ['a@30', 'b@40'], next: 60 })
    expect(serve(scheduler, 60)).toEqual({ ticks: ['a@60', 'b@60'], next: 80 })
  })

  it('does not drift when it is late', () => {
    const scheduler = setup({ a: 10 })

    serve(scheduler, 13)

    expect(serve(scheduler, 20).ticks).toEqual(['a@20'])
  })

  it('makes up for every tick of a short outage', () => {
    expect(serve(setup({ a: 1 }), 5).ticks).toEqual(['a@1', 'a@2', 'a@3', 'a@4', 'a@5'])
  })

  it('makes up for the last minute of a long one, and says that more is missing', () => {
    expect(serve(setup({ a: 20 }), 3600).ticks).toEqual([
      'a…',
      'a@3540',
      'a@3560',
      'a@3580',
      'a@3600',
    ])
    expect(serve(setup({ a: 20 }, { catchUpMs: 0 }), 3605).ticks).toEqual(['a…', 'a@3600'])
  })

  it('makes up once for a crontab missed long ago', () => {
    const scheduler = setup({ a: crontab('0 * * * *') })

    expect(serve(scheduler, 3.5 * 3600)).toEqual({ ticks: ['a…', 'a@10800'], next: 4 * 3600 })
  })

  it('leaves out a crontab that is too late, but not an interval', () => {
    const scheduler = setup({ cron: crontab('0 * * * *'), every: 3600 }, { cronDeadlineMs: 60_000 })

    expect(serve(scheduler, 3600 + 60)).toEqual({ ticks: ['cron@3600', 'every@3600'], next: 7200 })
    expect(serve(scheduler, 7200 + 61)).toEqual({ ticks: ['cron…', 'every@7200'], next: 10_800 })
  })

  it('keeps a tick due that was not served, with the same id', () => {
    const scheduler = setup({ a: 10 })
    const first = scheduler.tick(start + 10_000).due[0]!.ticks[0]!
    expect(scheduler.tick(start + 10_000).due).toEqual([])

    scheduler.settle('a')

    const again = scheduler.tick(start + 21_000).due[0]!.ticks
    expect(again.map(({ tickMs }) => tickMs - start)).toEqual([10_000, 20_000])
    expect(again[0]).toEqual(first)
  })

  it('leaves disabled entries alone', () => {
    const scheduler = new Scheduler()
    scheduler.add(entryFrom('a', { task: 't', schedule: 1, enabled: false }), start)

    expect(scheduler.tick(start + 99_000)).toEqual({ due: [], nextMs: undefined })
  })

  it('follows the zone of the app', () => {
    const scheduler = setup({ a: crontab('0 7 * * *') }, { zone: 'Europe/Warsaw' })

    expect(scheduler.nextMs()).toBe(Date.parse('2024-01-01T06:00:00Z'))
  })

  it('forgets what was removed', () => {
    const scheduler = setup({ a: 10, b: 15 })

    expect([scheduler.remove('a'), scheduler.remove('a')]).toEqual([true, false])
    expect(serve(scheduler, 20)).toEqual({ ticks: ['b@15'], next: 30 })
  })

  it('goes on where it was when an entry comes again, and anew with another schedule', () => {
    const scheduler = setup({ a: 10 })
    serve(scheduler, 10)

    scheduler.add(entryFrom('a', { task: 'other', schedule: 10 }), start + 15_000)
    expect(serve(scheduler, 20).ticks).toEqual(['a@20'])
    scheduler.add(entryFrom('a', { task: 'other', schedule: 7 }), start + 20_000)

    expect(serve(scheduler, 20)).toMatchObject({ ticks: [] })
    expect(scheduler.records()).toMatchObject([{ lastTickMs: start + 20_000, totalRunCount: 2 }])
  })

  it('does nothing for what is reported about entries it does not know', () => {
    const scheduler = setup({ a: 10 })

    scheduler.served({ name: 'x', tickMs: 1 })
    scheduler.settle('x')

    expect(scheduler.records()).toHaveLength(1)
  })
})

describe('records', () => {
  const records = (scheduler: Scheduler): EntryRecord[] =>
    JSON.parse(JSON.stringify(scheduler.records())) as EntryRecord[]

  it('bring back where an entry was', () => {
    const before = setup({ a: 10 })
    serve(before, 10)
    const after = new Scheduler()
    after.add(entryFrom('a', { task: 'tasks.a', schedule: 10 }), start + 25_000)

    after.restore(records(before), start + 25_000)

    expect(serve(after, 25).ticks).toEqual(['a@20'])
    expect(after.records()).toMatchObject([{ totalRunCount: 2 }])
  })

  it.each<[string, Partial<EntryRecord>, string[]]>([
    ['another schedule', { schedule: '{}' }, []],
    ['another entry', { name: 'b' }, []],
    ['a time to come', { lastTickMs: start + 999_000 }, []],
    ['the same', {}, ['a@-10', 'a@0']],
  ])('with %s', (_, change, ticks) => {
    const scheduler = setup({ a: 10 })
    const [record] = records(scheduler)

    scheduler.restore([{ ...record!, lastTickMs: start - 20_000, ...change }], start)

    expect(serve(scheduler, 0).ticks).toEqual(ticks)
  })

  it('do not bring back what this process has served since', () => {
    const scheduler = setup({ a: 10 })
    const old = records(scheduler)
    serve(scheduler, 10)

    scheduler.restore(old, start + 11_000)

    expect(serve(scheduler, 11).ticks).toEqual([])
  })
})

describe('heap', () => {
  it('gives the smallest first', () => {
    const heap = new Heap<string>()
    const keys = Array.from({ length: 200 }, (_, i) => (i * 7919) % 101)
    for (const key of keys) heap.push(key, `v${key}`)

    const out: number[] = []
    for (let item = heap.pop(); item; item = heap.pop()) {
      expect(item.value).toBe(`v${item.key}`)
      out.push(item.key)
    }

    expect(out).toEqual(keys.toSorted((a, b) => a - b))
    expect([heap.size, heap.peek(), heap.pop()]).toEqual([0, undefined, undefined])
  })
})
