/** Results in SQL as far as no server is needed; its suite runs in test-integration. */
import { describe, expect, it } from '@jest/globals'
import { systemAmbient } from '@celeriac/messaging'
import { sqlAddress } from '../../src/backends/sql/address.ts'
import { readGroup, writeGroup } from '../../src/backends/sql/groups.ts'
import { loadKysely } from '../../src/backends/sql/kysely.ts'
import { loadMysql } from '../../src/backends/sql/mysql-link.ts'
import { recordOf, rowOf, utcText } from '../../src/backends/sql/rows.ts'
import { placesOf } from '../../src/backends/sql/tables.ts'
import { makeBackend } from '../../src/backends/index.ts'
import { jsonResults } from '../../src/backend/result-codec.ts'
import type { Config } from '../../src/config/options.ts'
import { backendOptions } from '../../src/testing/index.ts'

const addressOf = (
  url: string,
  config: Partial<Config> = {},
  options: Readonly<Record<string, unknown>> = {},
) => sqlAddress({ url, config, options })

describe('the address of a database', () => {
  it.each([
    ['postgresql://u:p%40w@h:1/db', 'postgresql', 'h', 1, 'u', 'p@w', 'db'],
    ['postgres://h/db', 'postgresql', 'h', 5432, undefined, undefined, 'db'],
    ['db+postgresql+psycopg2://h/db', 'postgresql', 'h', 5432, undefined, undefined, 'db'],
    ['db+mysql+pymysql://u@h/db', 'mysql', 'h', 3306, 'u', undefined, 'db'],
    ['mariadb://h:3307/db', 'mysql', 'h', 3307, undefined, undefined, 'db'],
    ['DB+MariaDB+mariadbconnector://h/db', 'mysql', 'h', 3306, undefined, undefined, 'db'],
  ])('%s', (url, kind, host, port, username, password, path) => {
    expect(addressOf(url)).toMatchObject({
      kind,
      target: { scheme: kind, host, port, username, password, path },
    })
  })

  it('is a file for SQLite: from the working directory or from the root', () => {
    expect(addressOf('db+sqlite:///results.db')).toMatchObject({
      file: `${process.cwd()}/results.db`,
    })
    expect(addressOf('db+sqlite:////var/results.db?x=1')).toMatchObject({
      file: '/var/results.db',
    })
  })

  it('comes from databaseUrl for the names that Celery has', () => {
    const config = { databaseUrl: 'mysql+pymysql://h/db' }

    for (const url of ['database', 'db'])
      expect(addressOf(url, config)).toMatchObject({ kind: 'mysql', target: { path: 'db' } })
    expect(() => addressOf('database')).toThrow('databaseUrl')
  })

  it('takes the arguments of a driver by both spellings', () => {
    const connectArgs = { connect_timeout: 3, sslmode: 'require' }
    for (const name of ['connectArgs', 'connect_args']) {
      const address = addressOf('postgresql://h/db', {
        databaseEngineOptions: { [name]: connectArgs },
      })
      expect(address).toMatchObject({
        target: { options: { connectTimeout: 3, sslmode: 'require' } },
      })
    }
  })

  it.each([
    ['postgresql://u:s3cr3t@h:99999/db', {}, /scheme:\/\//],
    ['database', { databaseUrl: 'oracle://u:s3cr3t@h/db' }, /oracle.*postgresql/],
    ['mysql://u:s3cr3t@h', {}, /no database/],
    ['db+sqlite://', {}, /file/],
    ['db+sqlite:///:memory:', {}, /file/],
    ['postgresql://h/db', { databaseEngineOptions: { poolRecylce: 1 } }, /poolRecycle/],
  ])('is refused: %s', (url, config, why) => {
    const refuse = (): unknown => addressOf(url, config)

    expect(refuse).toThrow(expect.objectContaining({ code: 'TASKS_CONFIG_INVALID' }))
    expect(refuse).toThrow(why)
    expect(refuse).not.toThrow(/s3cr3t/)
  })

  it('is known to the shelf with any driver, and only where there are drivers', async () => {
    const make = (url: string) => makeBackend(backendOptions(url), systemAmbient())

    expect((await make('db+postgresql+asyncpg://h/db')).name).toBe('database')
    await expect(make('redis+psycopg2://h')).rejects.toMatchObject({ code: 'TASKS_CONFIG_INVALID' })
    await expect(make('mysql://h/db?ssl_verify=1')).rejects.toMatchObject({
      code: 'TASKS_CONFIG_INVALID',
      message: expect.stringContaining('ssl_verify'),
    })
  })
})

describe('names of tables', () => {
  it('are settings', () => {
    const { task, group } = placesOf({
      databaseTableNames: { task: 'mine' },
      databaseTableSchemas: { group: 'apart' },
    })

    expect(task).toMatchObject({ name: 'mine', schema: undefined, sequence: 'task_id_sequence' })
    expect(group).toMatchObject({ name: 'celery_tasksetmeta', schema: 'apart' })
  })

  it.each([{ tasks: 'x' }, { task: '' }, { group: 1 }])('are refused: %j', (names) => {
    expect(() => placesOf({ databaseTableNames: names })).toThrow("for 'task' and 'group'")
  })
})

describe('missing packages', () => {
  it('are named, with what installs them', async () => {
    const missing = () => Promise.reject(new Error('not found'))

    await expect(loadKysely(missing)).rejects.toThrow('npm install kysely@')
    await expect(loadMysql(missing)).rejects.toThrow('npm install mysql2@')
  })
})

const plain = {
  taskId: 'a',
  status: 'SUCCESS',
  result: { x: [1, 'é'] },
  traceback: null,
  children: null,
  dateDone: '2026-01-02T05:04:05.678901+02:00',
}

describe('a row', () => {
  it('has what it has columns for, and times in UTC', () => {
    const row = rowOf(plain, jsonResults)

    expect(row).toMatchObject({ status: 'SUCCESS', date_done: '2026-01-02 03:04:05.678901' })
    expect(recordOf(row, jsonResults)).toEqual({
      ...plain,
      dateDone: '2026-01-02T03:04:05.678901+00:00',
    })
  })

  it.each([
    [null, null],
    ['yesterday', null],
    ['2026-13-01T00:00:00', null],
    ['2026-01-02T03:04:05', '2026-01-02 03:04:05.000000'],
    ['2026-01-02T03:04:05.5Z', '2026-01-02 03:04:05.500000'],
    ['2026-01-01T00:30:00.123456789+0100', '2025-12-31 23:30:00.123456'],
  ])('keeps the time %s as %s', (iso, text) => {
    expect(utcText(iso)).toBe(text)
  })

  it('keeps texts in their columns', () => {
    const extended = {
      name: 'n'.repeat(200),
      args: [],
      kwargs: {},
      worker: '😀'.repeat(200),
      retries: 0,
      queue: 'a\0b',
    }
    const row = rowOf({ ...plain, traceback: 'x\0y', extended }, jsonResults)

    expect(row.traceback).toBe('x\uFFFDy')
    expect(row.name).toBe('n'.repeat(155))
    expect(row.worker).toBe('😀'.repeat(155))
    expect(row.queue).toBe('a\uFFFDb')
    expect(() => rowOf({ ...plain, taskId: 'x'.repeat(156) }, jsonResults)).toThrow(
      expect.objectContaining({ code: 'MESSAGING_TOO_LARGE' }),
    )
  })

  it('reads exceptions that Python pickled, and no other class', () => {
    // KeyError('k') and shop.errors.Declined('no', 5), as Python 3.11 pickles them.
    const key = 'gASVIQAAAAAAAACMCGJ1aWx0aW5zlIwIS2V5RXJyb3KUk5SMAWuUhZRSlC4='
    const own = 'gASVJwAAAAAAAACMC3Nob3AuZXJyb3JzlIwIRGVjbGluZWSUk5SMAm5vlEsFhpRSlC4='
    const row = (status: string, base64: string) => ({
      ...rowOf(plain, jsonResults),
      status,
      result: Buffer.from(base64, 'base64'),
    })

    expect(recordOf(row('FAILURE', key), jsonResults).result).toEqual({
      exc_type: 'KeyError',
      exc_message: ['k'],
      exc_module: 'builtins',
    })
    expect(recordOf(row('RETRY', own), jsonResults).result).toEqual({
      exc_type: 'Declined',
      exc_message: ['no', 5],
      exc_module: 'shop.errors',
    })
    expect(() => recordOf(row('SUCCESS', own), jsonResults)).toThrow(
      expect.objectContaining({ code: 'TASKS_RESULT_INVALID' }),
    )
  })
})

describe('a saved group', () => {
  const tree = [
    ['g', [['before', null], null]],
    [
      [['m1', null], null],
      [['m2', [['p', null], null]], null],
      [['inner', null], [[['m3', null], null]]],
    ],
  ] as const

  it('comes back as it was', () => {
    expect(readGroup(writeGroup(tree))).toEqual(tree)
  })

  it.each([
    // Of an app: a group of m1 and of m2 that followed p.
    [
      'an app',
      'g',
      'gAWVUgEAAAAAAACMD2NlbGVyeS5hcHAuYmFzZZSMEV91bnBpY2tsZV9hcHBhdHRylJOUjAtHcm91cFJlc3VsdJSMAWeUXZQoaAKMC0FzeW5jUmVzdWx0lCiMAm0xlIwUY2VsZXJ5LmJhY2tlbmRzLmJhc2WUjBB1bnBpY2tsZV9iYWNrZW5klJOUjBhjZWxlcnkuYmFja2VuZHMuZGF0YWJhc2WUjA9EYXRhYmFzZUJhY2tlbmSUk5QpfZQojAVkYnVyaZSMF3NxbGl0ZTovLy8vdG1wL3Byb2JlLmRilIwHZXhwaXJlc5SMCGRhdGV0aW1llIwJdGltZWRlbHRhlJOUSwFLAEsAh5RSlIwOZW5naW5lX29wdGlvbnOUfZR1h5RSlE5OTnSUhpRSlGgCaAYojAJtMpRoGk5OaAJoBiiMAXCUaBpOTk50lIaUUpR0lIaUUpRlhpSGlFKULg==',
      [['m1', null], null],
      [['m2', [['p', null], null]], null],
    ],
    // Of no app in particular: a group of m1.
    [
      'the module',
      'h',
      'gAWVEQEAAAAAAACMDWNlbGVyeS5yZXN1bHSUjAtHcm91cFJlc3VsdJSTlIwBaJRdlGgAjAtBc3luY1Jlc3VsdJSTlCiMAm0xlIwUY2VsZXJ5LmJhY2tlbmRzLmJhc2WUjBB1bnBpY2tsZV9iYWNrZW5klJOUjBhjZWxlcnkuYmFja2VuZHMuZGF0YWJhc2WUjA9EYXRhYmFzZUJhY2tlbmSUk5QpfZQojAVkYnVyaZSMF3NxbGl0ZTovLy8vdG1wL3Byb2JlLmRilIwHZXhwaXJlc5SMCGRhdGV0aW1llIwJdGltZWRlbHRhlJOUSwFLAEsAh5RSlIwOZW5naW5lX29wdGlvbnOUfZR1h5RSlE5OTnSUUpRhhpRSlC4=',
      [['m1', null], null],
    ],
  ])('of Python is read: made by %s', (_maker, id, base64, ...members) => {
    expect(readGroup(Buffer.from(base64, 'base64'))).toEqual([[id, null], members])
  })

  it.each([
    ['no pickle', Buffer.from('nothing')],
    ['no group', Buffer.from('gASVBQAAAAAAAACMAXiULg==', 'base64')],
  ])('is refused: %s', (_what, bytes) => {
    expect(() => readGroup(bytes)).toThrow(
      expect.objectContaining({ code: 'TASKS_RESULT_INVALID' }),
    )
  })
})
