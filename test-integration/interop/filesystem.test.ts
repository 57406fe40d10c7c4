// Kombu and we on the same folders: each reads what the other wrote, bindings included.
import { Connection, exchange, queue, silentLogger } from '@celeriac/messaging'
import { Inbox } from '@celeriac/messaging/testing'
import { afterEach, expect, it } from '@jest/globals'
import { execFile } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { quietApp } from '../fixtures/clients.ts'
import { Ledger } from '../fixtures/ledger.ts'
import { OurWorker } from '../fixtures/our-worker.ts'
import { PythonClient, PythonWorker } from '../fixtures/python.ts'
import { describeWith, pythonPath, uniqueName, urlOf } from '../services/brokers.ts'

const run = promisify(execFile)
const script = join(import.meta.dirname, '../fixtures/pykombu.py')
const cleanups: (() => Promise<void> | void)[] = []

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup()
})

interface Received {
  readonly body: unknown
  readonly headers: Readonly<Record<string, unknown>>
  readonly redelivered: boolean
  readonly exchange: string
  readonly routing_key: string
}

interface Sized {
  readonly size: number
  readonly text: string
}

function place() {
  const folder = mkdtempSync(join(tmpdir(), 'celeriac-kombu-'))
  cleanups.push(() => rmSync(folder, { recursive: true, force: true }))
  const connection = new Connection(
    `filesystem://${folder}?data_folder_in=data&data_folder_out=data`,
    { ambient: { log: silentLogger } },
  )
  cleanups.push(() => connection.close())
  const kombu = async (act: string, options: Readonly<Record<string, unknown>>) => {
    const words = [script, act, JSON.stringify({ folder, ...options })]
    const { stdout } = await run(pythonPath(), words, { timeout: 40_000, cwd: folder })
    return JSON.parse(stdout) as unknown
  }
  const consume = async (options: Readonly<Record<string, unknown>>) =>
    (await kombu('consume', options)) as Received[]
  return { folder, connection, kombu, consume }
}

describeWith('python', 'Kombu on the same folders', () => {
  it('reads what we write, in order', async () => {
    const { connection, consume } = place()
    const producer = connection.producer()
    await producer.publish('first', { routingKey: 'ours', declare: [queue('ours')] })
    for (let i = 0; i < 20; i++)
      await producer.publish({ i, ß: [null, '\u0000'] }, { routingKey: 'ours', headers: { i } })

    const received = await consume({ queue: 'ours', count: 21 })

    expect(received.map(({ body }) => body)).toEqual([
      'first',
      ...Array.from({ length: 20 }, (_, i) => ({ i, ß: [null, '\u0000'] })),
    ])
    expect(received[1]).toMatchObject({
      headers: { i: 0 },
      redelivered: false,
      exchange: '',
      routing_key: 'ours',
    })
  })

  it('writes what we read, also when it is large', async () => {
    const { connection, kombu } = place()
    const inbox = new Inbox()
    const consumer = connection.consumer({
      queues: [queue('theirs')],
      prefetch: 0,
      onDeliveries: inbox.onDeliveries,
    })
    await consumer.start()
    const sizes = Array.from({ length: 60 }, (_, i) => i * 10_000)

    // Written in place, under our eyes: none may be seen before it is whole.
    await kombu('publish', { queue: 'theirs', sizes })
    await inbox.atLeast(60, 20_000)

    const values = inbox.deliveries.map((delivery) => delivery.value as Sized)
    // One that was not whole when it was looked at may come a little later.
    const sorted = values.toSorted((a, b) => a.size - b.size)
    expect(sorted.map(({ size }) => size)).toEqual(sizes)
    expect(sorted.every(({ size, text }) => text === 'x'.repeat(size))).toBe(true)
    expect(inbox.deliveries[0]!.message.headers).toMatchObject({ from: 'python' })
    await Promise.all(inbox.deliveries.map((delivery) => delivery.ack()))
  })

  it('gets what we give back, marked as redelivered', async () => {
    const { connection, consume } = place()
    const channel = await connection.channel()
    await connection.producer().publish('again', { routingKey: 'back' })
    const delivery = await channel.get('back')
    await delivery!.requeue()

    const [received] = await consume({ queue: 'back', count: 1 })

    expect(received).toMatchObject({ body: 'again', redelivered: true })
    expect(received!.headers).toMatchObject({ redelivered: true, 'x-delivery-count': 1 })
  })

  for (const [type, bound, key, misses] of [
    ['direct', 'red', 'red', 'blue'],
    ['topic', 'stock.*.nyse', 'stock.usd.nyse', 'stock.usd.lse'],
    ['fanout', 'any', 'whatever', undefined],
  ] as const) {
    it(`shares the bindings of a ${type} exchange in both directions`, async () => {
      const { connection, kombu, consume, folder } = place()
      const shared = exchange(`shared-${type}`, { type })
      const names = { exchange: shared.name, type, routing_key: bound }
      const ours = queue('ours', { bindings: [{ exchange: shared, routingKey: bound }] })
      const channel = await connection.channel()
      await kombu('bind', { queue: 'theirs', ...names })
      const consumer = connection.consumer({ queues: [ours], onDeliveries: () => undefined })
      await consumer.start()
      await consumer.cancel()
      const table: unknown = JSON.parse(
        readFileSync(join(folder, 'control', `${shared.name}.exchange`), 'utf8'),
      )
      expect(table).toHaveLength(2)
      expect(await kombu('bind', { queue: 'third', ...names })).toBe(3)

      const producer = connection.producer({ exchange: shared })
      await producer.publish('from us', { routingKey: key })
      await kombu('publish', { queue: 'theirs', ...names, key, bodies: ['from them'] })
      if (misses !== undefined) await producer.publish('nobody', { routingKey: misses })

      for (const name of ['ours', 'third']) {
        const texts: unknown[] = []
        for (;;) {
          const delivery = await channel.get(name)
          if (!delivery) break
          texts.push(JSON.parse(Buffer.from(delivery.message.body).toString()))
          await delivery.ack()
        }
        expect(texts).toEqual(['from us', 'from them'])
      }
      const theirs = await consume({ queue: 'theirs', ...names, count: 2 })
      expect(theirs.map(({ body }) => body)).toEqual(['from us', 'from them'])
      expect(theirs.map((one) => one.exchange)).toEqual([shared.name, shared.name])
    })
  }

  it('shares one queue with us, each message once', async () => {
    const { connection, consume, folder } = place()
    const seen: number[] = []
    const consumer = connection.consumer({
      queues: [queue('both')],
      prefetch: 2,
      onDeliveries: (deliveries) => {
        for (const delivery of deliveries) {
          seen.push(delivery.value as number)
          setTimeout(() => void delivery.ack(), 2)
        }
      },
    })
    const producer = connection.producer()
    const numbers = Array.from({ length: 3000 }, (_, i) => i)
    await Promise.all(numbers.map((i) => producer.publish(i, { routingKey: 'both' })))

    const [theirs] = await Promise.all([
      consume({ queue: 'both', count: 3000, seconds: 4 }),
      consumer.start(),
    ])

    const all = [...seen, ...theirs.map(({ body }) => body as number)]
    expect(all.toSorted((a, b) => a - b)).toEqual(numbers)
    console.log(`${seen.length} by us, ${theirs.length} by Kombu`)
    expect(readdirSync(join(folder, 'data')).filter((name) => name.endsWith('.msg'))).toEqual([])
    expect(existsSync(join(folder, 'control'))).toBe(true)
  })
})

