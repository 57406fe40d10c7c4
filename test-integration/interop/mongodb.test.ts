// Kombu and we on the same MongoDB database: each reads what the other wrote, bindings and fanouts included.
import { Connection, exchange, queue, silentLogger } from '@celeriac/messaging'
import { Inbox } from '@celeriac/messaging/testing'
import { afterEach, expect, it } from '@jest/globals'
import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { MongoClient } from 'mongodb'
import { quietApp } from '../fixtures/clients.ts'
import { OurWorker } from '../fixtures/our-worker.ts'
import { PythonClient, PythonWorker } from '../fixtures/python.ts'
import { Ledger } from '../fixtures/ledger.ts'
import { describeWith, pythonPath, uniqueName, urlOf } from '../services/brokers.ts'

const run = promisify(execFile)
const script = join(import.meta.dirname, '../fixtures/pykombu.py')
const cleanups: (() => Promise<unknown> | void)[] = []

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup()
})

interface Received {
  readonly body: unknown
  readonly headers: Readonly<Record<string, unknown>>
  readonly redelivered: boolean
  readonly exchange: string
  readonly routing_key: string
  readonly priority: number
}

type Options = Readonly<Record<string, unknown>>

function place() {
  const url = `${urlOf('mongodb')}/${uniqueName('kombu')}`
  const connection = new Connection(url, { ambient: { log: silentLogger } })
  cleanups.push(() => connection.close())
  const kombu = async (act: string, options: Options) => {
    const words = [script, act, JSON.stringify({ url, ...options })]
    const { stdout } = await run(pythonPath(), words, { timeout: 40_000 })
    return JSON.parse(stdout) as unknown
  }
  const consume = async (options: Options) => (await kombu('consume', options)) as Received[]
  return { url, connection, kombu, consume }
}

async function documents(url: string, collection: string) {
  const client = new MongoClient(url)
  try {
    return await client
      .db()
      .collection(collection)
      .find({}, { projection: { _id: 0 } })
      .toArray()
  } finally {
    await client.close()
  }
}

