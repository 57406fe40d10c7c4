// List entries that are no messages: a worker parks them as they are, says so in its log, and goes on. Some
// of these stop a Python worker.
import { afterAll, beforeAll, expect, it } from '@jest/globals'
import { parkedQueue } from '@celeriac/tasks/internal'
import { rawRedis } from '../fixtures/raw-redis.ts'
import { until } from '../fixtures/waiting.ts'
import { goodHeaders, Workbench } from '../fixtures/workbench.ts'
import { describeWith, startPrivateRedis, type ControlledServer } from '../services/brokers.ts'

const tag = '"delivery_tag": "7d0c3a3e-6f1f-4c6f-9f1c-0d6f4f1f2a01"'
const info = '"delivery_info": {"exchange": "", "routing_key": "bad"}'

const texts: readonly (readonly [name: string, text: string])[] = [
  ['an entry that is not JSON', 'this is not JSON'],
  ['an empty entry', ''],
  ['half an entry', `{"body": "W10=", "properties": {${tag}`],
  ['a number', '42'],
  ['null', 'null'],
  ['a list', '[1, 2, 3]'],
  ['an object of something else', '{"hello": "world"}'],
  ['an entry without delivery tag', `{"body": "W10=", "headers": {}, "properties": {${info}}}`],
  [
    'an entry whose delivery tag is a number',
    `{"body": "W10=", "properties": {"delivery_tag": 5}}`,
  ],
  ['an entry without body', `{"headers": {}, "properties": {${info}, ${tag}}}`],
  [
    'an entry whose body is a number',
    `{"body": 7, "headers": {}, "properties": {${info}, ${tag}}}`,
  ],
  ['an entry that is nested too deep', '['.repeat(5000)],
]

describeWith('redis', 'a worker on Redis', () => {
  let server: ControlledServer
  let bench: Workbench
  let redis: Awaited<ReturnType<typeof rawRedis>>

  beforeAll(async () => {
    server = await startPrivateRedis()
    redis = await rawRedis(server.url)
    bench = await Workbench.open({ broker: server.url, backend: server.url }, 'bad')
  })

  afterAll(async () => {
    await bench?.close()
    redis?.disconnect()
    await server?.dispose()
  })

  it.each(texts)('parks %s as it is', async (_name, text) => {
    const warned = bench.log.length

    await redis.lpush('bad', text)

    const kept = await until(
      'it is parked',
      async () => (await redis.rpop(parkedQueue)) ?? undefined,
    )
    expect(kept).toBe(text)
    const warning = await until('it is said', () =>
      bench.log.slice(warned).find(({ message }) => message.includes('parked')),
    )
    expect(warning.fields).toMatchObject({ queue: 'bad', reason: expect.stringMatching(/./) })
    expect(await bench.works()).toBe(true)
    await until('all is settled', async () => (await redis.hlen('unacked')) === 0)
    expect(await redis.llen('bad')).toBe(0)
  })

  it('parks many at once, among good ones', async () => {
    const add = bench.app.remote<(x: number, y: number) => number>('bench.add')
    await redis.lpush('bad', ...Array.from({ length: 500 }, (_, i) => `garbage ${String(i)}`))

    const results = await Promise.all([1, 2, 3, 4].map((i) => add.delay(i, i)))

    expect(await Promise.all(results.map((result) => result.get({ timeout: 10 })))).toEqual([
      2, 4, 6, 8,
    ])
    await until('all are parked', async () => (await redis.llen(parkedQueue)) === 500)
    await redis.del(parkedQueue)
  })

  it.each([
    ['body that is not base64', { body: '%%% not base64 %%%' }, /^rejected: /],
    ['headers that are null', { headers: null }, /^(no-task|bad-body): /],
  ])('parks a message with a %s, with its reason', async (_name, change, reason) => {
    const before = bench.parked.length
    const envelope = {
      body: Buffer.from('[[1, 2], {}, {}]').toString('base64'),
      'content-encoding': 'utf-8',
      'content-type': 'application/json',
      headers: goodHeaders('bad-1'),
      properties: {
        correlation_id: 'bad-1',
        delivery_mode: 2,
        delivery_info: { exchange: '', routing_key: 'bad' },
        priority: 0,
        body_encoding: 'base64',
        delivery_tag: 'bad-tag-1',
      },
      ...change,
    }

    await redis.lpush('bad', JSON.stringify(envelope))

    const { parked } = await bench.nextParked(before)
    expect(parked.reason).toMatch(reason)
    expect(await bench.works()).toBe(true)
  })

  it('runs a message without content encoding, headers but two, and properties but three', async () => {
    const envelope = {
      body: Buffer.from('[[1, 2], {}, {}]').toString('base64'),
      'content-type': 'application/json',
      headers: { task: 'bench.add', id: 'least' },
      properties: {
        body_encoding: 'base64',
        delivery_info: { exchange: '', routing_key: 'bad' },
        delivery_tag: 'least-tag',
      },
    }

    await redis.lpush('bad', JSON.stringify(envelope))

    expect(await (await bench.app.result('least')).get({ timeout: 5 })).toBe(3)
  })

  it('runs two messages with the same delivery tag', async () => {
    const envelope = (id: string) =>
      JSON.stringify({
        body: Buffer.from('[[1, 2], {}, {}]').toString('base64'),
        'content-type': 'application/json',
        headers: { task: 'bench.add', id },
        properties: {
          body_encoding: 'base64',
          delivery_info: { exchange: '', routing_key: 'bad' },
          delivery_tag: 'the same',
        },
      })

    await redis.lpush('bad', envelope('twin-1'), envelope('twin-2'))

    for (const id of ['twin-1', 'twin-2'])
      expect(await (await bench.app.result(id)).get({ timeout: 5 })).toBe(3)
    await until('both are settled', async () => (await redis.hlen('unacked')) === 0)
  })
})
