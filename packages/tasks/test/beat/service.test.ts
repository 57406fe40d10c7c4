import { afterEach, describe, expect, it } from '@jest/globals'
import { entryFrom, type BeatTick, type EntryRecord } from '../../src/beat/entry.ts'
import { Scheduler } from '../../src/beat/scheduler.ts'
import { BeatService, type BeatServiceOptions } from '../../src/beat/service.ts'
import type { ScheduleStore } from '../../src/beat/store.ts'
import { open as openMemory } from '../../src/beat/stores/memory.ts'
import { ManualClock, settled } from './manual-clock.ts'

const running: BeatService[] = []
afterEach(() => Promise.all(running.splice(0).map((one) => one.stop())))

function setup(
  schedules: Record<string, number>,
  changes: Partial<BeatServiceOptions> & { clock?: ManualClock } = {},
) {
  const clock = changes.clock ?? new ManualClock()
  const startMs = clock.now()
  const scheduler = new Scheduler()
  for (const [name, schedule] of Object.entries(schedules)) {
    scheduler.add(entryFrom(name, { task: name, schedule }), startMs)
  }
  const sent: string[] = []
  const ids: string[] = []
  const told: string[] = []
  const service = new BeatService({
    scheduler,
    store: openMemory(),
    ambient: { clock },
    async send(tick) {
      sent.push(`${tick.name}@${(tick.tickMs - startMs) / 1000}`)
      ids.push(tick.id)
    },
    ...changes,
  })
  service.signals.on('failed', ({ tick, error }) =>
    told.push(`failed ${tick.name}: ${(error as Error).message}`),
  )
  service.signals.on('storeFailed', ({ error }) => told.push(`store: ${(error as Error).message}`))
  service.signals.on('leading', ({ isLeading }) => told.push(isLeading ? 'leads' : 'follows'))
  service.signals.on('leftOut', ({ name }) => told.push(`left out ${name}`))
  running.push(service)
  return { clock, scheduler, sent, ids, told, service }
}

/** A memory store that counts, and fails when told. */
function watchedStore(lead?: () => boolean) {
  const inner = openMemory()
  const state = { saves: [] as (readonly EntryRecord[])[], opens: 0, closes: 0, broken: false }
  const guard = (): void => {
    if (state.broken) throw new Error('broken')
  }
  const store: ScheduleStore = {
    name: 'watched',
    async open() {
      guard()
      state.opens++
    },
    async close() {
      state.closes++
    },
    async load() {
      guard()
      return inner.load()
    },
    async save(records) {
      guard()
      state.saves.push(records)
      await inner.save(records)
    },
    ...(lead ? { lead: async () => (guard(), lead()) } : {}),
  }
  return { store, state }
}

describe('beat service', () => {
  it('sends every tick when it is due', async () => {
    const { service, clock, sent, told } = setup({ a: 10, b: 25 })
    await service.start()

    await clock.advance(49_000)

    expect(sent).toEqual(['a@10', 'a@20', 'b@25', 'a@30', 'a@40'])
    expect(told).toEqual(['leads'])
  })

  it('sleeps until the next tick, but no longer than it may', async () => {
    const { service, clock } = setup({ a: 3600 }, { maxSleepMs: 60_000 })
    await service.start()
    await clock.advance(2000)

    expect(clock.waitMs).toBeGreaterThan(30_000)
    expect(clock.waitMs).toBeLessThanOrEqual(60_000)
  })

  it('notices an entry that is added while it sleeps', async () => {
    const { service, clock, sent } = setup({ a: 3600 })
    await service.start()
    await clock.advance(5000)

    service.add(entryFrom('new', { task: 'new', schedule: 10 }))
    await clock.advance(5000)

    expect(sent).toEqual(['new@10'])
  })

  it('sends what could not be sent again, under the same id, in order', async () => {
    let isDown = true
    const got: BeatTick[] = []
    const { service, clock, told } = setup(
      { a: 10 },
      {
        async send(tick) {
          if (isDown) throw new Error('no broker')
          got.push(tick)
        },
      },
    )
    const first = setup({ a: 10 })
    await first.service.start()
    await first.clock.advance(20_000)
    await service.start()
    await clock.advance(25_000)
    expect(told.filter((one) => one === 'failed a: no broker').length).toBeGreaterThan(10)

    isDown = false
    await clock.advance(1000)

    expect(got.map(({ id }) => id)).toEqual(first.ids)
  })

  it('does not let one entry that fails hold up the others', async () => {
    const sent: string[] = []
    const { service, clock } = setup(
      { bad: 10, good: 10 },
      {
        async send({ name }) {
          if (name === 'bad') throw new Error('bad')
          sent.push(name)
        },
      },
    )
    await service.start()

    await clock.advance(30_000)

    expect(sent).toEqual(['good', 'good', 'good'])
  })

  it('catches up after the machine slept', async () => {
    const { service, clock, sent, told } = setup({ a: 10 })
    await service.start()
    await clock.advance(10_000)

    clock.jump(600_000)
    await clock.advance(10_000)

    expect(told).toContain('left out a')
    expect(sent.at(-1)).toBe('a@620')
    expect(sent.length).toBeLessThan(12)
  })

  it('sends nothing twice when the clock is set back', async () => {
    const { service, clock, sent } = setup({ a: 10 })
    await service.start()
    await clock.advance(20_000)

    clock.jump(-15_000)
    await clock.advance(20_000)

    expect(sent).toEqual(['a@10', 'a@20'])
  })
})

