/** The result backend on Memcached against its suite, and what only it can do wrong. */
import { randomUUID } from 'node:crypto'
import { afterEach, describe, expect, it } from '@jest/globals'
import { Connection, systemAmbient } from '@celeriac/messaging'
import { loadMemcachedClients, type MemcachedLink } from '@celeriac/messaging/internal'
import { backends, makeBackend, resultCodec } from '@celeriac/tasks/internal'
import {
  backendOptions,
  backendSuite,
  counting,
  jsonResults,
  type OpenOptions,
} from '@celeriac/tasks/testing'
import {
  describeWith,
  startPrivateMemcached,
  urlOf,
  type ControlledServer,
} from '../services/brokers.ts'

const MemcachedBackend = await backends['cache+memcached'].load()
type Backend = ReturnType<typeof counting>
const { codec } = new Connection('memory://')
const names = ['msgpack', 'pickle', 'yaml']
const codecs = await Promise.all(names.map((name) => resultCodec(codec, name, names)))

const opened: { close(): Promise<void> | void }[] = []
const servers: ControlledServer[] = []

function open(url: string, options?: OpenOptions, more?: Parameters<typeof backendOptions>[2]) {
  const backend = counting(
    new MemcachedBackend(backendOptions(`cache+${url}`, options, more), systemAmbient()),
  )
  opened.push(backend)
  return backend
}

async function start(): Promise<ControlledServer> {
  const server = await startPrivateMemcached()
  servers.push(server)
  return server
}

/** A link of the test's own, to look at keys. */
async function link(url: string): Promise<MemcachedLink> {
  const clients = await loadMemcachedClients()
  const { clock } = systemAmbient()
  const port = Number(new URL(url).port)
  const made = await clients.MemcachedLink.open({ host: '127.0.0.1', port, timeoutMs: 2000, clock })
  opened.push(made)
  return made
}

const success = (value: unknown): string => `{"status": "SUCCESS", "result": ${String(value)}}`
const put = (backend: Backend, id: string, value: unknown = 1): Promise<void> =>
  backend.store([{ id, state: 'SUCCESS', data: success(value) }])

afterEach(async () => {
  await Promise.all(opened.splice(0).map(async (one) => await one.close()))
  await Promise.all(servers.splice(0).map((one) => one.dispose()))
})

