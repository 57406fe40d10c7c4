// Redis Cluster: the suite, queues spread over the masters, and masters that change, die and hand over slots
// while tasks flow.
import { Connection, transports } from '@celeriac/messaging'
import { transportSuite } from '@celeriac/messaging/testing'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { RedisCluster } from '../fixtures/redis-cluster.ts'
import { counter, pause, redisBench, until } from '../fixtures/redis-bench.ts'
import { describeWith, uniqueName } from '../services/brokers.ts'

const { capabilities } = await transports.redis.load()
const bench = redisBench()
const isLong = process.env['CELERIAC_CHAOS'] === 'long'

let cluster: RedisCluster

/** Publishes all the time and consumes everything; `check` ends it and counts. */
async function traffic(queueCount: number, everyMs: number) {
  const queues = Array.from({ length: queueCount }, (_, n) => uniqueName(`tasks${n}`))
  const { seen, takeAll, twice } = counter(5)
  const errors: string[] = []
  const consumers = [bench.connect(cluster.url), bench.connect(cluster.url)].map((connection) => {
    connection.signals.on('disconnected', ({ error }) => void errors.push(error.message))
    return connection.consumer({ queues, prefetch: 40, onDeliveries: takeAll })
  })
  for (const consumer of consumers) await consumer.start()
  const producer = bench.connect(cluster.url, { publishTimeout: 20 }).producer()
  const confirmed = new Set<number>()
  let [n, refused, isOver] = [0, 0, false]
  bench.later(() => (isOver = true))
  const feeding = (async () => {
    while (!isOver) {
      const id = n++
      producer.publish(id, { routingKey: queues[id % queueCount]! }).then(
        () => confirmed.add(id),
        () => void refused++,
      )
      await pause(everyMs)
    }
  })()
  await until(() => seen.size > queueCount)
  return {
    queues,
    seen,
    /** For a failure: how far both ends came, and how the cluster sees itself. */
    async state(): Promise<string> {
      const counts = { said: n, confirmed: confirmed.size, refused, seen: seen.size }
      return `${JSON.stringify({ counts, errors: errors.slice(-6) })}\n${await cluster.views()}`
    },
    async check(what: string): Promise<void> {
      isOver = true
      await feeding
      const lost = (): number => [...confirmed].filter((id) => !seen.has(id)).length
      await until(() => confirmed.size + refused === n, 25_000, 'publishes hang')
      await until(() => lost() === 0, 30_000, 'messages are lost').catch(() => undefined)
      process.stderr.write(
        `cluster, ${what}: ${confirmed.size} confirmed, ${refused} refused, lost ${lost()}, twice ${twice()}\n`,
      )
      expect(lost()).toBe(0)
      expect(errors.join()).not.toMatch(/CROSSSLOT/)
    },
  }
}

describeWith('redis', 'Redis Cluster', () => {
  beforeAll(async () => {
    cluster = await RedisCluster.start()
    process.stderr.write(`cluster: 3 masters, 3 replicas of Redis ${cluster.version}\n`)
  }, 90_000)

  afterAll(async () => {
    await cluster.dispose()
  })

  transportSuite(
    { describe, it },
    {
      name: 'redis, a cluster',
      capabilities,
      connect: () => new Connection(cluster.url),
      unique: uniqueName,
    },
  )

  it('spreads queues over its masters, each wholly on one', async () => {
    const { queues, check } = await traffic(20, 2)
    await check('spread')

    const sizes: number[] = []
    for (const { port } of await cluster.masters()) {
      const keys = await (await cluster.client(port)).keys('*')
      const here = queues.filter((queue) => keys.some((key) => key.startsWith(`{${queue}}`)))
      sizes.push(here.length)
    }
    expect(sizes.reduce((sum, size) => sum + size, 0)).toBe(20)
    expect(Math.min(...sizes)).toBeGreaterThan(0)
  })

  it('serves a fanout from every node to every node', async () => {
    const values: unknown[] = []
    const { exchange, queue } = await import('@celeriac/messaging')
    const all = exchange(uniqueName('all'), { type: 'fanout' })
    for (let n = 0; n < 4; n++) {
      const inbox = queue(uniqueName('inbox'), { bindings: [{ exchange: all, routingKey: '' }] })
      const consumer = bench.connect(cluster.url).consumer({
        queues: [inbox],
        onDeliveries: (d) => d.forEach((one) => values.push(one.value)),
      })
      await consumer.start()
    }
    const producer = bench.connect(cluster.url).producer({ exchange: all })
    await producer.publish('x')

    await until(() => values.length === 4)
  })

  it('loses nothing while slots move', async () => {
    const flow = await traffic(6, 5)
    const [from, to] = await cluster.masters()
    const client = await cluster.client(from!.port)
    const mine: number[] = []
    for (const queue of flow.queues) {
      const slot = Number(await client.call('CLUSTER', 'KEYSLOT', `{${queue}}`))
      if (from!.slots.some(([first, last]) => slot >= first && slot <= last)) mine.push(slot)
    }
    const [first] = from!.slots[0]!
    const more = Array.from({ length: isLong ? 1000 : 30 }, (_, n) => first + n)

    await cluster.moveSlots([...new Set([...mine, ...more])], from!, to!)
    const before = flow.seen.size
    await until(() => flow.seen.size > before + 50)

    await flow.check(`${mine.length} queues among ${more.length} slots moved`)
  }, 120_000)

  it('loses nothing when replicas become masters', async () => {
    await cluster.settled()
    const flow = await traffic(6, 5)
    for (let round = 0; round < (isLong ? 5 : 2); round++) {
      await cluster.failOver((await cluster.masters())[round % 3]!)
      const before = flow.seen.size
      await until(() => flow.seen.size > before + 50)
      await cluster.settled()
    }
    await flow.check('failover')
  }, 120_000)

  const ends = isLong ? (['killed', 'killed', 'killed', 'frozen'] as const) : (['killed'] as const)
  it('loses nothing when a master is killed or stands still', async () => {
    await cluster.settled()
    const flow = await traffic(6, 5)
    for (const [round, end] of ends.entries()) {
      const server = cluster.serverAt((await cluster.masters())[round % 3]!.port)
      await cluster.kill(server, end === 'frozen')
      const before = flow.seen.size
      await pause(1000)
      await until(() => flow.seen.size > before + 300, 25_000, flow.state)
      await cluster.revive(server)
      if (isLong) await cluster.settled()
    }
    await flow.check('killed')
  }, 180_000)
})
