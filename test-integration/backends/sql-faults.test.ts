// Results in SQL when things go wrong: servers, links, logins, tables, values.
import { randomUUID } from 'node:crypto'
import { systemAmbient, silentLogger } from '@celeriac/messaging'
import { FaultProxy } from '@celeriac/messaging/testing'
import { makeBackend } from '@celeriac/tasks/internal'
import { backendOptions } from '@celeriac/tasks/testing'
import { afterEach, describe, expect, it } from '@jest/globals'
import { pause, until } from '../fixtures/crash-rounds.ts'
import { databases, type DatabasePlace } from '../fixtures/databases.ts'
import {
  describeWith,
  startPrivateMariadb,
  startPrivatePostgres,
  urlOf,
  type ControlledServer,
} from '../services/brokers.ts'

type Backend = Awaited<ReturnType<typeof makeBackend>>
type Config = Parameters<typeof makeBackend>[0]['config']

const cleanups: (() => Promise<unknown> | void)[] = []

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup()
})

async function backendOn(
  url: string,
  config: Config = {},
  options: Readonly<Record<string, unknown>> = {},
): Promise<Backend> {
  const given = backendOptions(url, {}, { config, options })
  const backend = await makeBackend(given, systemAmbient({ log: silentLogger }))
  cleanups.push(() => backend.close())
  return backend
}

async function placeOf(kind: keyof typeof databases): Promise<DatabasePlace & { config: Config }> {
  const place = await databases[kind]()
  cleanups.push(() => place.remove())
  const { schema } = place
  const config =
    schema === undefined ? {} : { databaseTableSchemas: { task: schema, group: schema } }
  return { ...place, config }
}

async function proxyTo(url: string): Promise<FaultProxy> {
  const proxy = await FaultProxy.to(url)
  cleanups.push(() => proxy.close())
  return proxy
}

async function store(backend: Backend, taskId: string, result: unknown, status = 'SUCCESS') {
  const dateDone = new Date().toISOString()
  const data = backend.encode({
    taskId,
    status,
    result,
    traceback: null,
    children: null,
    dateDone,
  })
  await backend.store([{ id: taskId, state: status, data }])
}

async function valueOf(backend: Backend, id: string): Promise<unknown> {
  const [data] = await backend.read([id])
  return data && backend.decode(data).result
}

/** Subscribed when it resolves; then the value of the first record somebody is told of. */
async function waiting(
  backend: Backend,
  id: string,
): Promise<{ readonly value: Promise<unknown> }> {
  let settle!: (value: unknown) => void
  const value = new Promise<unknown>((resolve) => (settle = resolve))
  const end = await backend.subscribe(id, (data) => settle(backend.decode(data).result))
  return { value: value.finally(end) }
}

const failed = { code: 'TASKS_BACKEND_FAILED' }

async function rejection(work: Promise<unknown>): Promise<Error & { code?: string }> {
  return await work.then(
    () => new Error('it did not reject'),
    (error: unknown) => error as Error,
  )
}

const nobody = 'celeriac:s3cr3t@127.0.0.1:1/celeriac'

describe('a database that is not there', () => {
  it.each([`postgresql://${nobody}`, `db+mysql+pymysql://${nobody}`])(
    'is told within the deadline, without the password: %s',
    async (url) => {
      const backend = await backendOn(url, {}, { timeout: 1 })
      const began = performance.now()

      const error = await rejection(backend.read(['a']))

      expect(performance.now() - began).toBeLessThan(2500)
      expect(error).toMatchObject(failed)
      expect(`${error.message} ${error.stack ?? ''}`).not.toContain('s3cr3t')
    },
  )
})

