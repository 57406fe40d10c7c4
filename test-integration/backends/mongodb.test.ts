/** The result backend on MongoDB against its suite, and what only it can do wrong. */
import { randomUUID } from 'node:crypto'
import { inspect } from 'node:util'
import { afterAll, afterEach, describe, expect, it } from '@jest/globals'
import { Connection, systemAmbient } from '@celeriac/messaging'
import { backends, resultCodec } from '@celeriac/tasks/internal'
import { backendOptions, backendSuite, type OpenOptions } from '@celeriac/tasks/testing'
import { MongoClient, type Db } from 'mongodb'
import { describeWith, startPrivateMongo, uniqueName, urlOf } from '../services/brokers.ts'

const MongoBackend = await backends.mongodb.load()
type Backend = InstanceType<typeof MongoBackend>
const { codec } = new Connection('memory://')
const names = ['msgpack', 'pickle', 'yaml']
const codecs = await Promise.all(names.map((name) => resultCodec(codec, name, names)))

const cleanups: (() => Promise<unknown>)[] = []
const atEnd: (() => Promise<unknown>)[] = []
const runAll = async (all: (() => Promise<unknown>)[]): Promise<void> => {
  for (const cleanup of all.splice(0).toReversed()) await cleanup()
}
afterEach(() => runAll(cleanups))
afterAll(() => runAll(atEnd))

function open(
  url: string,
  options?: OpenOptions,
  more?: Parameters<typeof backendOptions>[2],
): Backend {
  const backend = new MongoBackend(backendOptions(url, options, more), systemAmbient())
  cleanups.push(() => backend.close())
  return backend
}

const success = (backend: Backend, id: string, result: unknown = 1) => ({
  id,
  state: 'SUCCESS',
  data: backend.encode({
    taskId: id,
    status: 'SUCCESS',
    result,
    traceback: null,
    children: [],
    dateDone: '2026-01-02T03:04:05.678901+00:00',
  }),
})

async function values(backend: Backend, ids: readonly string[]): Promise<unknown[]> {
  return (await backend.read(ids)).map((data) => data && backend.decode(data).result)
}

/** A plain client, to look at the documents. */
async function raw(url: string, database: string): Promise<Db> {
  const client = new MongoClient(url)
  await client.connect()
  cleanups.push(() => client.close())
  return client.db(database)
}

