import { describe, expect, it } from '@jest/globals'
import type { Schedule } from '../../src/schedule/schedule.ts'
import { crontab } from '../../src/schedules/crontab.ts'
import { scheduleFrom, schedules } from '../../src/schedules/index.ts'
import { interval } from '../../src/schedules/interval.ts'
import { scheduleSuite } from '../../src/testing/schedule-suite.ts'

const samples: Record<keyof typeof schedules, Record<string, Schedule>> = {
  interval: {
    'every 10 s': interval(10),
    'every tenth of a second': interval(0.1),
    'every day from noon': interval(86_400, { anchor: 43_200 }),
    'every two days at midnight': interval(2 * 86_400, { relative: true }),
  },
  crontab: {
    'every minute': crontab(),
    'on working days': crontab('30 7 * * mon-fri'),
    'at night': crontab({ hour: 2, minute: [0, 30] }),
    'on leap days': crontab({ hour: 0, minute: 0, dayOfMonth: 29, monthOfYear: 2 }),
    'in a zone of its own': crontab({
      hour: 2,
      minute: 30,
      timezone: 'Asia/Tehran',
      gap: 'skip',
      repeat: 'twice',
    }),
  },
}

for (const [kind, some] of Object.entries(samples)) {
  for (const [name, schedule] of Object.entries(some)) {
    scheduleSuite({ describe, it }, { name: `${kind}, ${name}`, schedule, fromJson: scheduleFrom })
  }
}

describe('interval', () => {
  const day = 86_400

  it.each<[string, Schedule, string, string, string]>([
    ['on the grid', interval(30), 'UTC', '2024-01-01T00:00:10Z', '2024-01-01T00:00:30.000Z'],
    ['strictly after', interval(30), 'UTC', '2024-01-01T00:00:30Z', '2024-01-01T00:01:00.000Z'],
    ['fractions', interval(0.25), 'UTC', '2024-01-01T00:00:00.3Z', '2024-01-01T00:00:00.500Z'],
    [
      'anchor',
      interval(60, { anchor: 7 }),
      'UTC',
      '2024-01-01T00:00:00Z',
      '2024-01-01T00:00:07.000Z',
    ],
    [
      'zones do not matter',
      interval(3600),
      'Europe/Warsaw',
      '2024-10-27T00:00:00Z',
      '2024-10-27T01:00:00.000Z',
    ],
    [
      'days in UTC',
      interval(day),
      'Europe/Warsaw',
      '2024-01-01T12:00:00Z',
      '2024-01-02T00:00:00.000Z',
    ],
    [
      'relative days',
      interval(day, { relative: true }),
      'Europe/Warsaw',
      '2024-01-01T12:00:00Z',
      '2024-01-01T23:00:00.000Z',
    ],
    [
      'relative days over a change',
      interval(day, { relative: true }),
      'Europe/Warsaw',
      '2024-03-30T23:30:00Z',
      '2024-03-31T22:00:00.000Z',
    ],
    [
      'midnight that does not exist',
      interval(day, { relative: true }),
      'Africa/Cairo',
      '2024-04-25T12:00:00Z',
      '2024-04-25T22:00:00.000Z',
    ],
    [
      'midnight that comes twice',
      interval(day, { relative: true }),
      'America/Havana',
      '2024-11-03T04:00:00Z',
      '2024-11-04T05:00:00.000Z',
    ],
    [
      'relative hours',
      interval(7200, { relative: true }),
      'UTC',
      '2024-01-01T01:30:00Z',
      '2024-01-01T02:00:00.000Z',
    ],
  ])('%s', (_, schedule, zone, after, next) => {
    expect(new Date(schedule.next(Date.parse(after), zone)!).toISOString()).toBe(next)
  })

  it.each([0, -1, NaN, Infinity, 0.0001])('refuses %s', (every) => {
    expect(() => interval(every)).toThrow(/at least 0.001/)
  })
})

describe('scheduleFrom', () => {
  it('reads numbers, lines, schedules and JSON', () => {
    const own = crontab()

    expect(scheduleFrom(own)).toBe(own)
    expect(scheduleFrom(30).toJSON()).toEqual({ kind: 'interval', every: 30 })
    expect(scheduleFrom(30, { relative: true }).toJSON()).toMatchObject({ relative: true })
    expect(scheduleFrom('*/5 * * * *').toJSON()).toMatchObject({ kind: 'crontab', minute: '*/5' })
  })

  it('knows schedules that a user adds to the table', () => {
    const mine = Object.assign(crontab(), { kind: 'mine' }) as Schedule

    expect(scheduleFrom({ kind: 'mine' }, { table: { ...schedules, mine: () => mine } })).toBe(mine)
  })

  it.each<[string, unknown, RegExp]>([
    ['an unknown kind', { kind: 'lunar' }, /no kind of schedule 'lunar'; known: interval, crontab/],
    ['an inherited kind', { kind: 'toString' }, /no kind of schedule 'toString'/],
    ['null', null, /a schedule is a number of seconds/],
    ['a mapping', {}, /a schedule is a number of seconds/],
  ])('refuses %s', (_, value, message) => {
    expect(() => scheduleFrom(value)).toThrow(message)
  })
})