for (const [kind, service, start] of [
  ['postgres', 'postgres', startPrivatePostgres],
  ['mariadb', 'mariadb', startPrivateMariadb],
] as const) {
  describeWith(service, `results on ${kind} when things go wrong`, () => {
    it('are refused at once with a wrong password, which is not shown', async () => {
      const url = new URL(urlOf(service))
      url.password = 's3cr3t'
      const backend = await backendOn(url.href)
      const began = performance.now()

      const error = await rejection(backend.read(['a']))

      expect(error).toMatchObject({
        ...failed,
        cause: { code: 'MESSAGING_AUTHENTICATION_FAILED', fault: 'fatal' },
      })
      expect(performance.now() - began).toBeLessThan(2000)
      expect(`${error.message} ${error.stack ?? ''}`).not.toContain('s3cr3t')
    })

    it('are given up by the deadline when nobody answers, and are there again after', async () => {
      const place = await placeOf(kind)
      const proxy = await proxyTo(place.url.replace(/^db\+/, '').replace(/\+\w+:/, ':'))
      const backend = await backendOn(proxy.through(place.url), place.config, { timeout: 1 })
      const id = randomUUID()
      await store(backend, id, 1)

      proxy.setMode('blackhole')
      const began = performance.now()
      expect(await rejection(backend.read([id]))).toMatchObject(failed)
      expect(performance.now() - began).toBeLessThan(2500)

      proxy.setMode('pass')
      expect(await valueOf(backend, id)).toBe(1)
    })

    it('go on after the link was cut, in the middle of waiting', async () => {
      const place = await placeOf(kind)
      const proxy = await proxyTo(place.url.replace(/^db\+/, '').replace(/\+\w+:/, ':'))
      const reader = await backendOn(proxy.through(place.url), place.config)
      const writer = await backendOn(place.url, place.config)
      const ids = [randomUUID(), randomUUID()] as const
      const values = await Promise.all(ids.map((id) => waiting(reader, id)))
      await store(writer, ids[0], 1)
      expect(await values[0]!.value).toBe(1)

      proxy.breakAll()
      await store(writer, ids[1], 2)

      expect(await values[1]!.value).toBe(2)
      expect(await valueOf(reader, ids[0])).toBe(1)
    })

    it('come to who waits when the server was restarted in between', async () => {
      const server: ControlledServer = await start()
      cleanups.push(() => server.dispose())
      const reader = await backendOn(server.url)
      const writer = await backendOn(server.url, {}, { timeout: 20 })
      const [before, after] = [randomUUID(), randomUUID()]
      await store(writer, before, 1)
      const { value } = await waiting(reader, after)

      await server.kill9()
      // The deadline is longer than the outage: the writer does not even notice.
      const storing = store(writer, after, 2)
      await pause(500)
      await server.start()
      await storing

      expect(await value).toBe(2)
      expect(await valueOf(reader, before)).toBe(1)
    })

    it('are made once when many come first at the same time, and again when they are gone', async () => {
      const place = await placeOf(kind)
      const all = await Promise.all(
        Array.from({ length: 8 }, () => backendOn(place.url, place.config)),
      )
      await Promise.all(all.map((one) => one.open()))
      await Promise.all(all.map((one, i) => store(one, `id-${i}`, i)))
      expect(await Promise.all(all.map((one, i) => valueOf(one, `id-${i}`)))).toEqual([
        0, 1, 2, 3, 4, 5, 6, 7,
      ])

      const [first] = all
      const prefix = place.schema === undefined ? '' : `${place.schema}.`
      await place.query(`DROP TABLE ${prefix}celery_taskmeta`)
      expect(await rejection(first!.read(['id-1']))).toMatchObject(failed)
      expect(await first!.read(['id-1'])).toEqual([undefined])
    })

    it('never replace a success, whoever of many writes last', async () => {
      const place = await placeOf(kind)
      const all = await Promise.all(
        Array.from({ length: 4 }, () => backendOn(place.url, place.config)),
      )
      const ids = Array.from({ length: 50 }, () => randomUUID())
      await Promise.all(ids.map((id) => store(all[0]!, id, 'first')))

      // In opposite orders, at the same time: rows that lock each other must not stop it.
      const again = all.flatMap((one, i) =>
        (i % 2 ? ids : ids.toReversed()).map((id) =>
          store(one, id, i, i % 2 ? 'FAILURE' : 'SUCCESS'),
        ),
      )
      await Promise.all(again)

      for (const id of ids) expect(await valueOf(all[1]!, id)).toBe('first')
    })

    it('keep no link open between operations when sessions are short', async () => {
      const place = await placeOf(kind)
      const proxy = await proxyTo(place.url.replace(/^db\+/, '').replace(/\+\w+:/, ':'))
      const backend = await backendOn(proxy.through(place.url), {
        ...place.config,
        databaseShortLivedSessions: true,
      })
      const id = randomUUID()
      await store(backend, id, 1)
      const { value } = await waiting(backend, id)

      expect(await value).toBe(1)
      expect(await until(() => proxy.open === 0, 2000)).toBe(true)
    })
  })
}

