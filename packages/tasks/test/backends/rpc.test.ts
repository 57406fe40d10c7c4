import { randomUUID } from 'node:crypto'
import { afterEach, describe, expect, it } from '@jest/globals'
import {
  Connection,
  makeLogger,
  queue,
  silentLogger,
  systemAmbient,
  type Delivery,
  type LogRecord,
} from '@celeriac/messaging'
import { Celeriac, chain, createWorker } from '../../src/index.ts'
import { resultCodec } from '../../src/backend/result-codec.ts'
import type { BackendOptions } from '../../src/backend/backend.ts'
import { RpcBackend } from '../../src/backends/rpc/backend.ts'
import { backendOptions, backendSuite } from '../../src/testing/index.ts'
import { loadVector } from '../vectors.ts'

const ambient = systemAmbient({ log: silentLogger })
const suiteBroker = new Connection('memory://rpc-suite', { ambient })
const names = ['msgpack', 'pickle', 'yaml']
const replyTo = 'suite-replies'

backendSuite(
  { describe, it },
  {
    name: 'rpc',
    open: (options) =>
      new RpcBackend(
        backendOptions('rpc://', options, { replyTo, connection: () => suiteBroker }),
        ambient,
      ),
    unique: randomUUID,
    replyTo,
    codecs: await Promise.all(names.map((name) => resultCodec(suiteBroker.codec, name, names))),
  },
)