describe('what is remembered', () => {
  it('is saved within a second of a tick, and at the end', async () => {
    const { store, state } = watchedStore()
    const { service, clock } = setup({ a: 10 }, { store })
    await service.start()
    await clock.advance(11_000)
    expect(state.saves.at(-1)).toMatchObject([{ name: 'a', totalRunCount: 1 }])

    await clock.advance(9000)
    await service.stop()

    expect(state.saves.at(-1)).toMatchObject([{ name: 'a', totalRunCount: 2 }])
    expect([state.opens, state.closes]).toEqual([1, 1])
  })

  it('is saved for entries that have not run yet', async () => {
    const { store, state } = watchedStore()
    const { service, clock } = setup({ a: 3600 }, { store })
    await service.start()
    await clock.advance(2000)

    expect(state.saves).toHaveLength(1)
    await clock.advance(100_000)
    expect(state.saves).toHaveLength(1)
  })

  it('is saved at once after as many ticks as were asked for', async () => {
    const { store, state } = watchedStore()
    const { service, clock } = setup({ a: 0.1 }, { store, syncEvery: 2 })
    await service.start()
    await clock.advance(999)

    expect(state.saves.length).toBeGreaterThanOrEqual(4)
  })

  it('brings back the ticks that were missed', async () => {
    const store = openMemory()
    const first = setup({ a: 10 }, { store })
    await first.service.start()
    await first.clock.advance(20_000)
    await first.service.stop()

    first.clock.jump(15_000)
    const second = setup({ a: 10 }, { store, clock: first.clock })
    await second.service.start()
    await settled()

    expect(second.sent).toEqual(['a@-5'])
  })

  it('does not stop the ticks when it cannot be saved', async () => {
    const { store, state } = watchedStore()
    const { service, clock, sent, told } = setup({ a: 10 }, { store })
    await service.start()
    await settled()

    state.broken = true
    await clock.advance(30_000)

    expect(sent).toEqual(['a@10', 'a@20', 'a@30'])
    expect(told).toContain('store: broken')
  })
})

describe('several schedulers', () => {
  it('only the leader sends, and whoever takes over goes on', async () => {
    let leader = 0
    const clock = new ManualClock()
    const { store } = watchedStore()
    const one = setup({ a: 10 }, { clock, store: { ...store, lead: async () => leader === 0 } })
    const two = setup({ a: 10 }, { clock, store: { ...store, lead: async () => leader === 1 } })
    await one.service.start()
    await two.service.start()
    await clock.advance(25_000)
    expect([one.sent, two.sent]).toEqual([['a@10', 'a@20'], []])

    leader = -1
    await clock.advance(10_000)
    leader = 1
    await clock.advance(10_000)

    expect(one.sent).toEqual(['a@10', 'a@20'])
    expect(two.sent).toEqual(['a@30', 'a@40'])
    expect([one.told, two.told]).toEqual([['leads', 'follows'], ['leads']])
  })

  it('give doubles the same ids when both send', async () => {
    const clock = new ManualClock()
    const one = setup({ a: 10 }, { clock })
    const two = setup({ a: 10 }, { clock })
    await Promise.all([one.service.start(), two.service.start()])

    await clock.advance(30_000)

    expect(one.ids).toHaveLength(3)
    expect(two.ids).toEqual(one.ids)
  })

  it('wait while the store cannot say who leads', async () => {
    const { store, state } = watchedStore(() => true)
    const { service, clock, sent } = setup({ a: 10 }, { store })
    await service.start()
    await settled()

    state.broken = true
    await clock.advance(15_000)
    expect(sent).toEqual([])
    state.broken = false
    await clock.advance(1000)

    expect(sent).toEqual(['a@10'])
  })
})

describe('its life', () => {
  it('can be started and stopped twice, at once and again', async () => {
    const { store, state } = watchedStore()
    const { service, clock, sent } = setup({ a: 10 }, { store })

    await Promise.all([service.start(), service.start()])
    await Promise.all([service.stop(), service.stop()])
    await service.stop()
    expect([state.opens, state.closes]).toEqual([1, 1])
    expect(clock.waitMs).toBeUndefined()

    await service.start()
    await clock.advance(10_000)
    expect(sent).toEqual(['a@10'])
  })

  it('can be stopped before it was started', async () => {
    const { service } = setup({})

    await service.stop()
  })

  it('says why it cannot start, and can be started later', async () => {
    const { store, state } = watchedStore()
    const { service } = setup({}, { store })
    state.broken = true
    await expect(service.start()).rejects.toThrow('broken')

    state.broken = false

    await service.start()
  })

  it('stops after the tick that is being sent, leaving the rest due', async () => {
    let finish!: () => void
    const got: number[] = []
    const { service, clock, scheduler } = setup(
      { a: 1 },
      {
        send: async ({ tickMs }) => {
          got.push(tickMs)
          await new Promise<void>((resolve) => (finish = resolve))
        },
      },
    )
    const startMs = clock.now()
    await service.start()
    await settled()
    clock.jump(5000)
    await clock.advance(0)

    const stopped = service.stop()
    finish()
    await stopped

    expect(got).toHaveLength(1)
    expect(scheduler.records()[0]?.lastTickMs).toBe(startMs + 1000)
  })
})