describeWith('memcached', 'on Memcached', () => {
  for (const scheme of ['cache+memcached', 'cache+pylibmc']) {
    backendSuite(
      { describe, it },
      {
        name: scheme,
        open: (options) => {
          const url = urlOf('memcached').replace('memcached', scheme)
          return new MemcachedBackend(backendOptions(url, options), systemAmbient())
        },
        unique: randomUUID,
        codecs,
        // Its clock ticks once a second; it refuses values beyond a megabyte.
        shortestSeconds: 2,
      },
    )
  }

  describe('results', () => {
    it('have the keys and flags of Celery, and live as long as they should', async () => {
      const backend = open(urlOf('memcached'), {}, { options: { globalKeyprefix: 'mine' } })
      const id = randomUUID()
      await put(backend, id)
      await backend.storeGroup(id, [[id, null], []])
      const raw = await link(urlOf('memcached'))

      const found = await raw.get(`mine_celery-task-meta-${id}`)
      expect([String(found?.data), found?.flags]).toEqual([success(1), 0])
      expect(String((await raw.get(`mine_celery-taskset-meta-${id}`))?.data)).toBe(
        `{"result":[["${id}",null],[]]}`,
      )
    })

    it('are kept for longer than thirty days', async () => {
      const backend = open(urlOf('memcached'), { expiresSeconds: 90 * 86_400 })
      const id = randomUUID()
      await put(backend, id)
      expect(await backend.read([id])).toEqual([success(1)])
    })

    it('may have ids that Memcached takes for no keys', async () => {
      const backend = open(urlOf('memcached'))
      const ids = [`${randomUUID()} with\nlines`, randomUUID() + 'x'.repeat(400)]
      for (const [i, id] of ids.entries()) await put(backend, id, i)
      expect(await backend.read(ids)).toEqual([success(0), success(1)])
    })

    it('that are too large are refused, and the link goes on', async () => {
      const backend = open(urlOf('memcached'))
      const id = randomUUID()
      await expect(put(backend, id, `"${'x'.repeat(2_000_000)}"`)).rejects.toMatchObject({
        code: 'TASKS_BACKEND_FAILED',
        message: expect.stringContaining('larger than the server takes') as unknown,
      })
      await put(backend, id)
      expect(await backend.read([id])).toEqual([success(1)])
    })

    it('stay the first success when many store at once', async () => {
      const backendsAtOnce = Array.from({ length: 5 }, () => open(urlOf('memcached')))
      const ids = Array.from({ length: 20 }, () => randomUUID())
      await Promise.all(
        backendsAtOnce.flatMap((backend, b) =>
          ids.flatMap((id) => [
            backend.store([{ id, state: 'STARTED', data: '{"status": "STARTED"}' }]),
            put(backend, id, b),
            backend.store([{ id, state: 'RETRY', data: '{"status": "RETRY"}' }]),
          ]),
        ),
      )
      const found = await backendsAtOnce[0]!.read(ids)
      expect(found.map((data) => jsonResults.decodeRecord(data as string).status)).toEqual(
        ids.map(() => 'SUCCESS'),
      )
    })

    it('lie on the servers where the libraries of Python look for them', async () => {
      const urls = await Promise.all([start(), start(), start()])
      const hosts = urls.map(({ port }) => `127.0.0.1:${String(port)}`).join(';')
      const links = await Promise.all(urls.map(({ url }) => link(url)))
      // As python-memcached 1.62 and pylibmc 1.6.3 say for three servers.
      const places = { memcached: [2, 1, 1, 2, 1, 2], pylibmc: [1, 1, 1, 2, 2, 1] }
      for (const scheme of ['memcached', 'pylibmc'] as const) {
        const backend = open(`${scheme}://${hosts}/`)
        const ids = Array.from({ length: 6 }, (_, i) => `${scheme}-${String(i)}`)
        for (const id of ids) await put(backend, id)
        const where = await Promise.all(
          ids.map(async (id) => {
            const found = await Promise.all(links.map((one) => one.get(`celery-task-meta-${id}`)))
            return found.flatMap((one, i) => (one ? [i] : []))
          }),
        )
        expect(where).toEqual(places[scheme].map((place) => [place]))
        expect(await backend.read(ids)).toEqual(ids.map(() => success(1)))
      }
    })
  })

  describe('a join', () => {
    /** Stores and counts one part. */
    const finish = async (backend: Backend, groupId: string, index: number) => {
      const taskId = `${groupId}-${String(index)}`
      await put(backend, taskId, index)
      return await backend.stepCountdown({ groupId, taskId, index, data: '' })
    }
    const members = (groupId: string, size: number) =>
      Array.from({ length: size }, (_, i) => [[`${groupId}-${String(i)}`, null], null] as const)

    it('leaves nothing behind', async () => {
      const backend = open(urlOf('memcached'))
      const id = randomUUID()
      await backend.startCountdown(id, members(id, 2))
      await finish(backend, id, 0)
      await finish(backend, id, 1)
      await backend.endCountdown(id)

      const raw = await link(urlOf('memcached'))
      const left = [
        `chord-unlock-${id}`,
        `celery-taskset-meta-${id}`,
        `celeriac:size:${id}`,
        `celeriac:counted:${id}:${id}-0`,
        `celeriac:counted:${id}:${id}-1`,
      ]
      for (const key of left) expect([key, await raw.get(key)]).toEqual([key, undefined])
    })

    it.each([false, true])(
      'ends once a process died while it counted (after it did: %s)',
      async (hasCounted) => {
        const backend = open(urlOf('memcached'))
        const id = randomUUID()
        await backend.startCountdown(id, members(id, 3))
        const raw = await link(urlOf('memcached'))
        await raw.add(`celeriac:counted:${id}:${id}-0`, Buffer.from('0'), 60)
        if (hasCounted) await raw.increment(`chord-unlock-${id}`)

        // Delivered again; then the others. The number alone would end it one too early.
        const kinds = []
        for (const index of [0, 1, 2]) kinds.push((await finish(backend, id, index)).kind)

        expect(kinds).toEqual(['waiting', 'waiting', 'complete'])
      },
    )

    it('of a group that was evicted says so', async () => {
      const backend = open(urlOf('memcached'))
      const id = randomUUID()
      await backend.startCountdown(id, members(id, 2))
      const raw = await link(urlOf('memcached'))
      await raw.delete(`celery-taskset-meta-${id}`)
      await raw.delete(`celeriac:size:${id}`)

      await expect(finish(backend, id, 0)).rejects.toMatchObject({
        code: 'TASKS_RESULT_INVALID',
        message: expect.stringContaining(id) as unknown,
      })
    })
  })

  describe('a server', () => {
    it('that is not there fails what is asked within the deadline', async () => {
      const backend = open('memcached://127.0.0.1:1/')
      const began = performance.now()
      await expect(backend.open()).rejects.toMatchObject({ code: 'TASKS_BACKEND_FAILED' })
      await expect(backend.read(['a'])).rejects.toMatchObject({ code: 'TASKS_BACKEND_FAILED' })
      expect(performance.now() - began).toBeLessThan(5000)
    })

    it('that stands still fails what is asked within the deadline, also while more is asked', async () => {
      const server = await start()
      const backend = open(
        server.url,
        {},
        { config: { cacheBackendOptions: { socket_timeout: 1 } } },
      )
      await backend.open()
      server.pause()
      const began = performance.now()
      const asking = setInterval(() => void backend.read(['b']).catch(() => undefined), 50)
      try {
        await expect(backend.read(['a'])).rejects.toMatchObject({ code: 'TASKS_BACKEND_FAILED' })
        expect(performance.now() - began).toBeLessThan(4000)
      } finally {
        clearInterval(asking)
        server.resume()
      }
      await put(backend, 'a')
      expect(await backend.read(['a'])).toEqual([success(1)])
    })

    it('that comes back is found again, also by those who wait', async () => {
      const server = await start()
      const backend = open(server.url)
      await put(backend, 'a')
      const told = new Promise<unknown>((resolve) => void backend.subscribe('b', resolve))
      await server.kill9()
      const asking = backend.read(['a'])
      await server.start()

      // Nothing outlives it.
      expect(await asking).toEqual([undefined])
      await put(backend, 'b')
      expect(await told).toEqual(success(1))
    })

    it('is asked nothing after the end', async () => {
      const backend = open(urlOf('memcached'))
      await backend.open()
      await backend.close()
      await expect(backend.read(['a'])).rejects.toMatchObject({ code: 'TASKS_STOPPED' })
    })
  })

  it('is named by cacheBackend where the setting says only cache', async () => {
    const config = { cacheBackend: urlOf('memcached') }
    const named = await makeBackend(backendOptions('cache', {}, { config }), systemAmbient())
    opened.push(named)
    expect(named.name).toBe('memcached')
    const memory = backendOptions('cache', {}, { config: { cacheBackend: 'memory://' } })
    expect((await makeBackend(memory, systemAmbient())).name).toBe('memory')
    await expect(makeBackend(backendOptions('cache'), systemAmbient())).rejects.toMatchObject({
      code: 'TASKS_CONFIG_INVALID',
    })
  })

  it.each([
    ['memcached://h:port/', {}],
    ['memcached://u:secret@h:99999/', {}],
    ['memcached://h/?socket_timeuot=3', {}],
    ['memcached://h/', { socket_timeout: 'long' }],
    ['memcached://h/', { behaviors: { ketama: true } }],
  ])('refuses %s with %j', (url, cacheBackendOptions) => {
    let found: unknown
    try {
      open(url, {}, { config: { cacheBackendOptions } })
    } catch (error) {
      found = error
    }
    expect(found).toMatchObject({ code: 'TASKS_CONFIG_INVALID' })
    expect(String(found)).not.toContain('secret')
  })
})
