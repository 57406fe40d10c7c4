import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals'
import { Connection, type Compressor, type Serializer } from '@celeriac/messaging'
import { setup, type Bench } from '../worker/setup.ts'
import { unpack } from '../../src/security/envelope.ts'
import type { SecurityOptions } from '../../src/security/setup.ts'
import { Celeriac, chain, type TaskContext } from '@celeriac/tasks'
import { certificatePem, keyPem, rsaPair } from './certificates.ts'

const pair = rsaPair()
const pem = certificatePem(pair)
let store: string
const ends: (() => Promise<unknown>)[] = []

beforeAll(async () => {
  store = await mkdtemp(join(tmpdir(), 'celeriac-signed-'))
  await writeFile(join(store, 'me.pem'), pem)
})
afterAll(async () => await rm(store, { recursive: true }))
afterEach(async () => {
  for (const end of ends.splice(0).toReversed()) await end()
})

async function bench(
  options: ConstructorParameters<typeof Celeriac>[1] = {},
  security: SecurityOptions = {},
): Promise<Bench> {
  const made = await setup(
    (app) => {
      app.task('add', (x: number, y: number) => x + y)
      app.setupSecurity({ key: keyPem(pair), cert: pem, store, ...security })
    },
    { taskSerializer: 'auth', acceptContent: ['auth'], ...options },
  )
  ends.push(() => made.end())
  await made.worker.start()
  return made
}

const add = (app: Celeriac) => app.remote<(x: number, y: number) => number>('add')
const soon = { timeout: 5 }

/** One task as it is sent, by an app whose worker does not run. */
async function captured(security: SecurityOptions = {}) {
  const broker = `memory://${Math.random()}`
  await using app = new Celeriac('sender', {
    broker,
    loadConfig: false,
    taskSerializer: 'auth',
    acceptContent: ['auth'],
  }).setupSecurity({ key: keyPem(pair), cert: pem, store, ...security })
  await add(app).delay(2, 3)
  const { connection } = await app.setup()
  const delivery = await connection.withChannel((channel) => channel.get('celery', { noAck: true }))
  return delivery!.message
}

describe('a worker that takes signed messages alone', () => {
  it.each([
    ['json', {}],
    ['auth', {}],
    ['auth', { serializer: 'msgpack', digest: 'sha512' }],
  ])('runs what is signed, with results in %s, %j', async (resultSerializer, security) => {
    const { app } = await bench({ resultSerializer }, security)

    expect(await (await add(app).delay(2, 3)).get(soon)).toBe(5)
  })

  it('runs chains and retries, which it signs itself', async () => {
    const { app } = await bench()
    app.task('flaky', function flaky(this: TaskContext, x: number): number {
      if (this.request.retries === 0) throw this.retry({ countdown: 0 })
      return x
    })
    const flaky = app.remote<(x: number) => number>('flaky')

    const result = await chain(add(app).s(1, 2), flaky.s(), add(app).s(10)).delay()

    expect(await result.get(soon)).toBe(13)
  })

  it('parks what was changed, cut, not signed, or signed by others, and goes on', async () => {
    const { app, connection, parked, worker } = await bench()
    const reasons = new Set<string>()
    worker.signals.on('messageParked', ({ reason }) => reasons.add(reason))
    const good = await captured()
    const changed = Buffer.from(good.body)
    changed[300] = changed[300] === 0x41 ? 0x42 : 0x41
    const stranger = rsaPair()
    const strangerPem = certificatePem(stranger, { serialNumber: 9n })
    const foreign = await captured({ key: keyPem(stranger), cert: strangerPem })
    expect(unpack(foreign.body).signer).toBe('Tests signer 9')
    const plain = Buffer.from('[[2, 3], {}, {}]')
    const properties = (contentType: string, contentEncoding = 'utf-8') => ({
      ...good.properties,
      contentType,
      contentEncoding,
    })
    const bad = [
      { ...good, body: changed },
      { ...good, body: good.body.subarray(0, 200) },
      foreign,
      { ...good, body: plain },
      { ...good, body: plain, properties: properties('application/data', 'binary') },
      { ...good, body: plain, properties: properties('application/json') },
      { ...good, body: plain, properties: properties('text/plain') },
      { ...good, body: plain, properties: properties('application/text') },
      { ...good, body: plain, properties: {} },
    ]
    const producer = connection.producer()
    for (const [i, message] of bad.entries()) {
      const headers = { ...message.headers, id: `bad-${i}` }
      await producer.publishMessage({
        exchange: '',
        routingKey: 'celery',
        message: { ...message, headers },
      })
    }

    expect(await (await add(app).delay(20, 22)).get(soon)).toBe(42)
    const found: unknown[] = []
    for (let i = 0; found.length < bad.length && i < 100; i++) {
      found.push(...(await parked()).map(({ message }) => message.headers['id']))
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
    expect(found).toHaveLength(bad.length)
    expect(new Set(found)).toEqual(new Set(bad.map((_, i) => `bad-${i}`)))
    expect([...reasons]).toEqual(
      expect.arrayContaining([
        expect.stringMatching(/not valid auth: .* is no base64/),
        expect.stringMatching(/not valid auth: .* 2 of 5 fields/),
        expect.stringMatching(/not valid auth: .*"Tests signer 9", who is unknown/),
        expect.stringMatching(/'application\/json' is not accepted/),
        expect.stringMatching(/'text\/plain' is not accepted/),
      ]),
    )
  })
})

describe('serializers and compressors of an app', () => {
  const reversed: Serializer = {
    name: 'reversed',
    contentType: 'application/x-reversed',
    contentEncoding: 'utf-8',
    encode: (value) => Buffer.from(JSON.stringify(value)).reverse(),
    decode: (bytes) => JSON.parse(Buffer.from(bytes).reverse().toString()) as unknown,
  }
  const flipped: Compressor = {
    contentType: 'application/x-flipped',
    names: ['flipped'],
    encode: (bytes) => bytes.map((byte) => byte ^ 0xff),
    decode: (bytes) => bytes.map((byte) => byte ^ 0xff),
  }

  it('are used by name', async () => {
    const broker = `memory://${Math.random()}`
    const made = await setup((app) => void app.task('add', (x: number, y: number) => x + y), {
      broker,
      serializers: [reversed],
      compressors: [flipped],
      taskSerializer: 'reversed',
      acceptContent: ['reversed'],
      taskCompression: 'flipped',
      resultSerializer: 'reversed',
    })
    ends.push(() => made.end())
    const result = await add(made.app).delay(1, 2)
    await using connection = new Connection(broker)
    const found = await connection.withChannel(async (channel) => {
      const delivery = await channel.get('celery')
      await delivery!.requeue()
      return delivery!.message
    })
    expect(found.properties.contentType).toBe('application/x-reversed')
    expect(found.headers['compression']).toBe('application/x-flipped')

    await made.worker.start()

    expect(await result.get(soon)).toBe(3)
  })
})
