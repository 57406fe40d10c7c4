import { randomUUID } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterAll, describe, expect, it } from '@jest/globals'
import { Connection, systemAmbient } from '@celeriac/messaging'
import { resultCodec } from '../../src/backend/result-codec.ts'
import { SqliteBackend } from '../../src/backends/sqlite.ts'
import { backendOptions, backendSuite, type OpenOptions } from '../../src/testing/index.ts'

const folder = mkdtempSync(path.join(tmpdir(), 'celeriac-results-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const open = (file: string, options?: OpenOptions): SqliteBackend =>
  new SqliteBackend(backendOptions(`sqlite://${path.join(folder, file)}`, options), systemAmbient())

const { codec } = new Connection('memory://')
const names = ['msgpack', 'pickle', 'yaml']

backendSuite(
  { describe, it },
  {
    name: 'sqlite',
    open: (options) => open('suite.db', options),
    unique: randomUUID,
    codecs: await Promise.all(names.map((name) => resultCodec(codec, name, names))),
  },
)

describe('results in a file', () => {
  it('are there after it was closed', async () => {
    const first = open('kept.db')
    await first.store([{ id: 'a', state: 'SUCCESS', data: '{"status": "SUCCESS"}' }])
    await first.close()
    const second = open('kept.db')

    expect(await second.read(['a'])).toEqual(['{"status": "SUCCESS"}'])
    await second.close()
  })

  it('wake who waits on another connection', async () => {
    const [reader, writer] = [open('bell.db'), open('bell.db')]
    const told = new Promise<unknown>((resolve) => void reader.subscribe('a', resolve))
    await new Promise((resolve) => setTimeout(resolve, 50))
    const began = performance.now()
    await writer.store([{ id: 'a', state: 'SUCCESS', data: 'x' }])

    expect(await told).toBe('x')
    expect(performance.now() - began).toBeLessThan(1000)
    await Promise.all([reader.close(), writer.close()])
  })

  it('are refused when the file is something else', async () => {
    writeFileSync(path.join(folder, 'other.db'), 'this is no database, and long enough to tell')
    const backend = open('other.db')

    await expect(backend.open()).rejects.toMatchObject({ code: 'TASKS_BACKEND_FAILED' })
    await backend.close()
  })

  it('cannot be asked for after the end', async () => {
    const backend = open('ended.db')
    await backend.close()

    await expect(backend.read(['a'])).rejects.toMatchObject({ code: 'TASKS_STOPPED' })
  })
})