describeWith('mongodb', 'on MongoDB', () => {
  const shared = uniqueName('results')
  atEnd.push(async () => {
    const client = new MongoClient(urlOf('mongodb'))
    await client.db(shared).dropDatabase()
    await client.close()
  })
  backendSuite(
    { describe, it },
    {
      name: 'mongodb',
      open: (options) =>
        new MongoBackend(backendOptions(`${urlOf('mongodb')}/${shared}`, options), systemAmbient()),
      unique: randomUUID,
      codecs,
    },
  )

  describe('results', () => {
    const newName = (): string => {
      const name = uniqueName('results')
      cleanups.push(async () => await (await raw(urlOf('mongodb'), name)).dropDatabase())
      return name
    }

    it('are documents as Celery writes them', async () => {
      const name = newName()
      const backend = open(`${urlOf('mongodb')}/${name}`)
      await backend.store([success(backend, 'a', { x: [1] })])
      await backend.storeGroup('g', [['g', null], [[['a', null], null]]])
      const db = await raw(urlOf('mongodb'), name)

      expect(await db.collection('celery_taskmeta').findOne()).toEqual({
        _id: 'a',
        status: 'SUCCESS',
        result: '{"x":[1]}',
        traceback: null,
        children: [],
        date_done: new Date('2026-01-02T03:04:05.678Z'),
      })
      expect(await db.collection('celery_groupmeta').findOne()).toMatchObject({
        _id: 'g',
        result: '["a"]',
        date_done: expect.any(Date) as unknown,
      })
      const indexes = await db.collection('celery_taskmeta').indexes()
      expect(indexes.map(({ key }) => key as unknown)).toContainEqual({ date_done: 1 })
    })

    it('go where the settings say', async () => {
      const name = newName()
      const { hostname, port } = new URL(urlOf('mongodb'))
      const mongodbBackendSettings = {
        host: hostname,
        port: Number(port),
        database: name,
        taskmeta_collection: 'my_tasks',
        groupmetaCollection: 'my_groups',
        max_pool_size: 2,
        options: { connectTimeoutMS: 3000 },
      }
      const config = { mongodbBackendSettings }
      const backend = open('mongodb://nowhere.invalid/other', {}, { config })
      await backend.store([success(backend, 'a')])
      await backend.storeGroup('g', [['g', null], []])
      const db = await raw(urlOf('mongodb'), name)

      const collections = await db.listCollections().toArray()
      expect(collections.map((one) => one.name).toSorted()).toEqual(['my_groups', 'my_tasks'])
    })

    it('go when they are too old', async () => {
      const name = newName()
      const backend = open(`${urlOf('mongodb')}/${name}`, { expiresSeconds: 3600 })
      await backend.store([success(backend, 'old')])
      const fresh = success(backend, 'new')
      await backend.store([
        { ...fresh, data: { ...(fresh.data as object), date_done: new Date() } },
      ])

      await backend.cleanup?.()

      expect(await values(backend, ['old', 'new'])).toEqual([undefined, 1])
    })

    it('stay the first success when others store the same late', async () => {
      const url = `${urlOf('mongodb')}/${newName()}`
      const writers = Array.from({ length: 4 }, () => open(url))
      const ids = Array.from({ length: 30 }, () => randomUUID())
      await writers[0]!.store(ids.map((id) => success(writers[0]!, id, 'first')))

      await Promise.all(
        writers.map((writer, w) => writer.store(ids.map((id) => success(writer, id, w)))),
      )

      expect(await values(writers[0]!, ids)).toEqual(ids.map(() => 'first'))
    })

    it('are all kept when many store the same for the first time', async () => {
      const url = `${urlOf('mongodb')}/${newName()}`
      const writers = Array.from({ length: 4 }, () => open(url))
      await Promise.all(writers.map((writer) => writer.open()))
      const ids = Array.from({ length: 50 }, () => randomUUID())

      await Promise.all(
        writers.map((writer, w) => writer.store(ids.map((id) => success(writer, id, w)))),
      )

      expect((await values(writers[0]!, ids)).every((value) => Number(value) >= 0)).toBe(true)
    })
  })

  describe('a server', () => {
    it('that is not there fails what is asked within the deadline', async () => {
      const backend = open('mongodb://127.0.0.1:1/x')
      const began = performance.now()
      await expect(backend.read(['a'])).rejects.toMatchObject({ code: 'TASKS_BACKEND_FAILED' })
      expect(performance.now() - began).toBeLessThan(16_000)
    }, 30_000)

    it('that stands still fails what is asked, and is found again', async () => {
      const server = await startPrivateMongo()
      cleanups.push(() => server.dispose())
      const backend = open(`${server.url}/x`)
      await backend.store([success(backend, 'a')])
      server.pause()
      const began = performance.now()
      await expect(backend.read(['a'])).rejects.toMatchObject({ code: 'TASKS_BACKEND_FAILED' })
      expect(performance.now() - began).toBeLessThan(25_000)
      server.resume()

      expect(await values(backend, ['a'])).toEqual([1])
    }, 60_000)

    it('that was restarted answers what was asked meanwhile, also those who wait', async () => {
      const server = await startPrivateMongo()
      cleanups.push(() => server.dispose())
      const backend = open(`${server.url}/x`)
      await backend.store([success(backend, 'a')])
      const told = new Promise<unknown>((resolve) => void backend.subscribe('b', resolve))
      await server.kill9()
      const asking = values(backend, ['a'])
      await server.start()

      expect(await asking).toEqual([1])
      await backend.store([success(backend, 'b')])
      expect(await told).toMatchObject({ _id: 'b' })
    }, 60_000)

    it('is asked nothing after the end', async () => {
      const backend = open(`${urlOf('mongodb')}/x`)
      await backend.open()
      await backend.close()
      await expect(backend.read(['a'])).rejects.toMatchObject({ code: 'TASKS_STOPPED' })
    })
  })

  it.each([
    ['mongodb://u:s3cret@h:port/', {}],
    ['mongodb://127.0.0.1/x?maxPoolSizee=3', {}],
    ['mongodb://127.0.0.1/x?readPreference=s3cret', {}],
    ['mongodb://127.0.0.1/x', { port: 'many' }],
    ['mongodb://127.0.0.1/x', { password: 5 }],
  ])('refuses %s with %j', async (url, mongodbBackendSettings) => {
    const making = async (): Promise<void> =>
      await open(url, {}, { config: { mongodbBackendSettings } }).open()
    const error: unknown = await making().catch((reason: unknown) => reason)
    expect(error).toMatchObject({ code: 'TASKS_CONFIG_INVALID' })
  })

  it('never shows the password', async () => {
    const config = { mongodbBackendSettings: { user: 'someone', password: 'Secr3t-wr0ng' } }
    const url = urlOf('mongodb').replace('://', '://x:Secr3t-0ther@')
    const error = (await open(url, {}, { config })
      .open()
      .catch((reason: unknown) => reason)) as Error
    expect(error).toMatchObject({ code: 'TASKS_BACKEND_FAILED' })
    expect(`${error.message} ${inspect(error, { depth: 12 })}`).not.toContain('Secr3t')
  })
})
