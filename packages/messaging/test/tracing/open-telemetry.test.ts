import { context, propagation, trace, SpanKind, SpanStatusCode } from '@opentelemetry/api'
import {
  InMemorySpanExporter,
  NodeTracerProvider,
  SimpleSpanProcessor,
} from '@opentelemetry/sdk-trace-node'
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals'
import { Connection } from '../../src/connection/connection.ts'
import { queue } from '../../src/topology/queue.ts'
import { openTelemetry } from '../../src/tracing/open-telemetry.ts'

const exporter = new InMemorySpanExporter()
const provider = new NodeTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] })
beforeAll(() => provider.register())
afterAll(async () => {
  await provider.shutdown()
  trace.disable()
  context.disable()
  propagation.disable()
})

const open: Connection[] = []
afterEach(async () => {
  await Promise.all(open.splice(0).map((connection) => connection.close()))
  exporter.reset()
})

let count = 0
async function connect(): Promise<Connection> {
  const connection = new Connection(`memory://traced-${++count}`, {
    tracing: await openTelemetry(),
  })
  open.push(connection)
  return connection
}

describe('OpenTelemetry', () => {
  it('joins what is published, worked on, and published by the work into one trace', async () => {
    const connection = await connect()
    const producer = connection.producer()
    const seen: unknown[] = []
    const loop = connection.loop(
      ['first', 'second'],
      async (value, delivery) => {
        seen.push(value)
        expect(delivery.message.headers['traceparent']).toMatch(/^00-/)
        if (value === 1) await producer.publish(2, { routingKey: 'second' })
      },
      { limit: 2 },
    )

    await producer.publish(1, { routingKey: 'first', headers: { mine: 'x' }, messageId: 'm-1' })
    await loop.run()

    expect(seen).toEqual([1, 2])
    const spans = exporter.getFinishedSpans()
    const named = (name: string) => spans.find((span) => span.name === name)!
    expect(spans.map(({ name }) => name).toSorted()).toEqual([
      'process first',
      'process second',
      'send first',
      'send second',
    ])
    expect(new Set(spans.map((span) => span.spanContext().traceId)).size).toBe(1)
    const parentOf = (name: string) => named(name).parentSpanContext?.spanId
    expect(parentOf('process first')).toBe(named('send first').spanContext().spanId)
    expect(parentOf('send second')).toBe(named('process first').spanContext().spanId)
    expect(named('send first').kind).toBe(SpanKind.PRODUCER)
    expect(named('process first').kind).toBe(SpanKind.CONSUMER)
    expect(named('send first').attributes).toMatchObject({
      'messaging.system': 'celeriac',
      'messaging.destination.name': 'first',
      'messaging.message.id': 'm-1',
    })
  })

  it('marks what failed, on both sides', async () => {
    const connection = await connect()
    const producer = connection.producer()
    const refused = producer.publish(1, { routingKey: 'nowhere', mandatory: true })
    await expect(refused).rejects.toMatchObject({ code: 'MESSAGING_UNROUTABLE' })
    await producer.publish(1, { routingKey: 'q', declare: [queue('q')] })
    await connection
      .loop('q', () => Promise.reject(new Error('no luck')), { limit: 1, onError: () => 'ack' })
      .run()

    const failed = exporter
      .getFinishedSpans()
      .filter(({ status }) => status.code === SpanStatusCode.ERROR)
      .map(({ name, status }) => [name, status.message])
    expect(failed).toEqual([
      ['send nowhere', expect.stringContaining('no queue takes')],
      ['process q', 'no luck'],
    ])
  })

  it('follows every message of many, and ends the spans of those that failed', async () => {
    const connection = await connect()
    const channel = await connection.channel()
    await channel.declareQueue(queue('full', { maxLength: 1, overflow: 'reject-publish' }))

    await connection.producer({ routingKey: 'full' }).sendMany([1, 2])

    const codes = exporter.getFinishedSpans().map(({ status }) => status.code)
    expect(codes).toEqual([SpanStatusCode.UNSET, SpanStatusCode.ERROR])
  })

  it('goes on with the context of another program, and without one', async () => {
    const connection = await connect()
    const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'
    const channel = await connection.channel()
    for (const headers of [{ traceparent }, { traceparent: 7 }])
      await channel.publish([
        {
          exchange: '',
          routingKey: 'q',
          message: { body: Buffer.from('1'), headers, properties: {} },
        },
      ])
    await connection.loop('q', () => undefined, { limit: 2, accept: ['raw'] }).run()

    const [known, fresh] = exporter.getFinishedSpans()
    expect(known!.spanContext().traceId).toBe('0af7651916cd43dd8448eb211c80319c')
    expect(known!.parentSpanContext?.spanId).toBe('b7ad6b7169203331')
    expect(fresh!.parentSpanContext).toBeUndefined()
  })
})
