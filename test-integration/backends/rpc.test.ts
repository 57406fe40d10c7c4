/** Results as messages against their suite, on real brokers, and through links that break. */
import { randomUUID } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { Connection, queue, silentLogger, systemAmbient } from '@celeriac/messaging'
import { FaultProxy, StrictAmqpProxy } from '@celeriac/messaging/testing'
import { chord, group } from '@celeriac/tasks'
import { backends, resultCodec } from '@celeriac/tasks/internal'
import { backendOptions, backendSuite, type BackendHarness } from '@celeriac/tasks/testing'
import { quietApp, removeQueues } from '../fixtures/clients.ts'
import { OurWorker } from '../fixtures/our-worker.ts'
import { until } from '../fixtures/waiting.ts'
import { describeWith, startPrivateRabbit, uniqueName, urlOf } from '../services/brokers.ts'

const RpcBackend = await backends.rpc.load()
const ambient = systemAmbient({ log: silentLogger })
const { codec } = new Connection('memory://')
const names = ['msgpack', 'pickle', 'yaml']
const codecs = await Promise.all(names.map((name) => resultCodec(codec, name, names)))

/** The suite on one broker; `url` is asked for when the tests run. */
function suiteOn(name: string, url: () => string): void {
  let connection: Connection
  const replyTo = uniqueName('rpc-suite')
  const harness: BackendHarness = {
    name: `rpc on ${name}`,
    open: (options) =>
      new RpcBackend(
        backendOptions('rpc://', options, { replyTo, connection: () => connection }),
        ambient,
      ),
    unique: randomUUID,
    replyTo,
    codecs,
  }
  beforeAll(() => {
    connection = new Connection(url(), { ambient })
  })
  afterAll(async () => await connection.close())
  backendSuite({ describe, it }, harness)
}

for (const broker of ['redis', 'rabbitmq', 'postgres'] as const) {
  describeWith(broker, `results through ${broker}`, () => {
    suiteOn(broker, () => urlOf(broker))
  })
}

describe('results through SQLite', () => {
  let folder: string
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'celeriac-rpc-'))
  })
  afterAll(async () => await rm(folder, { recursive: true }))
  suiteOn('sqlite', () => `sqlite://${join(folder, 'broker.db')}`)
})

const record = (taskId: string, result: unknown) => ({
  taskId,
  status: 'SUCCESS',
  result,
  traceback: null,
  children: [],
  dateDone: null,
})

