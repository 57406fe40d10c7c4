import { afterEach, describe, expect, it } from '@jest/globals'
import { Connection } from '../../src/connection/connection.ts'
import type { HeaderValue } from '../../src/message/message.ts'
import { exchange } from '../../src/topology/exchange.ts'
import { queue } from '../../src/topology/queue.ts'

const open: Connection[] = []
afterEach(async () => {
  await Promise.all(open.splice(0).map((connection) => connection.close()))
})

function connect(name: string): Connection {
  const connection = new Connection(`memory://${name}`, { publishTimeout: 2 })
  open.push(connection)
  return connection
}

describe('publishes that leave together', () => {
  it('fail one by one when what they declare is refused, and at once', async () => {
    const connection = connect('refused-declaration')
    const channel = await connection.channel()
    await channel.declareExchange(exchange('taken', { type: 'direct' }))
    const producer = connection.producer()

    const [bad, good] = await Promise.allSettled([
      producer.publish(1, { exchange: exchange('taken', { type: 'fanout' }), routingKey: 'a' }),
      producer.publish(2, { routingKey: 'b' }),
    ])

    expect(bad).toMatchObject({ reason: { code: 'MESSAGING_DECLARATION_REFUSED' } })
    expect(good.status).toBe('fulfilled')
    expect(await channel.get('b')).toBeDefined()
  })

  it('fail one by one when the headers of one cannot be carried', async () => {
    const connection = connect('bad-headers')
    const producer = connection.producer()
    const endless: Record<string, HeaderValue> = {}
    endless['self'] = endless

    const [bad, good] = await Promise.allSettled([
      producer.publish(1, { routingKey: 'a', headers: { endless } }),
      producer.publish(2, { routingKey: 'b' }),
    ])

    expect(bad).toMatchObject({ reason: { code: 'MESSAGING_ENCODE_FAILED' } })
    expect(good.status).toBe('fulfilled')
  })
})

describe('publishes whose codec must be loaded first', () => {
  it('are sent before the producer closes', async () => {
    const connection = connect('lazy-publish')
    const channel = await connection.channel()
    await channel.declareQueue(queue('lazy'))
    const producer = connection.producer({ serializer: 'yaml', compression: 'bzip2' })

    const published = producer.publish({ a: 1 }, { routingKey: 'lazy' })
    await producer.close()
    await published

    const delivery = await channel.get('lazy')
    expect(delivery?.message.properties.contentType).toBe('application/x-yaml')
    expect(delivery?.message.headers['compression']).toBe('application/x-bz2')
  })
})