describeWith('postgres', 'results on PostgreSQL', () => {
  it('wake who waits in another process at once', async () => {
    const place = await placeOf('postgres')
    const [reader, writer] = [
      await backendOn(place.url, place.config),
      await backendOn(place.url, place.config),
    ]
    const id = randomUUID()
    await store(writer, 'warm', 1)
    const { value } = await waiting(reader, id)
    // Until it looks only twice a second.
    await pause(3000)
    const began = performance.now()

    await store(writer, id, 'now')

    expect(await value).toBe('now')
    expect(performance.now() - began).toBeLessThan(200)
  })

  it('wake again when the link was lost on which they are heard', async () => {
    const place = await placeOf('postgres')
    const proxy = await proxyTo(place.url.replace(/^db\+/, '').replace(/\+\w+:/, ':'))
    const reader = await backendOn(proxy.through(place.url), place.config)
    const writer = await backendOn(place.url, place.config)
    const id = randomUUID()
    const { value } = await waiting(reader, id)
    expect(await until(() => proxy.open === 2, 2000)).toBe(true)

    proxy.breakAll()
    // One that looks, one that listens.
    expect(await until(() => proxy.accepted === 4 && proxy.open === 2, 5000)).toBe(true)
    await pause(2500)
    const began = performance.now()
    await store(writer, id, 'now')

    expect(await value).toBe('now')
    expect(performance.now() - began).toBeLessThan(200)
  })

  it('need the columns that resultExtended fills', async () => {
    const place = await placeOf('postgres')
    await place.query(
      `CREATE TABLE ${place.schema}.celery_taskmeta (id serial primary key, task_id varchar(155) unique,
       status varchar(50), result bytea, date_done timestamp, traceback text)`,
    )

    const extended = await backendOn(place.url, { ...place.config, resultExtended: true })
    expect(await rejection(extended.open())).toMatchObject({
      code: 'TASKS_CONFIG_INVALID',
      message: expect.stringMatching(/kwargs.*resultExtended/),
    })
    const plain = await backendOn(place.url, place.config)
    await store(plain, 'a', 1)
    expect(await valueOf(plain, 'a')).toBe(1)
  })

  it('say which schema is not there', async () => {
    const backend = await backendOn(urlOf('postgres'), {
      databaseTableSchemas: { task: 'no_such_schema', group: 'no_such_schema' },
    })

    expect(await rejection(backend.open())).toMatchObject({
      ...failed,
      message: expect.stringContaining('no_such_schema'),
    })
  })
})

describeWith('mariadb', 'results on MariaDB in tables that are narrower', () => {
  it('are refused for good when they are too large, and stored beside one that is', async () => {
    const place = await placeOf('mariadb')
    // As SQLAlchemy makes it on MySQL, which has no sequences.
    await place.query(
      `CREATE TABLE celery_taskmeta (id INTEGER NOT NULL AUTO_INCREMENT, task_id VARCHAR(155),
       status VARCHAR(50), result BLOB, date_done DATETIME, traceback TEXT, PRIMARY KEY (id), UNIQUE (task_id))`,
    )
    const backend = await backendOn(place.url, place.config)
    const entry = (taskId: string, result: unknown) => ({
      id: taskId,
      state: 'SUCCESS',
      data: backend.encode({
        taskId,
        status: 'SUCCESS',
        result,
        traceback: `${'é'.repeat(60_000)}the end`,
        children: null,
        dateDone: new Date().toISOString(),
      }),
    })

    const large = entry('large', 'x'.repeat(70_000))
    expect(await rejection(backend.store([entry('a', 1), large, entry('b', 2)]))).toMatchObject({
      ...failed,
      message: expect.stringContaining('65535'),
      cause: { code: 'MESSAGING_TOO_LARGE', fault: 'message' },
    })
    expect(await valueOf(backend, 'a')).toBe(1)
    expect(await valueOf(backend, 'b')).toBe(2)
    expect(await backend.read(['large'])).toEqual([undefined])
    expect(backend.decode((await backend.read(['a']))[0]!).traceback).toMatch(/the end$/)
  })
})
