// PostgreSQL as a broker at the limits of its types: what one message asks for concerns no other.
import { Connection, message, silentLogger } from '@celeriac/messaging'
import { afterEach, expect, it } from '@jest/globals'
import { describeWith, uniqueName, urlOf } from '../services/brokers.ts'

const cleanups: (() => Promise<unknown>)[] = []

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup()
})

async function newChannel() {
  const url = `${urlOf('postgres')}?schema=${uniqueName('limits')}`
  const connection = new Connection(url, { ambient: { log: silentLogger } })
  cleanups.push(() => connection.close())
  return await connection.channel()
}

describeWith('postgres', 'the limits of PostgreSQL', () => {
  for (const [what, properties] of [
    ['an expiry beyond all dates', { expirationMs: 1e18 }],
    ['an expiry without end', { expirationMs: Infinity }],
    ['a priority that is no number', { priority: Number.NaN }],
    ['a priority beyond all priorities', { priority: Infinity }],
  ] as const)
    it(`keep the messages beside one with ${what}, and that one`, async () => {
      const channel = await newChannel()

      const results = await channel.publish([
        { exchange: '', routingKey: 'q', message: message('plain') },
        { exchange: '', routingKey: 'q', message: message('odd', properties) },
      ])

      expect(results?.size ?? 0).toBe(0)
      expect((await channel.get('q')) && (await channel.get('q'))).toBeDefined()
    })

  it('hold a message until an hour beyond all dates', async () => {
    const channel = await newChannel()
    await channel.publish([{ exchange: '', routingKey: 'q', message: message('x') }])
    const delivery = await channel.get('q')

    await delivery!.settle({ delayUntilMs: 1e18 })

    expect(await channel.get('q')).toBeUndefined()
  })
})