for (const broker of ['redis', 'rabbitmq'] as const) {
  describeWith(broker, `the reply queue on ${broker}`, () => {
    it('gets, when its link comes back, what was sent meanwhile', async () => {
      const url = urlOf(broker)
      const proxy = await FaultProxy.to(url)
      const replyTo = uniqueName('rpc-cut')
      const [near, far] = [proxy.through(url), url].map((to) => new Connection(to, { ambient }))
      const client = new RpcBackend(
        backendOptions('rpc://', {}, { replyTo, connection: () => near! }),
        ambient,
      )
      const worker = new RpcBackend(
        backendOptions('rpc://', {}, { connection: () => far! }),
        ambient,
      )
      const store = (id: string) =>
        worker.store([
          { id, state: 'SUCCESS', data: worker.encode(record(id, 1)), replyTo, correlationId: id },
        ])
      try {
        await client.expect()
        const ids = Array.from({ length: 300 }, () => randomUUID())
        const missing = new Set(ids)
        for (const id of ids) await client.subscribe(id, () => missing.delete(id))
        await Promise.all(ids.slice(0, 100).map(store))
        proxy.setMode('reset')
        await Promise.all(ids.slice(100, 200).map(store))
        proxy.setMode('pass')
        await Promise.all(ids.slice(200).map(store))

        await until('all results are there', () => missing.size === 0, {
          detail: () => `${String(missing.size)} of 300 are missing`,
        })
        const found = await client.read(ids)
        expect(found.map((one) => client.decode(one!).taskId)).toEqual(ids)
      } finally {
        await client.close()
        await worker.close()
        await Promise.all([near!.close(), far!.close()])
        await proxy.close()
      }
    })

    it('is gone after the app is closed, and what comes later does no harm', async () => {
      const name = uniqueName('rpc-closed')
      const app = quietApp({ broker: urlOf(broker), backend: 'rpc://', taskDefaultQueue: name })
      await using other = new Connection(urlOf(broker), { ambient })
      const backend = await app.backend()
      await backend.expect?.()
      const { replyTo } = await app.setup()
      const exists = () =>
        other.withChannel((channel) =>
          channel.declareQueue(queue(replyTo), { passive: true }).then(
            () => true,
            () => false,
          ),
        )
      expect(await exists()).toBe(true)

      await app.close()

      expect(await exists()).toBe(false)
      const late = new RpcBackend(
        backendOptions('rpc://', {}, { connection: () => other }),
        ambient,
      )
      const data = late.encode(record('late', 1))
      await late.store([{ id: 'late', state: 'SUCCESS', data, replyTo }])
      await late.close()
      await removeQueues(urlOf(broker), [replyTo])
    })

    it('brings results of the children of a worker, as often as they are asked for', async () => {
      const name = uniqueName('rpc-children')
      const common = { broker: urlOf(broker), backend: 'rpc://' }
      const worker = await OurWorker.start({
        ...common,
        queue: name,
        pool: 'processes',
        concurrency: 2,
      })
      const app = quietApp({ ...common, taskDefaultQueue: name })
      try {
        const add = app.remote<(x: number, y: number) => number>('js.add')
        const results = await Promise.all([1, 2, 3, 4, 5].map((x) => add.delay(x, 1)))
        const about = await app.remote<() => { pid: number }>('js.about').delay()

        expect(await Promise.all(results.map((one) => one.get({ timeout: 20 })))).toEqual([
          2, 3, 4, 5, 6,
        ])
        expect((await about.get({ timeout: 20 })).pid).not.toBe(worker.pid)
        // Another handle of the same task, and the same handle once more.
        const again = await app.result<number>(results[0]!.id)
        expect(await again.ready()).toBe(true)
        expect(await again.state).toBe('SUCCESS')
        expect(await again.get()).toBe(2)
        expect(await again.get()).toBe(2)
        expect(await results[0]!.get()).toBe(2)
      } finally {
        await worker.stop()
        await app.close()
        await removeQueues(urlOf(broker), [name])
      }
    })

    it('shows without waiting what has come, and refuses chords and saved groups', async () => {
      const name = uniqueName('rpc-looks')
      const app = quietApp({ broker: urlOf(broker), backend: 'rpc://', taskDefaultQueue: name })
      const worker = await OurWorker.start({
        broker: urlOf(broker),
        backend: 'rpc://',
        queue: name,
      })
      try {
        const progress = app.remote<(ms: number) => string>('js.progress')
        const total = app.remote<(values: readonly number[]) => number>('js.total')
        const wait = app.remote<(ms: number) => number>('js.wait')
        const running = await progress.delay(1500)
        expect(await (await app.result(randomUUID())).state).toBe('PENDING')
        await until('it is seen running', async () => (await running.state) === 'PROGRESS')
        expect((await running.info())?.result).toEqual({ done: 3, of: 10 })
        expect(await running.ready()).toBe(false)
        await until('it is seen done', async () => await running.ready())
        expect(await running.get()).toBe('done')

        const unsupported = { code: 'TASKS_NOT_SUPPORTED' }
        await expect(chord([wait.s(1)], total.s()).delay()).rejects.toMatchObject(unsupported)
        const together = await group(wait.s(1), wait.s(2)).delay()
        expect(await together.get({ timeout: 20 })).toEqual([1, 2])
        await expect(together.save()).rejects.toMatchObject(unsupported)
      } finally {
        await worker.stop()
        await app.close()
        await removeQueues(urlOf(broker), [name])
      }
    })
  })
}

describeWith('rabbitmq', 'the reply queue and RabbitMQ itself', () => {
  it('is one that RabbitMQ 4.3 makes', async () => {
    const proxy = await StrictAmqpProxy.to(urlOf('rabbitmq'))
    const connection = new Connection(proxy.through(urlOf('rabbitmq')), { ambient })
    const replyTo = uniqueName('rpc-strict')
    const client = new RpcBackend(
      backendOptions('rpc://', {}, { replyTo, connection: () => connection }),
      ambient,
    )
    try {
      await client.expect()
      expect(connection.server).toBe('RabbitMQ 4.3.0')
      const data = client.encode(record('a', 7))
      await client.store([{ id: 'a', state: 'SUCCESS', data, replyTo }])

      expect(client.decode((await client.read(['a']))[0]!).result).toBe(7)
    } finally {
      await client.close()
      await connection.close()
      await proxy.close()
    }
  })

  it('brings persistent results over a restart of the broker', async () => {
    const server = await startPrivateRabbit()
    const proxy = await FaultProxy.to(server.url)
    const [near, far] = [proxy.through(server.url), server.url].map(
      (to) => new Connection(to, { ambient }),
    )
    const replyTo = uniqueName('rpc-restart')
    const client = new RpcBackend(
      backendOptions('rpc://', {}, { replyTo, connection: () => near! }),
      ambient,
    )
    const config = { resultPersistent: true }
    const worker = new RpcBackend(
      backendOptions('rpc://', {}, { config, connection: () => far! }),
      ambient,
    )
    try {
      const seen = new Map<string, unknown>()
      for (const id of ['a', 'b'])
        await client.subscribe(id, (data) => seen.set(id, client.decode(data).result))
      const store = (id: string) =>
        worker.store([{ id, state: 'SUCCESS', data: worker.encode(record(id, id)), replyTo }])
      proxy.setMode('reset')
      await store('a')
      await server.restart()
      proxy.setMode('pass')
      await until('the worker sends again', () =>
        store('b').then(
          () => true,
          () => false,
        ),
      )

      await until('both are there', () => seen.size === 2)
      expect(Object.fromEntries(seen)).toEqual({ a: 'a', b: 'b' })
    } finally {
      await client.close()
      await worker.close()
      await Promise.all([near!.close(), far!.close()])
      await proxy.close()
      await server.dispose()
    }
  })
})
