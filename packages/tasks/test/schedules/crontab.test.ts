import { describe, expect, it } from '@jest/globals'
import {
  fieldRanges,
  parseField,
  type CrontabFieldInput,
} from '../../src/schedules/crontab-field.ts'
import { crontab, type CrontabOptions } from '../../src/schedules/crontab.ts'
import { bruteForce, changesOf, type Fields } from './brute-force.ts'

const at = (text: string): number => Date.parse(text)

function ticks(options: CrontabOptions, zone: string, from: string, count: number): string[] {
  const schedule = crontab(options)
  const found: string[] = []
  let afterMs = at(from)
  while (found.length < count) {
    const tick = schedule.next(afterMs, zone)
    if (tick === undefined) break
    found.push(new Date(tick).toISOString().replace(':00.000Z', 'Z'))
    afterMs = tick
  }
  return found
}

describe('a field', () => {
  it.each<[keyof typeof fieldRanges, CrontabFieldInput, number[]]>([
    ['minute', '5', [5]],
    ['minute', 5, [5]],
    ['minute', '1, 3,2', [1, 2, 3]],
    ['minute', [30, '0-2'], [0, 1, 2, 30]],
    ['minute', new Set([1, 2]), [1, 2]],
    ['minute', '*/15', [0, 15, 30, 45]],
    ['minute', '1-30/5', [1, 6, 11, 16, 21, 26]],
    ['minute', '58-2', [0, 1, 2, 58, 59]],
    ['minute', '55-5/5', [0, 5, 55]],
    ['hour', '0,8-17/2', [0, 8, 10, 12, 14, 16]],
    ['hour', 'mon', [1]],
    ['dayOfWeek', '*', [0, 1, 2, 3, 4, 5, 6]],
    ['dayOfWeek', 'mon-fri', [1, 2, 3, 4, 5]],
    ['dayOfWeek', 'fri-mon', [0, 1, 5, 6]],
    ['dayOfWeek', 'Sunday,WED', [0, 3]],
    ['dayOfMonth', '31-2', [1, 2, 31]],
    ['dayOfMonth', '*/10', [1, 11, 21, 31]],
    ['monthOfYear', 'jan,sept-dec', [1, 9, 10, 11, 12]],
    ['monthOfYear', '2-12/2', [2, 4, 6, 8, 10, 12]],
  ])('%s %j is %j', (name, input, numbers) => {
    expect(parseField(input, fieldRanges[name])).toEqual(numbers)
  })

  it.each<[keyof typeof fieldRanges, CrontabFieldInput, RegExp]>([
    ['minute', '', /minute of a crontab has an empty part/],
    ['minute', '1,,2', /has an empty part/],
    ['minute', [], /is empty/],
    ['minute', '60', /must be from 0 to 59, found 60/],
    ['minute', 60, /must be from 0 to 59/],
    ['minute', 1.5, /must be from 0 to 59, found 1.5/],
    ['minute', -1, /must be from 0 to 59, found -1/],
    ['minute', '-1', /cannot be '-1'/],
    ['minute', '5/10', /a step needs a range, such as '5-59\/10'/],
    ['minute', '*/0', /cannot have the step '0'/],
    ['minute', '*/', /cannot have the step ''/],
    ['minute', '1-5-7', /cannot be '1-5-7'/],
    ['minute', '*/5/2', /cannot be '\*\/5\/2'/],
    ['minute', '?', /cannot be '\?'/],
    ['dayOfWeek', '7', /found 7; Sunday is 0/],
    ['dayOfWeek', 'xyz', /cannot be 'xyz'/],
    ['dayOfWeek', 'mo', /cannot be 'mo'/],
    ['dayOfMonth', '0', /must be from 1 to 31/],
    ['dayOfMonth', 'L', /cannot be 'L'/],
    ['monthOfYear', '13', /must be from 1 to 12/],
  ])('%s refuses %j', (name, input, message) => {
    expect(() => parseField(input, fieldRanges[name])).toThrow(
      expect.objectContaining({
        code: 'TASKS_SCHEDULE_INVALID',
        message: expect.stringMatching(message),
      }),
    )
  })
})

