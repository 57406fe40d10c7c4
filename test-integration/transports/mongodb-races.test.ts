// MongoDB as a broker among others who use the same database: sessions, clocks, declarations.
import { Connection, message, queue, silentLogger, type Delivery } from '@celeriac/messaging'
import { afterEach, expect, it } from '@jest/globals'
import { MongoClient, type Db } from 'mongodb'
import { pause, until } from '../fixtures/crash-rounds.ts'
import { describeWith, uniqueName, urlOf } from '../services/brokers.ts'

const cleanups: (() => Promise<unknown> | void)[] = []

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup()
})

const newUrl = () => `${urlOf('mongodb')}/${uniqueName('races')}`

function connect(url: string, aheadMs = () => 0): Connection {
  const clock = {
    now: () => Date.now() + aheadMs(),
    monotonic: () => performance.now(),
    after(ms: number, run: () => void, options?: { background?: boolean }) {
      const timer = setTimeout(run, Math.min(ms, 2 ** 31 - 1))
      if (options?.background) timer.unref()
      return () => clearTimeout(timer)
    },
  }
  const connection = new Connection(url, { ambient: { log: silentLogger, clock } })
  cleanups.push(() => connection.close())
  return connection
}

async function raw(url: string): Promise<Db> {
  const client = new MongoClient(url)
  await client.connect()
  cleanups.push(() => client.close())
  return client.db()
}

const publication = (routingKey: string, text = 'x') => ({
  exchange: '',
  routingKey,
  message: message(text),
})

describeWith('mongodb', 'sessions of MongoDB among others', () => {
  it('give back what a session claimed after it was given up', async () => {
    const url = newUrl()
    const first = connect(url)
    const channel = await first.channel()
    await channel.publish([publication('stray')])
    const db = await raw(url)
    await db
      .collection('messages')
      .updateMany({}, { $rename: { queue: 'held_queue' }, $set: { owner: 'gone' } })
    await first.close()

    const other = await connect(url).channel()
    let delivery: Delivery | undefined
    await until(async () => (delivery = await other.get('stray')) !== undefined, 25_000)
    expect(delivery!.origin.redelivered).toBe(true)
    await delivery!.ack()
  }, 40_000)

  it('are not given up by one whose clock is set forward', async () => {
    const url = newUrl()
    const holder = connect(url)
    const channel = await holder.channel()
    await channel.publish([publication('held')])
    const held = await channel.get('held')
    let lost = false
    void holder.signals.once('disconnected', AbortSignal.timeout(60_000)).then(
      () => (lost = true),
      () => undefined,
    )
    let aheadMs = 0
    const other = await connect(url, () => aheadMs).channel()
    await pause(500)

    aheadMs = 3_600_000
    await pause(11_000)

    expect(lost).toBe(false)
    expect(await other.get('held')).toBeUndefined()
    await held!.ack()
  }, 30_000)

  it('are not ended by a link that came about too late', async () => {
    const url = newUrl()
    const late = connect(url)
    await (await late.channel()).declareQueue(queue('mine'))
    const db = await raw(url)
    const sessions = db.collection('messages.sessions')
    const { _id: owner } = (await sessions.findOne({}))!
    await sessions.updateMany({}, { $set: { holder: 'the next link' } })
    await db.collection('messages').insertOne({ payload: '{}', held_queue: 'mine', owner })

    await late.close()

    expect(await sessions.countDocuments()).toBe(1)
    expect(await db.collection('messages').countDocuments({ owner })).toBe(1)
  })
})

describeWith('mongodb', 'queues of MongoDB among others', () => {
  it('live by the clock of the server, not by that of whoever looks', async () => {
    const url = newUrl()
    const lasting = queue('lasting', { arguments: { 'x-expires': 600_000 } })
    const channel = await connect(url).channel()
    await channel.declareQueue(lasting)
    await channel.publish([publication('lasting')])

    await connect(url, () => 3_600_000).channel()
    await pause(5000)

    const delivery = await channel.get('lasting')
    await delivery!.ack()
  }, 20_000)

  it('are declared again when somebody else removed them', async () => {
    const url = newUrl()
    const [mine, theirs] = [await connect(url).channel(), await connect(url).channel()]
    await mine.declareQueue(queue('again'))
    await theirs.removeQueue('again')
    await mine.declareQueue(queue('again'))

    expect((await theirs.declareQueue(queue('again'), { passive: true })).name).toBe('again')
  })

  it('refuse only those messages that an index of somebody else refuses', async () => {
    const url = newUrl()
    const channel = await connect(url).channel()
    const db = await raw(url)
    await db.collection('messages').createIndex({ queue: 1 }, { unique: true, name: 'one each' })

    const results = await channel.publish([
      publication('a'),
      publication('a', 'again'),
      publication('b'),
    ])

    expect([...results!.keys()]).toEqual([1])
    expect(results!.get(1)).toMatchObject({ code: 'MESSAGING_PUBLISH_REFUSED', fault: 'message' })
    expect(await db.collection('messages').countDocuments()).toBe(2)
  })
})
