// What Python wrote to a Redis broker, pushed back byte by byte: it is read with everything in it, held as
// Python holds it, and given back marked as Python marks it.
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals'
import { Connection, silentLogger, type Delivery } from '@celeriac/messaging'
import { parseJson } from '@celeriac/messaging/internal'
import { rawRedis } from '../fixtures/raw-redis.ts'
import { until } from '../fixtures/waiting.ts'
import { vector, vectorNames, type Envelope } from '../fixtures/vectors.ts'
import { describeWith, startPrivateRedis, type ControlledServer } from '../services/brokers.ts'

/** Not JSON, or JSON that JavaScript's own parser reads otherwise; their values are compared elsewhere. */
const otherContent =
  /^(task-app-defaults|ser-(msgpack|pickle|yaml)|msgpack|yaml|raw-bytes|signed|json-|ser-json-(lzma|zstd)|compression-alias-(bzip|zstandard))/

describeWith('redis', 'what Python wrote to Redis', () => {
  let server: ControlledServer
  let redis: Awaited<ReturnType<typeof rawRedis>>

  beforeAll(async () => {
    server = await startPrivateRedis({ args: ['--appendfsync', 'no'] })
    redis = await rawRedis(server.url)
  })

  beforeEach(() => redis.flushall())

  afterAll(async () => {
    redis?.disconnect()
    await server?.dispose()
  })

  /** Opens a channel; what is given to `work` was taken from `celery`. */
  async function taking<T>(raw: string, work: (delivery: Delivery) => Promise<T>): Promise<T> {
    await redis.lpush('celery', raw)
    await using connection = new Connection(server.url, { ambient: { log: silentLogger } })
    return await connection.withChannel(async (channel) => {
      const delivery = await channel.get('celery')
      delivery!.useDecoder((message) => connection.codec.decode(message))
      return await work(delivery!)
    })
  }

  const messages = vectorNames().flatMap((name) => {
    const captured = vector(name).messages ?? []
    return captured
      .filter(({ raw }) => raw !== undefined)
      .map(({ raw, envelope, body_json }, i) => ({
        name: captured.length > 1 ? `${name} ${String(i + 1)}` : name,
        raw,
        envelope,
        body_json,
      }))
  })

  it('is a hundred messages at least', () => {
    expect(messages.length).toBeGreaterThan(100)
  })

  it.each(messages)('is read: $name', async ({ name, raw, envelope, body_json }) => {
    await taking(raw, async (delivery) => {
      const { headers, properties } = delivery.message
      const info = envelope.properties['delivery_info'] as Record<string, unknown>
      const seen = {
        headers,
        priority: properties.priority,
        correlationId: properties.correlationId,
        replyTo: properties.replyTo,
        contentType: properties.contentType,
        exchange: delivery.origin.exchange,
        routingKey: delivery.origin.routingKey,
        value: otherContent.test(name) ? undefined : delivery.value,
      }

      expect(seen).toEqual({
        headers: envelope.headers,
        priority: envelope.properties['priority'],
        correlationId: envelope.properties['correlation_id'],
        replyTo: envelope.properties['reply_to'],
        contentType: envelope['content-type'],
        exchange: info['exchange'],
        routingKey: info['routing_key'],
        value: otherContent.test(name) ? undefined : exactly(envelope, body_json),
      })
      await delivery.ack()
    })
  })

  it('is held in unacked under its tag as [envelope, exchange, routing key], byte by byte', async () => {
    const dump = vector('redis-unacked').redis
    const held = dump.find(({ key }) => key === 'unacked')!.value as Record<string, string>
    const waiting = Object.values(held).map((value) => value.slice(1, value.lastIndexOf(', "", ')))

    for (const [i, tag] of Object.keys(held).entries()) {
      await taking(waiting[i]!, async (delivery) => {
        expect(await redis.hgetall('unacked')).toEqual({ [tag]: held[tag] })
        const score = Number(await redis.zscore('unacked_index', tag))
        expect(Math.abs(score - Date.now() / 1000)).toBeLessThan(5)
        await delivery.ack()
        await until('it is let go', async () => (await redis.hlen('unacked')) === 0)
        expect(await redis.zcard('unacked_index')).toBe(0)
      })
    }
  })

  it('comes back after its visibility timeout as redis-visibility-restore', async () => {
    const { redis_before: before, redis: after } = vector('redis-visibility-restore')
    const held = before.find(({ key }) => key === 'unacked')!.value as Record<string, string>
    for (const [tag, value] of Object.entries(held)) {
      await redis.hset('unacked', tag, value)
      await redis.zadd('unacked_index', Date.now() / 1000 - 60, tag)
    }

    await using connection = new Connection(server.url, {
      transportOptions: { visibilityTimeout: 1 },
      ambient: { log: silentLogger },
    })
    await connection.connect()
    await until('all are back', async () => (await redis.hlen('unacked')) === 0)

    for (const { key, type, value } of after) {
      if (type !== 'list') continue
      const ours = await redis.lrange(key, 0, -1)
      expect({ key, texts: parsed(ours) }).toEqual({ key, texts: parsed(value as string[]) })
    }
  })

  it('is requeued to the far end, marked as redis-reject-requeue', async () => {
    const [first, again] = vector('redis-reject-requeue').pushes.map(([, , text]) => text!)
    await taking(first!, async (delivery) => {
      await redis.lpush('celery', 'one that waits')
      await delivery.requeue()
      await until('it is back', async () => (await redis.llen('celery')) === 2)
    })

    const [text, next] = await redis.lrange('celery', 0, -1)
    expect(next).toBe('one that waits')
    const ours = JSON.parse(text!) as Envelope
    // Ours alone, at the end: how often it came back.
    expect(ours.headers['x-delivery-count'] ?? 1).toBe(1)
    const { 'x-delivery-count': _, ...headers } = ours.headers
    const seen = JSON.stringify({ ...ours, headers })
    expect(JSON.parse(seen)).toEqual(JSON.parse(again!))
    expect(namesOf(seen)).toEqual(namesOf(again!))
  })

  describe('with Python restoring what we held', () => {
    it('can be restored by the rules of Python: tag, score and entry agree', async () => {
      const [captured] = vector('task-simple').messages
      await taking(captured!.raw, async () => {
        // As Kombu's restore does: index → hash → [envelope, exchange, routing key].
        const [tag] = await redis.zrangebyscore('unacked_index', 0, Date.now() / 1000 + 10)
        const [envelope, exchange, routingKey] = JSON.parse(
          (await redis.hget('unacked', tag!))!,
        ) as [Envelope, string, string]
        expect(envelope).toEqual(captured!.envelope)
        expect({ exchange, routingKey }).toEqual({ exchange: '', routingKey: 'celery' })
      })
    })
  })
})

/** With integers that only Python holds exactly; `body_json` has lost them already. */
function exactly(envelope: Envelope, fallback: unknown): unknown {
  try {
    const isBase64 = envelope.properties['body_encoding'] === 'base64'
    return parseJson(isBase64 ? Buffer.from(envelope.body, 'base64').toString() : envelope.body)
  } catch {
    return fallback
  }
}

/** As values with the names in order, the newest first as the list has them. */
function parsed(texts: readonly string[]): unknown[] {
  return texts
    .map((text) => ({ value: JSON.parse(text) as unknown, names: namesOf(text) }))
    .toSorted((a, b) => JSON.stringify(a.value).localeCompare(JSON.stringify(b.value)))
}

function namesOf(text: string): unknown {
  const { headers, properties, ...rest } = JSON.parse(text) as Envelope
  return [Object.keys(rest), Object.keys(headers), Object.keys(properties)]
}
