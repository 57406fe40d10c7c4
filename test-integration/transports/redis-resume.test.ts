// A link to Redis that breaks under work: the session goes on over the next one, so nothing waits for the end
// of a lease, nothing comes twice, and nothing that nobody knows of stays behind.
import type { Delivery } from '@celeriac/messaging'
import { expect, it } from '@jest/globals'
import { counter, fill, pause, redisBench, until } from '../fixtures/redis-bench.ts'
import { describeWith, startPrivateRedis } from '../services/brokers.ts'

const bench = redisBench()
const isLong = process.env['CELERIAC_CHAOS'] === 'long'

async function start() {
  const server = await startPrivateRedis({ args: ['--appendfsync', 'no'] })
  bench.later(() => server.dispose())
  return { url: server.url, proxy: await bench.proxy(server.url), raw: await bench.raw(server.url) }
}

const held = (raw: Awaited<ReturnType<typeof bench.raw>>) => raw.hlen('unacked')

describeWith('redis', 'sessions on Redis that outlive their link', () => {
  it('deliver each message once while links break', async () => {
    const { url, proxy, raw } = await start()
    const count = isLong ? 2000 : 150
    const connection = bench.connect(proxy.through(url))
    await fill(connection, 'work', count)
    const { seen, takeAll, twice } = counter(50)
    const consumer = connection.consumer({ queues: ['work'], prefetch: 10, onDeliveries: takeAll })
    await consumer.start()

    for (let round = 0; seen.size < count && round < 200; round++) {
      await pause(100 + Math.random() * 150)
      proxy.breakAll()
    }

    await until(() => seen.size === count, 60_000)
    await until(async () => (await held(raw)) === 0)
    expect(twice()).toBe(0)
  }, 180_000)

  it('deliver each message once while the server hangs up', async () => {
    const { url, raw } = await start()
    const connection = bench.connect(url)
    await fill(connection, 'work', 200)
    const { seen, takeAll, twice } = counter(50)
    const consumer = connection.consumer({ queues: ['work'], prefetch: 10, onDeliveries: takeAll })
    await consumer.start()

    for (let round = 0; seen.size < 200 && round < 100; round++) {
      await pause(200)
      await raw.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes')
    }

    await until(() => seen.size === 200)
    await until(async () => (await held(raw)) === 0)
    expect(twice()).toBe(0)
  })

  it('give back at once what was claimed and never arrived', async () => {
    const { url, proxy, raw } = await start()
    const connection = bench.connect(proxy.through(url))
    const { seen, takeAll, twice } = counter()
    const consumer = connection.consumer({ queues: ['lost'], prefetch: 5, onDeliveries: takeAll })
    await consumer.start()
    await pause(100)
    // Everything takes so long that the answer to the claim is still on its way when the link breaks.
    proxy.setMode({ delay: 400 })

    await fill(bench.connect(url), 'lost', 5)
    await until(async () => (await held(raw)) === 5)
    expect(seen.size).toBe(0)
    proxy.setMode('pass')
    proxy.breakAll()
    const brokenAtMs = Date.now()

    await until(() => seen.size === 5)
    expect(Date.now() - brokenAtMs).toBeLessThan(2000)
    await until(async () => (await held(raw)) === 0)
    expect(twice()).toBe(0)
  })

  it('take no late claim of the old link for theirs', async () => {
    const { url, proxy, raw } = await start()
    const connection = bench.connect(proxy.through(url), { heartbeat: 0.5 })
    const { seen, takeAll, twice } = counter()
    const consumer = connection.consumer({ queues: ['late'], prefetch: 5, onDeliveries: takeAll })
    await consumer.start()
    const [before] = await raw.zrange('celeriac:unacked:sessions', '0', '-1')
    await raw.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes')
    await until(async () => {
      const now = await raw.zrange('celeriac:unacked:sessions', '0', '-1')
      return now.length === 1 && now[0] !== before && now[0]!.startsWith(`${before}~`)
    })

    await fill(bench.connect(url), 'late', 3)

    await until(() => seen.size === 3)
    await until(async () => (await held(raw)) === 0)
    expect(twice()).toBe(0)
    expect(await raw.exists(`celeriac:unacked:held:${before!}`)).toBe(0)
  })

  it('tell again what was acknowledged as the link broke', async () => {
    const { url, proxy, raw } = await start()
    const connection = bench.connect(proxy.through(url))
    await fill(connection, 'acks', 50)
    const deliveries: Delivery[] = []
    const consumer = connection.consumer({
      queues: ['acks'],
      prefetch: 50,
      onDeliveries: (more) => void deliveries.push(...more),
    })
    await consumer.start()
    await until(() => deliveries.length === 50)
    proxy.setMode({ delay: 200 })

    const acks = deliveries.map((delivery) => delivery.ack())
    await pause(50)
    proxy.setMode('pass')
    proxy.breakAll()

    await Promise.all(acks)
    await until(async () => (await held(raw)) === 0, 3000)
    await pause(200)
    expect(deliveries).toHaveLength(50)
  })

  it('that were taken for dead touch nothing that others have', async () => {
    const { url, proxy, raw } = await start()
    // Leases of 1.5 s.
    const transportOptions = { visibilityTimeout: 2 }
    const away = bench.connect(proxy.through(url), { transportOptions })
    await fill(away, 'work', 1)
    const first: Delivery[] = []
    const second: Delivery[] = []
    const gone = away.consumer({ queues: ['work'], onDeliveries: (d) => void first.push(...d) })
    await gone.start()
    await until(() => first.length === 1)
    await gone.cancel()

    proxy.setMode('reset')
    const other = bench.connect(url, { transportOptions })
    const heir = other.consumer({ queues: ['work'], onDeliveries: (d) => void second.push(...d) })
    await heir.start()
    await until(() => second.length === 1)
    expect(second[0]!.origin.attempts).toBe(1)
    const back = away.signals.once('connected', AbortSignal.timeout(5000))
    proxy.setMode('pass')
    // Somebody must need the link, or nobody opens one.
    await away.channel()
    await back

    await first[0]!.ack()
    await pause(300)
    expect(await held(raw)).toBe(1)
    await second[0]!.ack()
    expect(await held(raw)).toBe(0)
    expect(first).toHaveLength(1)
  })
})