describeWith(['mongodb', 'python'], 'Kombu on the same database', () => {
  it('reads what we write, in order, urgent ones first', async () => {
    const { connection, consume } = place()
    const producer = connection.producer()
    await producer.publish('first', { routingKey: 'ours', declare: [queue('ours')] })
    for (let i = 0; i < 10; i++)
      await producer.publish({ i, ß: [null, '\u0000'] }, { routingKey: 'ours', headers: { i } })
    await producer.publish('urgent', { routingKey: 'ours', priority: 9 })

    const received = await consume({ queue: 'ours', count: 12 })

    expect(received.map(({ body }) => body)).toEqual([
      'urgent',
      'first',
      ...Array.from({ length: 10 }, (_, i) => ({ i, ß: [null, '\u0000'] })),
    ])
    expect(received[2]).toMatchObject({
      headers: { i: 0 },
      redelivered: false,
      exchange: '',
      routing_key: 'ours',
    })
  })

  it('writes what we read, within its own pause between looks', async () => {
    const { connection, kombu } = place()
    const inbox = new Inbox()
    const consumer = connection.consumer({
      queues: [queue('theirs')],
      prefetch: 0,
      onDeliveries: inbox.onDeliveries,
    })
    await consumer.start()

    await kombu('publish', { queue: 'theirs', bodies: [{ a: 1 }, 'ß', null], priority: 3 })
    const begin = performance.now()
    await inbox.atLeast(3, 5000)

    expect(performance.now() - begin).toBeLessThan(2000)
    expect(inbox.deliveries.map((delivery) => delivery.value)).toEqual([{ a: 1 }, 'ß', null])
    expect(inbox.deliveries[0]!.message.headers).toMatchObject({ from: 'python' })
    expect(inbox.deliveries[0]!.message.properties).toMatchObject({ priority: 3 })
    await Promise.all(inbox.deliveries.map((delivery) => delivery.ack()))
  })

  it('stores the same documents as we do', async () => {
    const { url, connection, kombu } = place()
    const topic = exchange('shapes', { type: 'topic' })
    const names = { exchange: 'shapes', type: 'topic' }
    await kombu('publish', {
      ...names,
      queue: 'q',
      routing_key: 'a.*.#',
      key: 'a.b.c',
      bodies: ['x'],
      priority: 4,
    })
    await connection.producer({ exchange: topic }).publish('x', {
      routingKey: 'a.b.c',
      priority: 4,
      declare: [queue('q', { bindings: [{ exchange: topic, routingKey: 'a.*.#' }] })],
    })

    const [theirs, ours] = await documents(url, 'messages')
    expect(Object.keys(ours!).toSorted()).toEqual(Object.keys(theirs!).toSorted())
    expect(ours).toMatchObject({ queue: theirs!['queue'], priority: theirs!['priority'] })
    // The binding we made is the one they made: found again by all of its fields.
    expect(await documents(url, 'messages.routing')).toEqual([
      { exchange: 'shapes', queue: 'q', routing_key: 'a.*.#', pattern: '^a\\..*?[^\\.]\\..*?$' },
    ])
  })

  it('does not see what we hold, and gets what we give back, marked as redelivered', async () => {
    const { connection, consume } = place()
    const channel = await connection.channel()
    await connection.producer().publish('again', { routingKey: 'back' })
    const delivery = await channel.get('back')
    expect(await consume({ queue: 'back', count: 1, seconds: 1.5 })).toEqual([])
    await delivery!.requeue()

    const [received] = await consume({ queue: 'back', count: 1 })

    expect(received).toMatchObject({ body: 'again', redelivered: true })
    expect(received!.headers).toMatchObject({ redelivered: true, 'x-delivery-count': 1 })
  })

  for (const [type, bound, key, misses] of [
    ['direct', 'red', 'red', 'blue'],
    ['topic', 'stock.*.nyse', 'stock.usd.nyse', 'stock.usd.lse'],
  ] as const) {
    it(`shares the bindings of a ${type} exchange in both directions`, async () => {
      const { connection, kombu, consume } = place()
      const shared = exchange(`shared-${type}`, { type })
      const names = { exchange: shared.name, type, routing_key: bound }
      const channel = await connection.channel()
      await kombu('bind', { queue: 'theirs', ...names })
      const consumer = connection.consumer({
        queues: [queue('ours', { bindings: [{ exchange: shared, routingKey: bound }] })],
        onDeliveries: () => undefined,
      })
      await consumer.start()
      await consumer.cancel()

      const producer = connection.producer({ exchange: shared })
      await producer.publish('from us', { routingKey: key })
      await kombu('publish', { queue: 'theirs', ...names, key, bodies: ['from them'] })
      await producer.publish('nobody', { routingKey: misses })

      const texts: string[] = []
      for (;;) {
        const delivery = await channel.get('ours')
        if (!delivery) break
        texts.push(JSON.parse(Buffer.from(delivery.message.body).toString()) as string)
        await delivery.ack()
      }
      // Ids order what two processes send within one second by chance.
      expect(new Set(texts)).toEqual(new Set(['from us', 'from them']))
      expect(texts).toHaveLength(2)
      const theirs = await consume({ queue: 'theirs', ...names, count: 2 })
      expect(new Set(theirs.map(({ body }) => body))).toEqual(new Set(texts))
    })
  }

  it('hears our fanouts, and we hear its', async () => {
    const { url, connection, kombu } = place()
    const fanout = exchange('news', { type: 'fanout' })
    const names = { exchange: 'news', type: 'fanout', routing_key: '' }
    const inbox = new Inbox()
    const consumer = connection.consumer({
      queues: [queue('ours', { bindings: [{ exchange: fanout }] })],
      noAck: true,
      onDeliveries: inbox.onDeliveries,
    })
    await consumer.start()
    const asked = { url, queue: 'theirs', ...names, count: 1, seconds: 10, tell: true }
    const listener = spawn(pythonPath(), [script, 'consume', JSON.stringify(asked)])
    cleanups.push(() => void listener.kill())
    let heard = ''
    listener.stdout.on('data', (chunk: Buffer) => (heard += chunk.toString()))
    await once(listener.stderr, 'data')
    // Before it reads for the first time: FerretDB ends a tail that finds nothing, and Kombu begins no other.

    await connection.producer({ exchange: fanout }).publish('from us', { routingKey: '' })
    await once(listener, 'close')
    await kombu('publish', { queue: 'third', ...names, bodies: ['from them'] })
    await inbox.atLeast(2)

    expect(JSON.parse(heard)).toEqual([expect.objectContaining({ body: 'from us' })])
    expect(inbox.deliveries.map((delivery) => delivery.value)).toEqual(['from us', 'from them'])
  })
})

describeWith(['mongodb', 'redis', 'python'], 'Celery on MongoDB', () => {
  it('tasks of both clients run in the workers of both', async () => {
    const name = uniqueName('both')
    const urls = { broker: `${urlOf('mongodb')}/${uniqueName('celery')}`, backend: urlOf('redis') }
    const ledger = new Ledger()
    await using app = quietApp({ ...urls, taskDefaultQueue: name })
    const mark =
      app.remote<(file: string, id: string, ms: number, value: number) => number>('both.mark')
    const python = await PythonClient.start({ ...urls, queue: name })
    const ask = async (by: string, count: number) => {
      const numbers = Array.from({ length: count }, (_, i) => i)
      const sent = await Promise.all(
        numbers.map((i) => mark.delay(ledger.file, `${by}-js-${i}`, 2, i)),
      )
      const ids = await python.call<string[]>('send_many', {
        task: 'both.mark',
        argument_lists: numbers.map((i) => [ledger.file, `${by}-py-${i}`, 2, i]),
        queue: name,
      })
      expect(await Promise.all(sent.map((one) => one.get({ timeout: 30 })))).toEqual(numbers)
      expect(await python.call<number[]>('get_many', { ids })).toEqual(numbers)
    }
    try {
      // One after the other: this server lets two consumers of Kombu's kind take one message.
      const ours = await OurWorker.start({ ...urls, queue: name, concurrency: 4 })
      await ask('ours', 20)
      await ours.stop()
      const theirs = await PythonWorker.start({ ...urls, queue: name, concurrency: 1 })
      // Kombu takes one message for each look, and looks every other second.
      await ask('theirs', 3)
      await theirs.stop()

      const ended = [...ledger.ends().values()]
      expect(ended).toHaveLength(46)
      expect(ended.filter((times) => times !== 1)).toEqual([])
    } finally {
      await python.kill9()
      ledger.dispose()
    }
  }, 120_000)
})
