// Python Celery and we on the same stores of results: each reads what the other wrote, and chords whose parts run
// in both languages end, whoever sent them.
import { randomUUID } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { chord, RemoteError, type Celeriac } from '@celeriac/tasks'
import { MongoClient } from 'mongodb'
import { quietApp, removeQueues } from '../fixtures/clients.ts'
import { OurWorker } from '../fixtures/our-worker.ts'
import { PythonClient, PythonWorker, type PySignature } from '../fixtures/python.ts'
import { rawRedis } from '../fixtures/raw-redis.ts'
import { RedisSentinels } from '../fixtures/redis-sentinels.ts'
import { describeWith, uniqueName, urlOf } from '../services/brokers.ts'

type ResultBackend = Awaited<ReturnType<Celeriac['backend']>>
type ResultRecord = ReturnType<ResultBackend['decode']>

interface Place {
  readonly url: string
  /** `resultBackendTransportOptions`, by their Python names. */
  readonly options?: Readonly<Record<string, unknown>>
  remove(): Promise<void> | void
}

interface Store {
  readonly name: string
  readonly needs: readonly ('memcached' | 'mongodb')[]
  make(): Promise<Place>
}

const stores: readonly Store[] = [
  {
    name: 'files',
    needs: [],
    make: async () => {
      const folder = mkdtempSync(path.join(tmpdir(), 'celeriac-interop-'))
      return {
        url: `file://${folder}`,
        remove: () => rmSync(folder, { recursive: true, force: true }),
      }
    },
  },
  {
    name: 'Memcached',
    needs: ['memcached'],
    make: async () => ({ url: `cache+${urlOf('memcached')}/`, remove: () => undefined }),
  },
  {
    name: 'MongoDB',
    needs: ['mongodb'],
    make: async () => {
      const name = uniqueName('stores')
      return {
        url: `${urlOf('mongodb')}/${name}`,
        remove: async () => {
          const client = new MongoClient(urlOf('mongodb'))
          await client.db(name).dropDatabase()
          await client.close()
        },
      }
    },
  },
  {
    name: 'Redis behind sentinels',
    needs: [],
    make: async () => {
      const redis = await RedisSentinels.start()
      return {
        url: redis.url(3),
        options: { master_name: RedisSentinels.masterName },
        remove: () => redis.dispose(),
      }
    },
  },
  {
    name: 'Redis, chords in lists and keys with a prefix',
    needs: [],
    make: async () => {
      const prefix = uniqueName('stores')
      return {
        url: `${urlOf('redis')}/7`,
        options: { result_chord_ordered: false, global_keyprefix: prefix },
        remove: async () => {
          const redis = await rawRedis(`${urlOf('redis')}/7`)
          const keys = await redis.keys(`${prefix}*`)
          if (keys.length > 0) await redis.del(...keys)
          redis.disconnect()
        },
      }
    },
  },
]

const soon = { timeout: 30 }

const record = (
  status: string,
  result: unknown,
  more: Partial<ResultRecord> = {},
): ResultRecord => ({
  taskId: randomUUID(),
  status,
  result,
  traceback: null,
  children: [],
  dateDone: '2026-01-02T03:04:05.678901+00:00',
  ...more,
})