describe('crontab', () => {
  it.each<[string, CrontabOptions, string, string, string[]]>([
    ['every minute', {}, 'UTC', '2024-01-01T00:00:30Z', ['2024-01-01T00:01Z', '2024-01-01T00:02Z']],
    ['strictly after', { minute: 30 }, 'UTC', '2024-01-01T00:30:00Z', ['2024-01-01T01:30Z']],
    [
      'in a zone',
      { hour: 7, minute: 30 },
      'Europe/Warsaw',
      '2024-01-01T00:00:00Z',
      ['2024-01-01T06:30Z', '2024-01-02T06:30Z'],
    ],
    [
      'day and weekday both',
      { hour: 0, minute: 0, dayOfMonth: 13, dayOfWeek: 'fri' },
      'UTC',
      '2024-01-01T00:00:00Z',
      ['2024-09-13T00:00Z', '2024-12-13T00:00Z'],
    ],
    [
      'leap day',
      { hour: 0, minute: 0, dayOfMonth: 29, monthOfYear: 2 },
      'UTC',
      '2024-03-01T00:00:00Z',
      ['2028-02-29T00:00Z', '2032-02-29T00:00Z'],
    ],
    [
      'leap day over 2100',
      { hour: 0, minute: 0, dayOfMonth: 29, monthOfYear: 2 },
      'UTC',
      '2097-01-01T00:00:00Z',
      ['2104-02-29T00:00Z'],
    ],
    [
      'leap day on a Saturday over 2100',
      { hour: 0, minute: 0, dayOfMonth: 29, monthOfYear: 2, dayOfWeek: 'sat' },
      'UTC',
      '2076-02-29T00:00:00Z',
      ['2116-02-29T00:00Z', '2144-02-29T00:00Z'],
    ],
    [
      'thirty-first',
      { hour: 0, minute: 0, dayOfMonth: 31 },
      'UTC',
      '2024-01-31T00:00:00Z',
      ['2024-03-31T00:00Z', '2024-05-31T00:00Z'],
    ],
    [
      'end of year',
      { hour: 23, minute: 59, dayOfMonth: 31, monthOfYear: 12 },
      'UTC',
      '2024-12-31T23:59:00Z',
      ['2025-12-31T23:59Z'],
    ],
    [
      'half-hour zone',
      { hour: 0, minute: 0 },
      'Asia/Kolkata',
      '2024-01-01T00:00:00Z',
      ['2024-01-01T18:30Z'],
    ],
    // Clocks go from 02:00 to 03:00.
    [
      'in the gap',
      { hour: 2, minute: 30 },
      'Europe/Warsaw',
      '2024-03-30T02:00:00Z',
      ['2024-03-31T01:00Z', '2024-04-01T00:30Z'],
    ],
    [
      'twice in the gap',
      { hour: 2, minute: '10,40' },
      'Europe/Warsaw',
      '2024-03-31T00:00:00Z',
      ['2024-03-31T01:00Z', '2024-04-01T00:10Z'],
    ],
    [
      'in the gap and right after',
      { hour: '2-3', minute: 0 },
      'Europe/Warsaw',
      '2024-03-31T00:00:00Z',
      ['2024-03-31T01:00Z', '2024-04-01T00:00Z'],
    ],
    [
      'gap skipped',
      { hour: 2, minute: 30, gap: 'skip' },
      'Europe/Warsaw',
      '2024-03-30T02:00:00Z',
      ['2024-04-01T00:30Z'],
    ],
    [
      'every hour over the gap',
      { minute: 30 },
      'Europe/Warsaw',
      '2024-03-31T00:00:00Z',
      ['2024-03-31T00:30Z', '2024-03-31T01:30Z'],
    ],
    // Clocks go from 03:00 to 02:00.
    [
      'in the repeated hour',
      { hour: 2, minute: 30 },
      'Europe/Warsaw',
      '2024-10-26T12:00:00Z',
      ['2024-10-27T00:30Z', '2024-10-28T01:30Z'],
    ],
    [
      'repeated twice',
      { hour: 2, minute: 30, repeat: 'twice' },
      'Europe/Warsaw',
      '2024-10-26T12:00:00Z',
      ['2024-10-27T00:30Z', '2024-10-27T01:30Z'],
    ],
    [
      'asked within the second time',
      { hour: 2, minute: '*' },
      'Europe/Warsaw',
      '2024-10-27T01:10:00Z',
      ['2024-10-28T01:00Z'],
    ],
    [
      'every half hour over the repeated hour',
      { minute: '*/30' },
      'Europe/Warsaw',
      '2024-10-27T00:00:00Z',
      ['2024-10-27T00:30Z', '2024-10-27T01:00Z', '2024-10-27T01:30Z', '2024-10-27T02:00Z'],
    ],
    [
      'midnight that does not exist',
      { hour: 0, minute: 0 },
      'Africa/Cairo',
      '2024-04-25T12:00:00Z',
      ['2024-04-25T22:00Z', '2024-04-26T21:00Z'],
    ],
    [
      'a day that does not exist',
      { hour: 12, minute: 0 },
      'Pacific/Apia',
      '2011-12-29T00:00:00Z',
      ['2011-12-29T22:00Z', '2011-12-30T10:00Z', '2011-12-30T22:00Z'],
    ],
    [
      'its own zone',
      { hour: 7, minute: 0, timezone: 'Asia/Tokyo' },
      'Europe/Warsaw',
      '2024-01-01T00:00:00Z',
      ['2024-01-01T22:00Z'],
    ],
  ])('%s', (_, options, zone, from, expected) => {
    expect(ticks(options, zone, from, expected.length)).toEqual(expected)
  })

  it('reads the five fields of a line in their order', () => {
    expect(crontab('30 7 1 jan mon-fri').toJSON()).toEqual({
      kind: 'crontab',
      minute: '30',
      hour: '7',
      dayOfMonth: '1',
      monthOfYear: 'jan',
      dayOfWeek: 'mon-fri',
    })
  })

  it.each<[string, () => unknown, RegExp]>([
    ['four fields', () => crontab('* * * *'), /has five fields/],
    ['six fields', () => crontab('* * * * * *'), /has five fields/],
    [
      'a day no month has',
      () => crontab({ dayOfMonth: 30, monthOfYear: 2 }),
      /a day that no month has/,
    ],
    ['an unknown zone', () => crontab({ timezone: 'Mars/Base' }), /no time zone 'Mars\/Base'/],
  ])('refuses %s', (_, make, message) => {
    expect(make).toThrow(
      expect.objectContaining({
        code: 'TASKS_SCHEDULE_INVALID',
        message: expect.stringMatching(message),
      }),
    )
  })
})