describeWith(['python', 'redis'], 'Celery on the same folders', () => {
  function app() {
    const { folder } = place()
    mkdirSync(join(folder, 'data'))
    const queue = uniqueName('folders')
    const backend = urlOf('redis')
    const ledger = new Ledger()
    cleanups.push(() => ledger.dispose())
    const options = {
      data_folder_in: join(folder, 'data'),
      data_folder_out: join(folder, 'data'),
      control_folder: join(folder, 'control'),
    }
    const settings = { broker_transport_options: options }
    return {
      ledger,
      ours: {
        broker: `filesystem://${folder}?data_folder_in=data&data_folder_out=data`,
        backend,
        queue,
      },
      theirs: { broker: 'filesystem://', backend, queue, settings },
    }
  }

  it('runs our tasks in Python', async () => {
    const { ours, theirs, ledger } = app()
    const { broker, backend, queue: taskDefaultQueue } = ours
    await using client = quietApp({ broker, backend, taskDefaultQueue })
    const mark =
      client.remote<(file: string, id: string, ms: number, value: number) => number>('both.mark')
    const worker = await PythonWorker.start(theirs)
    try {
      const sent = await Promise.all([1, 2, 3].map((i) => mark.delay(ledger.file, `${i}`, 1, i)))

      expect(await Promise.all(sent.map((result) => result.get({ timeout: 30 })))).toEqual([
        1, 2, 3,
      ])
    } finally {
      await worker.kill9()
    }
  })

  it('runs tasks of Python here', async () => {
    const { ours, theirs, ledger } = app()
    const [worker, python] = await Promise.all([OurWorker.start(ours), PythonClient.start(theirs)])
    try {
      const ids = await python.call<string[]>('send_many', {
        task: 'both.mark',
        argument_lists: [1, 2, 3].map((i) => [ledger.file, `py-${i}`, 1, i]),
        queue: theirs.queue,
      })

      expect(await python.call<number[]>('get_many', { ids })).toEqual([1, 2, 3])
    } finally {
      await Promise.all([worker.stop(), python.kill9()])
    }
  })
})
