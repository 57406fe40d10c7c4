import { describe, expect, it } from '@jest/globals'
import { entryFrom, tickOf } from '../../src/beat/entry.ts'
import type { BeatEntrySetting } from '../../src/config/options/structures.ts'
import { crontab } from '../../src/schedules/crontab.ts'

describe('entryFrom', () => {
  it('fills in what is left out', () => {
    const entry = entryFrom('a', { task: 'tasks.a', schedule: 30 })

    expect({ ...entry, schedule: entry.schedule.toJSON() }).toEqual({
      name: 'a',
      task: 'tasks.a',
      schedule: { kind: 'interval', every: 30 },
      args: [],
      kwargs: {},
      options: {},
      enabled: true,
    })
  })

  it('takes tasks, schedules and relative intervals', () => {
    const schedule = crontab()

    expect(entryFrom('a', { task: { name: 'tasks.a' }, schedule })).toMatchObject({
      task: 'tasks.a',
      schedule,
    })
    expect(
      entryFrom('a', { task: 't', schedule: 86_400, relative: true }).schedule.toJSON(),
    ).toMatchObject({ relative: true })
  })

  it.each<[string, unknown, RegExp]>([
    ['no task', { task: '', schedule: 1 }, /task must be a task or a name/],
    [
      'a bad schedule',
      { task: 't', schedule: 0 },
      /entry 'x' of beatSchedule: an interval must be/,
    ],
    ['a bad crontab', { task: 't', schedule: '* * 7' }, /has five fields/],
    ['args that are none', { task: 't', schedule: 1, args: {} }, /args must be a list/],
    ['kwargs that are none', { task: 't', schedule: 1, kwargs: [] }, /kwargs must be a mapping/],
    ['options that are none', { task: 't', schedule: 1, options: 5 }, /options must be a mapping/],
  ])('refuses %s', (_, setting, message) => {
    expect(() => entryFrom('x', setting as BeatEntrySetting)).toThrow(
      expect.objectContaining({
        code: 'TASKS_CONFIG_INVALID',
        message: expect.stringMatching(message),
      }),
    )
  })
})

describe('tickOf', () => {
  const entry = entryFrom('a', { task: 't', schedule: 30, args: [1], options: { queue: 'q' } })

  it('is complete', () => {
    expect(tickOf(entry, 30_000, '')).toEqual({
      id: expect.stringMatching(
        /^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/,
      ),
      name: 'a',
      task: 't',
      args: [1],
      kwargs: {},
      options: { queue: 'q' },
      tickMs: 30_000,
    })
  })

  it('has an id that everybody finds, and only for this run', () => {
    const { id } = tickOf(entry, 30_000, 'app')
    const same = entryFrom('a', { task: 't', schedule: 30, args: ['other'] })

    expect(tickOf(same, 30_000, 'app').id).toBe(id)
    const others = [
      tickOf(entry, 60_000, 'app').id,
      tickOf(entry, 30_000, 'other app').id,
      tickOf({ ...entry, name: 'b' }, 30_000, 'app').id,
      tickOf({ ...entry, task: 'u' }, 30_000, 'app').id,
    ]
    expect(new Set([id, ...others]).size).toBe(5)
  })

  it('asks functions for arguments each time', () => {
    let count = 0
    const lazy = entryFrom('a', {
      task: 't',
      schedule: 30,
      args: () => [++count],
      kwargs: () => ({ count }),
    })

    expect([tickOf(lazy, 1, ''), tickOf(lazy, 2, '')]).toMatchObject([
      { args: [1], kwargs: { count: 1 } },
      { args: [2], kwargs: { count: 2 } },
    ])
  })
})
