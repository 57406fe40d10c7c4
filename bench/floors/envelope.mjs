// One message as Kombu's virtual transports store it, for the floors of brokers without AMQP.
import { randomUUID } from 'node:crypto'
import { body, taskMessage } from '../systems/message.mjs'

export function envelope() {
  const { id, headers } = taskMessage()
  return JSON.stringify({
    body: body.toString('base64'),
    'content-encoding': 'utf-8',
    'content-type': 'application/json',
    headers,
    properties: {
      correlation_id: id,
      delivery_mode: 2,
      delivery_info: { exchange: '', routing_key: 'bench' },
      priority: 0,
      body_encoding: 'base64',
      delivery_tag: randomUUID(),
    },
  })
}

/** What any consumer does with a text: the envelope and its body, parsed. */
export function read(text) {
  const message = JSON.parse(text)
  JSON.parse(Buffer.from(message.body, 'base64').toString())
  return message.properties.delivery_tag
}

/** Batches of at most 1,000 texts. */
export function* batches(many) {
  for (let sent = 0; sent < many; sent += 1000)
    yield Array.from({ length: Math.min(1000, many - sent) }, envelope)
}

/** Runs a floor: publishes in batches, or publishes and then takes 100 at a time, acknowledging each batch. */
export async function floor({ push, take, ack }) {
  const { timed } = await import('../systems/message.mjs')
  const [role, text] = process.argv.slice(2)
  const count = Number(text)
  const publish = async (many) => {
    for (const texts of batches(many)) await push(texts)
  }
  if (role !== 'consume') {
    await publish(1000)
    await timed(count, () => publish(count))
    return
  }
  await publish(count)
  await timed(count, async () => {
    let seen = 0
    let acked = Promise.resolve()
    while (seen < count) {
      const taken = await take(100)
      for (const one of taken) read(one.text)
      seen += taken.length
      await acked
      if (taken.length > 0) acked = ack(taken)
    }
    await acked
  })
}