describe('results as messages', () => {
  const open: (RpcBackend | Connection)[] = []
  afterEach(async () => {
    for (const one of open.splice(0).toReversed()) await one.close()
  })

  function broker(): Connection {
    const connection = new Connection(`memory://${randomUUID()}`, { ambient })
    open.push(connection)
    return connection
  }

  function backend(
    connection: Connection,
    more: Partial<BackendOptions> = {},
    log = silentLogger,
  ): RpcBackend {
    const options = { replyTo: 'me', connection: () => connection, ...more }
    const made = new RpcBackend(backendOptions('rpc://', {}, options), systemAmbient({ log }))
    open.push(made)
    return made
  }

  const result = (of: RpcBackend, id: string, status = 'SUCCESS', value: unknown = 1) => ({
    id,
    state: status,
    data: of.encode({
      taskId: id,
      status,
      result: value,
      traceback: null,
      children: [],
      dateDone: null,
    }),
    replyTo: 'me',
  })

  async function next(connection: Connection, queue: string): Promise<Delivery | undefined> {
    return await connection.withChannel((channel) => channel.get(queue, { noAck: true }))
  }

  it('sends what Celery sends', async () => {
    const connection = broker()
    const worker = backend(connection, { replyTo: 'worker' })
    const [captured] = loadVector('rpc-success')['publishes'] as {
      routing_key: string
      properties: Record<string, unknown>
      body_json: Record<string, unknown>
    }[]
    const { task_id: id } = captured!.body_json as { task_id: string }
    await connection.withChannel(async (channel) => {
      await channel.declareQueue(queue(captured!.routing_key))
    })

    await worker.store([
      { ...result(worker, id, 'SUCCESS', 5), replyTo: captured!.routing_key, correlationId: id },
    ])

    const { message, origin } = (await next(connection, captured!.routing_key))!
    expect(origin).toMatchObject({ exchange: '', routingKey: captured!.routing_key })
    expect(message.properties).toMatchObject({
      contentType: captured!.properties['content_type'],
      contentEncoding: captured!.properties['content_encoding'],
      deliveryMode: captured!.properties['delivery_mode'],
      priority: captured!.properties['priority'],
      correlationId: captured!.properties['correlation_id'],
    })
    expect(JSON.parse(Buffer.from(message.body).toString())).toMatchObject(captured!.body_json)
  })

  it.each([
    [true, 2],
    [false, 1],
    [undefined, 1],
  ])('resultPersistent %s is delivery mode %i', async (resultPersistent, mode) => {
    const connection = broker()
    const worker = backend(connection, { config: { resultPersistent } })
    await connection.withChannel(async (channel) => {
      await channel.declareQueue(queue('me'))
    })
    await worker.store([{ ...result(worker, 'a'), correlationId: 'other' }])

    const { message } = (await next(connection, 'me'))!
    expect(message.properties).toMatchObject({ deliveryMode: mode, correlationId: 'other' })
  })

  it('passes over a record without an address, and one whose queue is gone', async () => {
    const connection = broker()
    const worker = backend(connection, { replyTo: 'worker' })
    const kept = backend(connection)
    await kept.expect()

    await worker.store([
      { ...result(worker, 'none'), replyTo: undefined },
      { ...result(worker, 'gone'), replyTo: 'gone' },
      result(worker, 'here'),
    ])

    expect(await kept.read(['none', 'gone', 'here'])).toEqual([
      undefined,
      undefined,
      expect.anything(),
    ])
    expect(await next(connection, 'gone')).toBeUndefined()
  })

  it('consumes from its first look on, and is ready at once after', async () => {
    const client = backend(broker())
    await client.expect()

    expect(client.expect()).toBeUndefined()
  })

  it('removes its queue when the connection closes', async () => {
    const name = `memory://${randomUUID()}`
    const connection = new Connection(name, { ambient })
    const client = backend(connection)
    await client.expect()
    const other = new Connection(name, { ambient })
    open.push(other)
    const look = () =>
      other.withChannel((channel) =>
        channel.removeQueue('me', { ifUnused: true }).then(
          () => 'unused',
          (error: Error) => error.message,
        ),
      )
    expect(await look()).toMatch(/has consumers/)

    await connection.close()
    await client.close()

    await expect(
      other.withChannel(async (channel) => {
        return await channel.declareQueue(queue('me'), { passive: true })
      }),
    ).rejects.toMatchObject({ code: 'MESSAGING_QUEUE_NOT_FOUND' })
  })

  it('keeps a bounded number of records: first those go that somebody has had, and it warns once', async () => {
    const connection = broker()
    const log: LogRecord[] = []
    const logger = makeLogger((record) => log.push(record))
    const client = backend(connection, { options: { backlogLimit: 3 } }, logger)
    await client.expect()
    const put = (...ids: string[]) => client.store(ids.map((id) => result(client, id)))
    const known = async (...ids: string[]) =>
      (await client.read(ids)).map((one) => one !== undefined)

    await put('a', 'b', 'c')
    // Of the three only `a` is had.
    expect(await known('a')).toEqual([true])
    await put('d')
    await client.read(['x'])
    expect(log).toEqual([])
    await put('e', 'f')
    expect(await known('a', 'b', 'c', 'd', 'e', 'f')).toEqual([
      false,
      false,
      false,
      true,
      true,
      true,
    ])
    expect(log.map(({ message }) => message)).toEqual([
      expect.stringMatching(/more than 3 results .* backlogLimit/),
    ])
  })

  it.each([0, -1, 1.5, '10'])('refuses backlogLimit %j', (backlogLimit) => {
    expect(() => backend(broker(), { options: { backlogLimit } })).toThrow(
      expect.objectContaining({ code: 'TASKS_CONFIG_INVALID' }),
    )
  })

  it('answers from what it has without asking the broker again', async () => {
    const connection = broker()
    const client = backend(connection)
    await client.expect()
    await client.store([result(client, 'a')])
    await client.read(['a'])
    const before = connection.counts.published

    for (let i = 0; i < 3; i++) expect(client.decode((await client.read(['a']))[0]!).result).toBe(1)

    expect(connection.counts.published).toBe(before)
  })

  it('says of a body it cannot read that the result is invalid, and goes on', async () => {
    const connection = broker()
    const client = backend(connection)
    await client.expect()
    await connection.producer().publish('no json', {
      routingKey: 'me',
      correlationId: 'bad',
      contentType: 'application/json',
    })
    await connection.producer().publish([1], { routingKey: 'me', correlationId: 'odd' })
    await connection
      .producer()
      .publish(
        { task_id: 'x', status: 'SUCCESS' },
        { routingKey: 'me', correlationId: 'pickled', serializer: 'pickle' },
      )
    await client.store([result(client, 'good')])

    const found = await client.read(['bad', 'odd', 'pickled', 'good'])

    for (const one of found.slice(0, 3)) {
      expect(() => client.decode(one!)).toThrow(
        expect.objectContaining({ code: 'TASKS_RESULT_INVALID' }),
      )
    }
    expect(client.decode(found[3]!)).toMatchObject({ taskId: 'good', status: 'SUCCESS' })
  })

  it('reads what resultAcceptContent names', async () => {
    const connection = broker()
    const client = backend(connection, { config: { resultAcceptContent: ['json', 'msgpack'] } })
    await client.expect()
    await connection
      .producer()
      .publish(
        { task_id: 'm', status: 'SUCCESS', result: 7 },
        { routingKey: 'me', correlationId: 'm', serializer: 'msgpack' },
      )

    expect(client.decode((await client.read(['m']))[0]!)).toMatchObject({ result: 7 })
  })

  it('rejects with TASKS_BACKEND_FAILED, in time, when there is no broker', async () => {
    const connection = new Connection('amqp://127.0.0.1:1', { publishTimeout: 0.3, ambient })
    open.push(connection)
    const client = backend(connection)
    const failure = { code: 'TASKS_BACKEND_FAILED' }

    await expect(client.expect()).rejects.toMatchObject(failure)
    await expect(client.store([result(client, 'a')])).rejects.toMatchObject(failure)
    await expect(client.read(['a'])).rejects.toMatchObject(failure)
    await expect(client.subscribe('a', () => undefined)).rejects.toMatchObject(failure)
  })

  it('reports all steps of a broken chain, and gives a worker that sends them on no queue of its own', async () => {
    const name = `memory://${randomUUID()}`
    const apps = [1, 2].map(
      () =>
        new Celeriac('rpc', {
          broker: name,
          backend: 'rpc://',
          loadConfig: false,
          ambient: { log: silentLogger },
        }),
    )
    const [client, serving] = [apps[0]!, apps[1]!]
    serving.task('add', (x: number, y: number) => x + y)
    serving.task('fail', (x: number): number => {
      throw new RangeError(`not ${x}`)
    })
    const add = client.remote<(x: number, y: number) => number>('add')
    const fail = client.remote<(x: number) => number>('fail')
    const worker = await createWorker(serving, { pool: 'async', concurrency: 2 })
    await worker.start()
    try {
      const good = await chain(add.s(1, 2), add.s(10)).delay()
      const bad = await chain(add.s(1, 2), fail.s(), add.s(10)).delay()

      expect(await good.get({ timeout: 5 })).toBe(13)
      await expect(bad.get({ timeout: 5 })).rejects.toMatchObject({ args: ['not 3'] })
      const { connection, replyTo } = await serving.setup()
      await expect(
        connection.withChannel((channel) =>
          channel.declareQueue(queue(replyTo), { passive: true }),
        ),
      ).rejects.toMatchObject({ code: 'MESSAGING_QUEUE_NOT_FOUND' })
    } finally {
      await worker.stop(0.5)
      for (const app of apps) await app.close()
    }
  })
})
