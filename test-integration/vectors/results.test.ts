// Results on Redis: what Python stored is read with everything in it, and what we store has the same fields in
// the same order, lives as long, and is told to the same channels. Joins of chords leave the same keys.
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals'
import {
  type AsyncResult,
  chord,
  createWorker,
  group,
  GroupResult,
  RemoteError,
  type Celeriac,
  type Worker,
} from '@celeriac/tasks'
import { quietApp } from '../fixtures/clients.ts'
import { rawRedis } from '../fixtures/raw-redis.ts'
import { until } from '../fixtures/waiting.ts'
import { comparable, vector, vectorNames, type KeyDump } from '../fixtures/vectors.ts'
import { describeWith, startPrivateRedis, type ControlledServer } from '../services/brokers.ts'

type Stored = Readonly<Record<string, unknown>>

const prefix = 'celery-task-meta-'

/** The first record of a vector. */
function recordOf(name: string): { id: string; text: string; stored: Stored } {
  const dump = vector(name).redis.find(({ key }) => key.includes(prefix))!
  const text = dump.value as string
  return {
    id: dump.key.slice(dump.key.indexOf(prefix) + prefix.length),
    text,
    stored: JSON.parse(text) as Stored,
  }
}

describeWith('redis', 'results on Redis', () => {
  let server: ControlledServer
  let redis: Awaited<ReturnType<typeof rawRedis>>
  let app: Celeriac
  let worker: Worker | undefined

  beforeAll(async () => {
    server = await startPrivateRedis({ args: ['--appendfsync', 'no'] })
    redis = await rawRedis(server.url)
  })

  beforeEach(async () => {
    await redis.flushall()
    app = quietApp({ broker: server.url, backend: server.url })
    await app.setup()
  })

  afterEach(async () => {
    await worker?.stop(0.1)
    worker = undefined
    await app.close()
  })

  afterAll(async () => {
    redis?.disconnect()
    await server?.dispose()
  })

  describe('that Python stored', () => {
    const names = vectorNames().filter(
      (name) =>
        name.startsWith('result-') &&
        vector(name).redis?.some(({ key }) => key.startsWith(prefix)) &&
        !name.includes('serializer'),
    )

    it('are twenty kinds at least', () => {
      expect(names.length).toBeGreaterThanOrEqual(20)
    })

    it.each(names)('are read: %s', async (name) => {
      for (const { key, value } of vector(name).redis) {
        if (!key.startsWith(prefix)) continue
        await redis.set(key, value as string)
        const stored = JSON.parse(value as string) as Stored

        const result = await app.result(key.slice(prefix.length))
        const record = await result.info()

        expect(await result.state).toBe(stored['status'])
        expect(record).toMatchObject({
          status: stored['status'],
          result: stored['result'],
          traceback: stored['traceback'],
          taskId: stored['task_id'],
        })
        expect(record?.groupId).toBe(stored['group_id'])
        expect(record?.parentId).toBe(stored['parent_id'])
        const children = (stored['children'] ?? []) as [[string]][]
        expect((await result.children()).map(({ id }) => id)).toEqual(children.map(([[id]]) => id))
      }
    })

    it('result-success is given', async () => {
      const { id, text } = recordOf('result-success')
      await redis.set(prefix + id, text)

      expect(await (await app.result(id)).get({ timeout: 5 })).toBe(5)
    })

    it('result-failure is thrown', async () => {
      const { id, text, stored } = recordOf('result-failure')
      await redis.set(prefix + id, text)

      const failure = (await app.result(id)).get({ timeout: 5 })

      await expect(failure).rejects.toThrow(RemoteError)
      await expect(failure).rejects.toMatchObject({
        excType: 'ValueError',
        excModule: 'builtins',
        args: ['boom ü'],
        traceback: stored['traceback'],
      })
    })

    it('result-extended tells name, arguments, worker, retries and queue', async () => {
      const { id, text } = recordOf('result-extended')
      await redis.set(prefix + id, text)

      expect(await (await app.result(id)).info()).toMatchObject({
        extended: {
          name: 'proj.tasks.echo',
          args: [1],
          kwargs: { k: 'v' },
          worker: 'w1@worker.example',
          retries: 0,
          queue: 'celery',
        },
      })
    })

    it('result-group-saved is restored', async () => {
      const dump = vector('result-group-saved').redis
      for (const { key, value } of dump) await redis.set(key, value as string)
      const id = dump.at(-1)!.key.slice('celery-taskset-meta-'.length)

      const restored = await app.restoreGroup(id)

      expect(restored).toBeInstanceOf(GroupResult)
      expect(await restored!.get({ timeout: 5 })).toEqual([2, 4])
    })
  })

  describe('that we store', () => {
    async function work(tasks: (app: Celeriac) => void, settings: object = {}): Promise<Celeriac> {
      await app.close()
      app = quietApp({ broker: server.url, backend: server.url, ...settings })
      tasks(app)
      worker = await createWorker(app, { pool: 'async', concurrency: 4, hostname: 'w1' })
      await worker.start()
      return app
    }

    /** The stored record and its lifetime. */
    async function storedBy(send: (app: Celeriac) => Promise<AsyncResult>, final = true) {
      const { id } = await send(app)
      const key = prefix + id
      const text = await until('it is stored', async () => {
        const found = await redis.get(key)
        if (found === null) return undefined
        const { status } = JSON.parse(found) as Stored
        return final === ['SUCCESS', 'FAILURE'].includes(status as string) ? found : undefined
      })
      return { stored: JSON.parse(text) as Stored, ttl: await redis.ttl(key), id }
    }

    it('are as result-success', async () => {
      await work((one) => one.task('proj.tasks.add', (x: number, y: number) => x + y))
      const heard: string[] = []
      const ear = await rawRedis(server.url)
      ear.on('pmessage', (_pattern: string, _channel: string, text: string) => heard.push(text))
      await ear.psubscribe(`${prefix}*`)

      const { stored, ttl, id } = await storedBy((one) => one.sendTask('proj.tasks.add', [2, 3]))

      expect(comparable(stored)).toEqual(comparable(recordOf('result-success').stored))
      expect(stored['task_id']).toBe(id)
      expect(stored['date_done']).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}\+00:00$/)
      expect(ttl).toBeGreaterThan(86_000)
      await until('it was told', () => heard.length > 0)
      expect(JSON.parse(heard[0]!)).toEqual(stored)
      ear.disconnect()
    })

    it('are as result-failure', async () => {
      await work((one) =>
        one.task('proj.tasks.fail', (text: string) => {
          throw new RangeError(text)
        }),
      )

      const { stored } = await storedBy((one) => one.sendTask('proj.tasks.fail', ['boom ü']))

      expect(comparable(stored)).toEqual(comparable(recordOf('result-failure').stored))
      expect(stored['traceback']).toMatch(
        /^Traceback \(most recent call last\):\n[\s\S]*\nValueError: boom ü\n$/,
      )
    })

    it('are as result-retry', async () => {
      class ConnectionError extends Error {}
      await work((one) =>
        one.task('proj.tasks.flaky', function flaky() {
          throw this.retry({ countdown: 600, cause: new ConnectionError('try later') })
        }),
      )

      const { stored } = await storedBy((one) => one.sendTask('proj.tasks.flaky'), false)

      const { stored: theirs } = recordOf('result-retry')
      // A class of ours has no module in Python.
      const result = { ...(theirs['result'] as Stored), exc_module: 'celeriac' }
      // Python counts the next attempt, which has the same id, among the children of this one.
      expect(comparable(stored)).toEqual(comparable({ ...theirs, result, children: [] }))
    })

    it('are as result-extended', async () => {
      await work(
        (one) =>
          one.task('proj.tasks.echo', { params: ['...args', 'kwargs'] }, function echo() {
            return { args: this.request.args, kwargs: this.request.kwargs }
          }),
        { resultExtended: true },
      )

      const { stored } = await storedBy((one) =>
        one.sendTask('proj.tasks.echo', [1], { kwargs: { k: 'v' } }),
      )

      expect(comparable(stored)).toEqual(comparable(recordOf('result-extended').stored))
      expect(stored['worker']).toBe(worker?.hostname)
    })

    it('are as result-children', async () => {
      await work((one) => {
        const add = one.task('proj.tasks.add', (x: number, y: number) => x + y)
        one.task('proj.tasks.parent', async () => [
          (await add.delay(1, 1)).id,
          (await add.delay(4, 5)).id,
        ])
      })

      const { stored, id } = await storedBy((one) => one.sendTask('proj.tasks.parent'))

      const [first, second] = stored['result'] as string[]
      expect(Object.keys(stored)).toEqual(Object.keys(recordOf('result-children').stored))
      expect(stored['children']).toEqual([
        [[first, null], null],
        [[second, null], null],
      ])
      const child = await until('the child is stored', () =>
        redis.get(prefix + first!).then((t) => t ?? undefined),
      )
      const theirs = vector('result-children').redis[1]!.value as string
      expect(comparable(JSON.parse(child) as Stored)).toMatchObject({
        names: Object.keys(JSON.parse(theirs) as Stored),
        values: { status: 'SUCCESS', result: 2, parent_id: id },
      })
    })

    it('are as result-group-saved', async () => {
      await work((one) => one.task('proj.tasks.add', (x: number, y: number) => x + y))
      const add = app.remote<(x: number, y: number) => number>('proj.tasks.add')

      const result = await group(add.s(1, 1), add.s(2, 2)).delay()
      await result.save()
      await result.get({ timeout: 5 })

      const [a, b] = result.results.map(({ id }) => id)
      const text = await redis.get(`celery-taskset-meta-${result.id}`)
      expect(JSON.parse(text!)).toEqual({
        result: [
          [result.id, null],
          [
            [[a, null], null],
            [[b, null], null],
          ],
        ],
      })
      const theirs = vector('result-group-saved').redis[0]!.value as string
      const member = JSON.parse((await redis.get(prefix + a!))!) as Stored
      expect(Object.keys(member)).toEqual(Object.keys(JSON.parse(theirs) as Stored))
      expect(member['group_id']).toBe(result.id)
    })

    it('count chords as chord-keys-midflight, and leave nothing behind', async () => {
      let finish!: () => void
      const held = new Promise<void>((resolve) => (finish = resolve))
      await work((one) => {
        one.task('proj.tasks.add', (x: number, y: number) => x + y)
        one.task('proj.tasks.held', async () => {
          await held
          return 2
        })
        one.task('proj.tasks.list', (values: number[]) => values)
      })
      const add = app.remote<(x: number, y: number) => number>('proj.tasks.add')
      const slow = app.remote<() => number>('proj.tasks.held')
      const list = app.remote<(values: readonly number[]) => number[]>('proj.tasks.list')

      const result = await chord([add.s(1, 1), slow.s(), add.s(3, 3)], list.s()).delay()
      const midflight = await until('two parts are counted', async () => {
        const [parts] = await redis.keys('celery-taskset-meta-*.j')
        return parts !== undefined && (await redis.zcard(parts)) === 2 && parts
      })
      const id = midflight.slice('celery-taskset-meta-'.length, -'.j'.length)

      const captured = vector('chord-keys-midflight').redis_midflight
      expect(await redis.get(`celery-taskset-meta-${id}.s`)).toBe(valueOf(captured, '.s'))
      expect(await redis.ttl(`celery-taskset-meta-${id}.s`)).toBeGreaterThan(86_000)
      const [member, score] = await redis.zrange(midflight, '0', '0', 'WITHSCORES')
      const [[theirMember, theirScore]] = valueOf(captured, '.j') as [[string, number]]
      expect(Number(score)).toBe(theirScore)
      const shape = (text: string) =>
        (JSON.parse(text) as unknown[]).map((v) =>
          typeof v === 'string' && v.length === 36 ? 'an id' : v,
        )
      expect(shape(member!)).toEqual(shape(theirMember))

      finish()
      expect(await result.get({ timeout: 5 })).toEqual([2, 2, 6])
      await until('its keys are gone', async () =>
        (await redis.keys(`*${id}*`)).every((key) => key.startsWith(prefix)),
      )
    })

    it('keep the counts of a failed chord until they expire, as chord-failure', async () => {
      await work((one) => {
        one.task('proj.tasks.add', (x: number, y: number) => x + y)
        one.task('proj.tasks.fail', (text: string) => {
          throw new RangeError(text)
        })
        one.task('proj.tasks.xsum', (values: number[]) => values.length)
      })
      const add = app.remote<(x: number, y: number) => number>('proj.tasks.add')
      const fail = app.remote<(text: string) => number>('proj.tasks.fail')
      const xsum = app.remote<(values: readonly number[]) => number>('proj.tasks.xsum')

      const result = await chord([add.s(1, 1), fail.s('part')], xsum.s()).delay()
      await expect(result.get({ timeout: 5 })).rejects.toMatchObject({ excType: 'ChordError' })

      const captured = vector('chord-failure').redis
      const [sizeKey] = await redis.keys('celery-taskset-meta-*.s')
      expect(await redis.get(sizeKey!)).toBe(valueOf(captured, '.s'))
      const members = await redis.zrange(sizeKey!.replace(/s$/, 'j'), '0', '-1')
      const theirs = (valueOf(captured, '.j') as [string, number][]).map(([text]) => text)
      const without = (texts: readonly string[]) =>
        texts.map((text) => {
          const [version, , state, value] = JSON.parse(text) as unknown[]
          return [version, state, value]
        })
      expect(without(members)).toEqual(without(theirs))
      const body = JSON.parse((await redis.get(prefix + result.id))!) as Stored
      const theirBody = captured
        .map(({ value }) => value)
        .find((value) => typeof value === 'string' && value.includes('ChordError')) as string
      const shape = (stored: Stored) => {
        const { exc_message, ...rest } = stored['result'] as { exc_message: string[] }
        return {
          ...rest,
          said: exc_message[0]!.replace(/[0-9a-f-]{36}/, 'an id'),
          status: stored['status'],
        }
      }
      expect(shape(body)).toEqual(shape(JSON.parse(theirBody) as Stored))
    })
  })
})

function valueOf(dump: readonly KeyDump[], ending: string): unknown {
  return dump.find(({ key }) => key.endsWith(ending))!.value
}
