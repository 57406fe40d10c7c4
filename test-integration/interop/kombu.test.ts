// Kombu and we on the same broker, without Celery: every serializer and compressor, priorities, exchanges,
// simple queues and mailboxes, in both directions.
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  Connection,
  exchange,
  queue,
  silentLogger,
  type Delivery,
  type transports,
} from '@celeriac/messaging'
import { afterAll, beforeAll, beforeEach, expect, it } from '@jest/globals'
import { KombuPeer, type KombuMessage } from '../fixtures/kombu-peer.ts'
import { describeWith, uniqueName, urlOf } from '../services/brokers.ts'

const serializers = ['json', 'yaml', 'msgpack', 'pickle'] as const
const compressions = ['gzip', 'bzip2', 'lzma', 'brotli', 'zstd'] as const
const value = { text: 'zażółć 🐇', list: [1, 2.5, null, true, 'x'], map: { a: { b: [] } } }

interface Place {
  readonly name: keyof typeof transports
  readonly needs: readonly ('redis' | 'rabbitmq' | 'python')[]
  open(): { url: string; kombu: string; options?: Record<string, unknown>; close?: () => void }
}

const places: readonly Place[] = [
  {
    name: 'redis',
    needs: ['redis', 'python'],
    open: () => ({ url: urlOf('redis'), kombu: urlOf('redis') }),
  },
  {
    name: 'amqp',
    needs: ['rabbitmq', 'python'],
    open: () => ({ url: urlOf('rabbitmq'), kombu: urlOf('rabbitmq') }),
  },
  {
    name: 'filesystem',
    needs: ['python'],
    open() {
      const folder = mkdtempSync(join(tmpdir(), 'celeriac-kombu-peer-'))
      const data = join(folder, 'data')
      mkdirSync(data)
      const options = {
        data_folder_in: data,
        data_folder_out: data,
        control_folder: join(folder, 'control'),
      }
      const query = new URLSearchParams(options).toString()
      return {
        url: `filesystem://?${query}`,
        kombu: 'filesystem://',
        options,
        close: () => rmSync(folder, { recursive: true, force: true }),
      }
    },
  },
]