for (const { name, needs, make } of stores) {
  describeWith([...needs, 'redis', 'python'], `results on ${name}`, () => {
    let place: Place
    let app: Celeriac
    let backend: ResultBackend
    let python: PythonClient
    let ours: OurWorker
    let theirs: PythonWorker
    let queues: { js: string; py: string }

    beforeAll(async () => {
      place = await make()
      queues = { js: uniqueName('stores-js'), py: uniqueName('stores-py') }
      const { url, options = {} } = place
      const urls = { broker: urlOf('redis'), backend: url }
      const transport = { resultBackendTransportOptions: options, resultChordRetryInterval: 0.2 }
      const settings = {
        result_backend_transport_options: options,
        result_chord_retry_interval: 0.2,
      }
      app = quietApp({ ...urls, ...transport, taskDefaultQueue: queues.js })
      backend = await app.backend()
      ;[ours, theirs, python] = await Promise.all([
        OurWorker.start({ ...urls, queue: queues.js, settings: transport }),
        PythonWorker.start({ ...urls, queue: queues.py, settings }),
        PythonClient.start({ ...urls, queue: queues.py, settings }),
      ])
    }, 90_000)

    afterAll(async () => {
      await Promise.all([ours?.stop(), theirs?.stop(), python?.kill9()])
      await app?.close()
      await removeQueues(urlOf('redis'), Object.values(queues))
      await place?.remove()
    }, 60_000)

    const store = async (one: ResultRecord): Promise<string> => {
      await backend.store([{ id: one.taskId, state: one.status, data: backend.encode(one) }])
      return one.taskId
    }

    describe('are read', () => {
      it.each([
        ['a mapping', { x: 'é 😀', list: [1, 2.5, null, true] }],
        ['a text', 'hello \u2028'],
        ['nothing', null],
      ])('by Python from us: %s', async (_, value) => {
        const id = await store(record('SUCCESS', value))

        expect(await python.call('get', { id })).toMatchObject({ value, state: 'SUCCESS' })
        expect(await python.call('look', { id })).toMatchObject({
          dateDone: expect.stringMatching(/^2026-01-02T03:04:05/) as unknown,
        })
      })

      it('by Python from us: a failure', async () => {
        const exception = { exc_type: 'KeyError', exc_message: ['x'], exc_module: 'builtins' }
        const id = await store(record('FAILURE', exception, { traceback: 'Traceback …' }))

        expect(await python.call('get', { id })).toMatchObject({
          error: { type: 'KeyError', args: ['x'] },
          state: 'FAILURE',
          traceback: 'Traceback …',
        })
      })

      it('by us from Python, success and failure', async () => {
        const id = await python.call<string>('stored', { value: { x: ['é', 1.5] } })
        expect(await (await app.result(id)).get(soon)).toEqual({ x: ['é', 1.5] })

        const add = app.remote<(x: number, y: number) => number>('py.add')
        const sum = await add.s(2, 3).set({ queue: queues.py }).delay()
        expect(await sum.get(soon)).toBe(5)
        const fail = app.remote<(kind: string, text: string) => void>('py.fail')
        const failed = await fail.s('KeyError', 'no').set({ queue: queues.py }).delay()
        await expect(failed.get(soon)).rejects.toBeInstanceOf(RemoteError)
      })

      it('by Python from our worker', async () => {
        const signature: PySignature = {
          task: 'js.add',
          args: [4, 5],
          options: { queue: queues.js },
        }
        expect(await python.run(signature)).toMatchObject({ value: 9, state: 'SUCCESS' })
      })

      it('not once either has forgotten them', async () => {
        const id = await store(record('SUCCESS', 1))
        expect(await python.call('forget', { id })).toBe('PENDING')
        expect(await backend.read([id])).toEqual([undefined])

        const other = await python.call<string>('stored', { value: 1 })
        await backend.forget([other])
        expect(await python.call('look', { id: other })).toMatchObject({ state: 'PENDING' })
      })

      it('never after a success of Python was replaced: it is not', async () => {
        const id = await python.call<string>('stored', { value: 'first' })
        await store(record('FAILURE', null, { taskId: id }))
        expect(await python.call('get', { id })).toMatchObject({ value: 'first' })
      })
    })

    describe('of groups', () => {
      it('are found by us when Python saved them', async () => {
        const group = [1, 2].map((x) => ({ task: 'py.add', args: [x, x] }))
        const id = await python.call<string>('group_saved', {
          signature: { group },
          queue: queues.py,
        })
        const tree = await backend.readGroup(id)

        const ids = tree![1]!.map(([[one]]) => one)
        const results = await Promise.all(ids.map(async (one) => (await app.result(one)).get(soon)))
        expect(results).toEqual([2, 4])
      })

      it('are found by Python when we saved them', async () => {
        const [a, b] = [await store(record('SUCCESS', 1)), await store(record('SUCCESS', 2))]
        const id = randomUUID()
        await backend.storeGroup(id, [
          [id, null],
          [
            [[a, null], null],
            [[b, null], null],
          ],
        ])

        expect(await python.call('group_ids', { id })).toEqual([a, b])
      })
    })

    describe('of chords', () => {
      const task = (lang: 'js' | 'py', what: string, ...args: unknown[]) => ({
        task: `${lang}.${what}`,
        args,
        options: { queue: queues[lang] },
      })
      const signature = (lang: 'js' | 'py', what: string, ...args: unknown[]) =>
        app
          .remote<(...args: unknown[]) => number>(`${lang}.${what}`)
          .s(...args)
          .set({ queue: queues[lang] })

      for (const [parts, langs] of [
        ['here', ['js', 'js', 'js', 'js']],
        ['in Python', ['py', 'py', 'py', 'py']],
        ['in both', ['js', 'py', 'js', 'py']],
      ] as const) {
        it.each(['js', 'py'] as const)(
          `join when we send them and their parts run ${parts}; body in %s`,
          async (body) => {
            const header = langs.map((lang, i) => signature(lang, 'add', i, i))
            const result = await chord(header, signature(body, 'total')).delay()

            expect(await result.get(soon)).toBe(12)
          },
        )

        it.each(['js', 'py'] as const)(
          `join when Python sends them and their parts run ${parts}; body in %s`,
          async (body) => {
            const header = langs.map((lang, i) => task(lang, 'add', i, i))

            expect(await python.run({ chord: header, body: task(body, 'total') })).toMatchObject({
              value: 12,
              state: 'SUCCESS',
            })
          },
        )
      }

      it.each(['js', 'py'] as const)('fail when a part fails in %s', async (bad) => {
        const kind = bad === 'js' ? 'RangeError' : 'ValueError'
        const header = [
          signature('js', 'add', 1, 1),
          signature(bad, 'fail', kind, 'no'),
          signature('py', 'add', 2, 2),
        ]
        const result = await chord(header, signature(bad === 'js' ? 'py' : 'js', 'total')).delay()

        await expect(result.get(soon)).rejects.toMatchObject({ excType: 'ChordError' })
      })

      it('join when Python sends them with a group in the header', async () => {
        const header = [
          { group: [task('js', 'add', 1, 1), task('py', 'add', 2, 2)] },
          task('js', 'add', 3, 3),
        ]
        const outcome = await python.run({ chord: header, body: task('js', 'list') })

        // Celery makes one flat header of it, the group's members the other way round; lists keep no order.
        const found = outcome.value as number[]
        expect(/lists/.test(name) ? found.toSorted((a, b) => a - b) : found).toEqual(
          /lists/.test(name) ? [2, 4, 6] : [4, 2, 6],
        )
      })
    })
  })
}