describe('against a walk over every minute', () => {
  const zones = [
    'Europe/Warsaw',
    'America/New_York',
    'Australia/Lord_Howe',
    'Africa/Cairo',
    'Africa/Casablanca',
    'Asia/Kathmandu',
  ]
  const from = at('2024-01-01T00:00:00Z') / 60_000
  const until = at('2025-01-01T00:00:00Z') / 60_000
  const patterns: CrontabOptions[] = [
    { minute: 30, hour: 2 },
    { minute: 0, hour: 0 },
    { minute: '*/10' },
    { minute: '*/20', hour: '1-3' },
    { minute: 15, hour: '*/2' },
    { minute: 59, hour: 1, dayOfWeek: 'sun' },
    { minute: 0, hour: '0-22', dayOfMonth: '25-31', monthOfYear: 'mar,oct,apr' },
    { minute: 45, hour: 23, dayOfMonth: 29 },
  ]

  it.each(zones)('%s', (zone) => {
    const changes = changesOf(zone, from, until)
    for (const pattern of patterns) {
      const fields = Object.fromEntries(
        Object.entries(fieldRanges).map(([name, range]) => [
          name,
          parseField(pattern[name as keyof typeof fieldRanges] ?? '*', range),
        ]),
      ) as unknown as Fields
      const expected = bruteForce(fields, changes, until)

      const schedule = crontab(pattern)
      const found: number[] = []
      for (let tick = schedule.next(from * 60_000 - 1, zone); tick! < until * 60_000;) {
        found.push(tick!)
        tick = schedule.next(tick!, zone)
      }

      // Comparing a hundred thousand dates through expect takes longer than finding them.
      const wrong = expected.findIndex((tick, index) => tick !== found[index])
      expect({ pattern, wrong: expected[wrong], count: found.length }).toEqual({
        pattern,
        wrong: undefined,
        count: expected.length,
      })
    }
  })
})
