// One record, one line: the form, the colours, and what is never shown.
import { describe, expect, it } from '@jest/globals'
import type { LogRecord } from '@celeriac/tasks/internal'
import { colours } from '../../src/format/colour.ts'
import { logLine } from '../../src/format/log-line.ts'

const formats = {
  line: '[%(asctime)s: %(levelname)s/%(processName)s] %(message)s',
  task: '%(task_name)s[%(task_id)s]: %(message)s',
}
const timeMs = new Date(2026, 10, 20, 10, 0, 0, 123).getTime()
const record = (changes: Partial<LogRecord> = {}): LogRecord => ({
  level: 'info',
  message: 'ready',
  fields: {},
  timeMs,
  ...changes,
})
const plain = (changes: Partial<LogRecord>) => logLine(record(changes), formats, colours(false))

describe('logLine', () => {
  it('has time, level, process and text', () => {
    expect(plain({})).toBe('[2026-11-20 10:00:00,123: INFO/MainProcess] ready')
    expect(plain({ level: 'warn' })).toContain(': WARNING/MainProcess]')
    expect(logLine(record(), formats, colours(false), 'PoolWorker-7')).toContain('/PoolWorker-7]')
  })

  it('puts fields behind the text', () => {
    expect(plain({ fields: { reason: 'no', count: 2, list: [1] } })).toMatch(
      / ready \(reason: no, count: 2, list: \[1\]\)$/,
    )
    expect(plain({ fields: { error: new Error('gone') } })).toMatch(/\(error: gone\)$/)
  })

  it('uses the other format for what a task writes', () => {
    expect(plain({ fields: { task: 'a.b', id: '1', x: 2 } })).toBe('a.b[1]: ready (x: 2)')
  })

  it('keeps signs that it does not know', () => {
    const line = logLine(record(), { line: '%(nope)s %(message)s', task: '' }, colours(false))

    expect(line).toBe('%(nope)s ready')
  })

  it('shows no password and no secret', () => {
    const text = plain({
      message: 'lost redis://u:s3cret@h/0',
      fields: { url: 'amqp://u:s3cret@h', apiKey: 's3cret' },
    })

    expect(text).not.toContain('s3cret')
    expect(text).toMatch(/redis:\/\/u:\*+@h\/0/)
  })

  it.each([
    ['error', '\u001b[31m'],
    ['warn', '\u001b[33m'],
    ['debug', '\u001b[2m'],
    ['info', '['],
  ] as const)('colours %s', (level, start) => {
    expect(logLine(record({ level }), formats, colours(true)).startsWith(start)).toBe(true)
  })
})
