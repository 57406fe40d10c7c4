// Names of levels, and the file of a log.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { expect, it } from '@jest/globals'
import { levelArgument, openLog } from '../src/logging.ts'

it.each([
  ['DEBUG', 'debug'],
  ['info', 'info'],
  ['WARNING', 'warn'],
  ['warn', 'warn'],
  ['Critical', 'error'],
  ['fatal', 'error'],
])('the level %s is %s', (text, level) => {
  expect(levelArgument(text)).toBe(level)
})

it('refuses a level that is none, with a suggestion', () => {
  expect(() => levelArgument('warnign')).toThrow(/Did you mean 'warning'\? Known: debug, info/)
})

it('appends to its file, from its level on', () => {
  const folder = mkdtempSync(path.join(tmpdir(), 'celeriac-log-'))
  const file = path.join(folder, 'a.log')
  const formats = { line: '%(levelname)s %(message)s', task: '%(task_name)s %(message)s' }
  try {
    for (const text of ['one', 'two']) {
      const log = openLog({ level: 'info', formats, file, color: false, process: 'MainProcess' })
      log.debug('hidden')
      log.info(text)
    }
    expect(readFileSync(file, 'utf8')).toBe('INFO one\nINFO two\n')
  } finally {
    rmSync(folder, { recursive: true })
  }
})

it('says that it cannot write', () => {
  const formats = { line: '', task: '' }
  const file = '/no/such/folder/a.log'

  expect(() =>
    openLog({ level: 'info', formats, file, color: false, process: 'MainProcess' }),
  ).toThrow(/cannot write the log/)
})