for (const place of places) {
  describeWith(place.needs, `Kombu beside us on ${place.name}`, () => {
    let opened: ReturnType<Place['open']>
    let connection: Connection
    let peer: KombuPeer
    let name: string

    beforeAll(async () => {
      opened = place.open()
      peer = await KombuPeer.start(opened.kombu, opened.options)
      connection = new Connection(opened.url, {
        accept: ['json', 'yaml', 'msgpack', 'pickle', 'text', 'raw'],
        ambient: { log: silentLogger },
      })
    })

    beforeEach(() => {
      name = uniqueName('kombu')
    })

    afterAll(async () => {
      await connection?.close()
      await peer?.stop()
      opened?.close?.()
    })

    const receive = async (count: number): Promise<Delivery[]> => {
      const received: Delivery[] = []
      const signal = AbortSignal.timeout(15_000)
      for await (const delivery of connection.consume(name, {
        limit: count,
        signal,
        prefetch: 1,
      })) {
        received.push(delivery)
        await delivery.ack()
      }
      return received
    }
    /** Two messages of one millisecond have no order in folders. */
    const byKind = (messages: readonly KombuMessage[]): KombuMessage[] =>
      messages.toSorted((a, b) => (a.kind < b.kind ? 1 : -1))
    const consume = (params: object): Promise<KombuMessage[]> =>
      peer.call('consume', { queue: name, ...params })

    it('reads what Kombu writes with every serializer and compressor', async () => {
      const combinations = serializers.flatMap((serializer) =>
        [undefined, ...compressions].map((compression) => ({ serializer, compression })),
      )
      await peer.call('publish', {
        queue: name,
        messages: combinations.map((one) => ({ ...one, value, headers: { n: 7 } })),
      })

      const received = await receive(combinations.length)

      for (const [i, delivery] of received.entries()) {
        expect([combinations[i], delivery.value]).toEqual([combinations[i], value])
        expect(delivery.message.headers['n']).toBe(7)
        expect(delivery.message.properties).toMatchObject({
          correlationId: 'c-1',
          replyTo: 'answers',
        })
      }
    }, 60_000)

    it('writes what Kombu reads with every serializer and compressor', async () => {
      const producer = connection.producer({ routingKey: name })
      const combinations = serializers.flatMap((serializer) =>
        [undefined, ...compressions].map((compression) => ({ serializer, compression })),
      )
      for (const { serializer, compression } of combinations)
        await producer.publish(value, {
          serializer,
          ...(compression && { compression }),
          declare: [queue(name)],
          headers: { n: 7 },
          correlationId: 'c-1',
        })

      const received = await consume({ count: combinations.length })

      expect(received.length).toBe(combinations.length)
      for (const [i, one] of received.entries()) {
        expect([combinations[i], one.value]).toEqual([combinations[i], value])
        expect([one.headers['n'], one.correlation_id]).toEqual([7, 'c-1'])
      }
    }, 60_000)

    it('exchanges texts and bytes as they are', async () => {
      const producer = connection.producer({ routingKey: name })
      await producer.publish('grüße', { serializer: 'text', declare: [queue(name)] })
      await producer.publish(Uint8Array.of(0, 255, 128), { serializer: 'raw' })
      const [text, bytes] = byKind(await consume({ count: 2 }))
      expect([text!.value, text!.kind]).toEqual(['grüße', 'str'])
      expect([bytes!.value, bytes!.kind]).toEqual(['00ff80', 'bytes'])

      await peer.call('publish', {
        queue: name,
        messages: [
          { value: 'grüße', serializer: 'raw' },
          { hex: '00ff80', serializer: 'raw' },
        ],
      })
      const [first, second] = (await receive(2)).toSorted(
        (a, b) => b.message.body.length - a.message.body.length,
      )

      expect(Buffer.from(first!.message.body).toString()).toBe('grüße')
      expect(Buffer.from(second!.message.body).toString('hex')).toBe('00ff80')
    }, 60_000)

    it('routes topics to each other', async () => {
      const topic = exchange(`${name}.topic`, { type: 'topic' })
      const params = {
        exchange: topic.name,
        type: 'topic',
        queue: name,
        routing_key: 'stock.*.nyse',
        count: 1,
      }
      const listening = await peer.consuming(params)
      const producer = connection.producer({ exchange: topic })
      await producer.publish('no', { routingKey: 'stock.nyse' })
      await producer.publish('yes', { routingKey: 'stock.ibm.nyse' })
      expect((await listening.received).map((one) => one.value)).toEqual(['yes'])

      await peer.call('publish', {
        ...params,
        messages: [
          { value: 'no', key: 'bond.ibm.nyse' },
          { value: 'yes', key: 'stock.ibm.nyse' },
        ],
      })
      const [delivery] = await receive(1)

      expect([delivery!.value, delivery!.origin.routingKey]).toEqual(['yes', 'stock.ibm.nyse'])
    }, 60_000)

    it('spreads a fanout to each other', async () => {
      const fanout = exchange(`${name}.fanout`, { type: 'fanout' })
      const params = { exchange: fanout.name, type: 'fanout', routing_key: '' }
      const listening = await peer.consuming({ ...params, queue: `${name}.py`, count: 2 })
      const own = queue(`${name}.js`, { bindings: [{ exchange: fanout }] })
      const seen: unknown[] = []
      let done!: () => void
      const both = new Promise<void>((resolve) => (done = resolve))
      const consumer = connection.consumer({
        queues: [own],
        onDeliveries: (deliveries) => {
          for (const delivery of deliveries) {
            seen.push(delivery.value)
            void (delivery.isSettled ? undefined : delivery.ack())
          }
          if (seen.length >= 2) done()
        },
      })
      await consumer.start()

      await connection.producer({ exchange: fanout }).publish('from us')
      await peer.call('publish', {
        ...params,
        queue: `${name}.py`,
        messages: [{ value: 'from them', key: '' }],
      })

      const theirs = (await listening.received).map((one) => one.value)
      expect(new Set(theirs)).toEqual(new Set(['from us', 'from them']))
      await both
      expect(new Set(seen)).toEqual(new Set(['from us', 'from them']))
      await consumer.stop()
    }, 60_000)

    it('shares simple queues', async () => {
      await using simple = connection.simpleQueue(name)
      await simple.put({ from: 'us' })
      expect(await peer.call('simple_get', { queue: name })).toEqual({ from: 'us' })

      await peer.call('simple_put', { queue: name, value: { from: 'them' } })
      const delivery = await simple.get({ timeout: 10 })

      expect(delivery.value).toEqual({ from: 'them' })
      await delivery.ack()
    }, 60_000)

    if (place.name !== 'filesystem') {
      it('serves each other by priority', async () => {
        const max = place.name === 'amqp' ? { maxPriority: 9 } : {}
        const expected = place.name === 'amqp' ? ['9', '3', '0'] : ['0', '3', '9']
        const producer = connection.producer({ routingKey: name })
        for (const priority of [3, 0, 9])
          await producer.publish(String(priority), { priority, declare: [queue(name, max)] })
        const read = await consume({
          count: 3,
          ...(max.maxPriority === undefined ? {} : { max_priority: 9 }),
        })
        expect(read.map((one) => one.value)).toEqual(expected)

        await peer.call('publish', {
          queue: name,
          ...(max.maxPriority === undefined ? {} : { max_priority: 9 }),
          messages: [3, 0, 9].map((priority) => ({ value: String(priority), priority })),
        })
        const channel = await connection.channel()
        const texts: string[] = []
        for (let i = 0; i < 3; i++) {
          const delivery = await channel.get(name)
          texts.push(Buffer.from(delivery!.message.body).toString())
          await delivery!.ack()
        }
        await channel.close()

        expect(texts).toEqual(expected)
      }, 60_000)

      it('answers Kombu’s calls and casts, and those of Kombu’s nodes', async () => {
        const namespace = name
        const heard: unknown[] = []
        await using mailbox = connection.mailbox(namespace, { type: 'fanout' })
        await using node = mailbox.node('js@here', {
          handlers: {
            ping: (args) => ({ ok: 'pong', ...args }),
            note: ({ text }) => void heard.push(text),
            fail: () => {
              throw new RangeError("it's broken")
            },
          },
        })
        await node.start()
        await peer.call('node', { namespace, name: 'py@there' })

        const nodesOf = (replies: readonly object[]) =>
          replies.flatMap((reply) => Object.keys(reply)).toSorted()
        const theirs = await peer.call<Record<string, unknown>[]>('call', {
          namespace,
          method: 'ping',
          arguments: { n: 1 },
        })
        expect(nodesOf(theirs)).toEqual(['js@here', 'py@there'])
        expect(theirs.find((reply) => 'js@here' in reply)).toEqual({
          'js@here': { ok: 'pong', n: 1 },
        })
        expect(
          await peer.call('call', { namespace, method: 'fail', destination: ['js@here'] }),
        ).toEqual([{ 'js@here': { error: 'RangeError("it\'s broken")' } }])
        expect(
          await peer.call('call', { namespace, method: 'ping', pattern: 'js@*', matcher: 'glob' }),
        ).toEqual([{ 'js@here': { ok: 'pong' } }])
        await peer.call('cast', { namespace, method: 'note', arguments: { text: 'from them' } })

        const ours = await mailbox.call('ping', { n: 2 }, { limit: 2, timeout: 10 })
        expect(ours.map((reply) => reply.node).toSorted()).toEqual(['js@here', 'py@there'])
        expect(ours.find((reply) => reply.node === 'py@there')?.value).toEqual({ ok: 'pong', n: 2 })
        expect(await mailbox.call('fail', {}, { destination: ['py@there'], timeout: 10 })).toEqual([
          { node: 'py@there', value: { error: 'ValueError("it\'s broken")' } },
        ])
        expect(
          (await mailbox.call('ping', {}, { pattern: 'py@t.*', matcher: 'pcre', timeout: 1 })).map(
            (reply) => reply.node,
          ),
        ).toEqual(['py@there'])
        await mailbox.cast('note', { text: 'from us' }, { destination: ['py@there'] })
        await mailbox.call('ping', {}, { destination: ['py@there'], timeout: 10 })

        expect(await peer.call('heard', {})).toEqual(['from them', 'from us'])
        expect(heard).toEqual(['from them'])
      }, 60_000)
    }
  })
}
