import { describe, expect, it } from '@jest/globals'
import {
  etaText,
  expirationMs,
  expiresText,
  formatIso,
  parseIso,
} from '../../src/protocol/times.ts'

const baseMs = Date.UTC(2030, 0, 2, 3, 4, 5)

describe('reading ISO 8601', () => {
  it.each([
    ['2030-01-02T03:04:05+00:00', baseMs],
    ['2030-01-02T03:04:05', baseMs],
    ['2030-01-02 03:04:05', baseMs],
    ['2030-01-02t03:04:05z', baseMs],
    ['2030-01-02T03:04:05Z', baseMs],
    ['2030-01-02T03:04:05.678900+02:00', baseMs + 678.9 - 7_200_000],
    ['2030-01-02T03:04:05.5Z', baseMs + 500],
    ['2030-01-02T03:04:05,25Z', baseMs + 250],
    ['2030-01-02T03:04:05.123456789Z', baseMs + 123.456],
    ['2030-01-02T03:04:05.000001Z', baseMs + 0.001],
    ['2030-01-02T03:04:05-05:30', baseMs + 19_800_000],
    ['2030-01-02T03:04:05-0530', baseMs + 19_800_000],
    ['2030-01-02T03:04:05+02', baseMs - 7_200_000],
    ['2030-01-02T03:04:05+00:00:30', baseMs - 30_000],
    ['20300102T030405Z', baseMs],
    ['20300102T030405.5+0100', baseMs + 500 - 3_600_000],
    ['2030-01-02T03:04Z', baseMs - 5000],
    ['2030-01-02T03Z', Date.UTC(2030, 0, 2, 3)],
    ['2030-01-02', Date.UTC(2030, 0, 2)],
    ['2030-01-02T24:00:00Z', Date.UTC(2030, 0, 3)],
    ['2024-02-29T00:00:00Z', Date.UTC(2024, 1, 29)],
    ['2000-02-29', Date.UTC(2000, 1, 29)],
    ['0001-01-01T00:00:00', -62_135_596_800_000],
    ['9999-12-31T23:59:59', Date.UTC(9999, 11, 31, 23, 59, 59)],
  ])('%s', (text, expected) => {
    expect(parseIso(text)).toBeCloseTo(expected, 3)
  })

  it.each([
    '',
    'tomorrow',
    '2030',
    '2030-01',
    '2030-1-2',
    '2030-13-01',
    '2030-00-01',
    '2030-02-30',
    '1900-02-29',
    '2030-01-32',
    '2030-01-02X03:04:05',
    '2030-01-02T',
    '2030-01-02T3:04',
    '2030-01-02T25:00:00',
    '2030-01-02T24:00:01',
    '2030-01-02T03:60:00',
    '2030-01-02T03:04:60',
    '2030-01-02T03:04:05.',
    '2030-01-02T03:04:05.x',
    '2030-01-02T03:04:05Zx',
    '2030-01-02T03:04:05+25:00',
    '2030-01-02T03:04:05+',
    '2030-01-02T03:04:05 +00:00',
    '2030-0102T03:04:05',
    '1700000000',
    '0000-01-01',
    '2030-01-02T03:0405',
  ])('refuses %j', (text) => {
    expect(parseIso(text)).toBeUndefined()
  })

  it('agrees with the own parser of this platform over many times', () => {
    for (let ms = -2e13; ms < 2e14; ms += 9_876_543_211) {
      const text = new Date(ms).toISOString()
      expect(parseIso(text)).toBe(ms)
    }
  })
})

describe('writing as Python does', () => {
  it.each([
    [baseMs, '2030-01-02T03:04:05+00:00'],
    [baseMs + 500, '2030-01-02T03:04:05.500000+00:00'],
    [baseMs + 0.001, '2030-01-02T03:04:05.000001+00:00'],
    [baseMs + 999.9996, '2030-01-02T03:04:06+00:00'],
    [-0.5, '1969-12-31T23:59:59.999500+00:00'],
    [-62_135_596_800_000, '0001-01-01T00:00:00+00:00'],
  ])('%d', (ms, expected) => {
    expect(formatIso(ms)).toBe(expected)
  })

  it('keeps microseconds on the way there and back', () => {
    const text = '2026-11-20T08:50:58.827579+00:00'

    expect(formatIso(parseIso(text)!)).toBe(text)
  })

  it.each([NaN, Infinity, 253_402_300_800_000, -62_135_596_800_001])('refuses %d', (ms) => {
    expect(() => formatIso(ms)).toThrow(
      expect.objectContaining({ code: 'TASKS_ARGUMENTS_INVALID' }),
    )
  })
})

describe('eta', () => {
  it.each([
    [{}, undefined],
    [{ countdown: 0 }, undefined],
    [{ eta: '' }, undefined],
    [{ countdown: 10 }, '2030-01-02T03:04:15+00:00'],
    [{ countdown: -1.5 }, '2030-01-02T03:04:03.500000+00:00'],
    [{ countdown: 10, eta: '2031-01-01T00:00:00' }, '2030-01-02T03:04:15+00:00'],
    [{ eta: '2031-01-01T00:00:00' }, '2031-01-01T00:00:00'],
    [{ eta: new Date(baseMs) }, '2030-01-02T03:04:05+00:00'],
  ])('%j', (options, expected) => {
    expect(etaText(options, baseMs)).toBe(expected)
  })

  it.each([
    { countdown: NaN },
    { countdown: Infinity },
    { countdown: '5' as unknown as number },
    { eta: 'soon' },
    { eta: new Date(NaN) },
    { eta: 17 as unknown as string },
  ])('refuses %j', (options) => {
    expect(() => etaText(options, baseMs)).toThrow(
      expect.objectContaining({ code: 'TASKS_ARGUMENTS_INVALID' }),
    )
  })
})

describe('expires', () => {
  it.each([
    [undefined, undefined],
    ['', undefined],
    [0, '2030-01-02T03:04:05+00:00'],
    [60, '2030-01-02T03:05:05+00:00'],
    ['2031-01-01', '2031-01-01'],
    [new Date(baseMs + 1), '2030-01-02T03:04:05.001000+00:00'],
  ])('%j', (expires, expected) => {
    expect(expiresText(expires, baseMs)).toBe(expected)
  })

  it.each([NaN, 'later', new Date(NaN)])('refuses %j', (expires) => {
    expect(() => expiresText(expires, baseMs)).toThrow(
      expect.objectContaining({ code: 'TASKS_ARGUMENTS_INVALID' }),
    )
  })
})

describe('what is left until a task expires', () => {
  it.each([
    ['2030-01-02T03:05:05+00:00', 60_000],
    ['2030-01-02T03:04:05.000999+00:00', 0],
    ['2030-01-02T03:04:04+00:00', 0],
    ['never', undefined],
  ])('%s', (text, expected) => {
    expect(expirationMs(text, baseMs)).toBe(expected)
  })

  it('is exact although times have fractions', () => {
    const nowMs = parseIso('2026-11-20T07:46:12.389388+00:00')!

    expect(expirationMs(expiresText(60, nowMs)!, nowMs)).toBe(60_000)
  })
})
