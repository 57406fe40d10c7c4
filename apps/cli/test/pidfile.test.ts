// One process for one pid file.
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterEach, beforeEach, expect, it } from '@jest/globals'
import { takePidfile } from '../src/pidfile.ts'

let folder: string
let file: string

beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'celeriac-pid-'))
  file = path.join(folder, 'a.pid')
})

afterEach(() => rmSync(folder, { recursive: true }))

it('holds the id until it is removed', () => {
  const remove = takePidfile(file)
  expect(readFileSync(file, 'utf8')).toBe(`${process.pid}\n`)

  remove()
  expect(existsSync(file)).toBe(false)
})

it('refuses while the other process lives', () => {
  writeFileSync(file, `${process.ppid}\n`)

  expect(() => takePidfile(file)).toThrow(new RegExp(`process ${process.ppid} .*is running`))
})

it.each(['2147483646', 'no number', ''])('takes over a file with %p in it', (text) => {
  writeFileSync(file, text)

  takePidfile(file)

  expect(readFileSync(file, 'utf8')).toBe(`${process.pid}\n`)
})

it('leaves the file of whoever took it over', () => {
  const remove = takePidfile(file)
  writeFileSync(file, '1\n')

  remove()

  expect(readFileSync(file, 'utf8')).toBe('1\n')
})

it('says that it cannot write', () => {
  expect(() => takePidfile('/no/such/folder/a.pid')).toThrow(/cannot write the pid file/)
})
