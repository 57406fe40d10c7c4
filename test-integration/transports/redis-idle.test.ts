// What a consumer of Redis costs while there is nothing to do, how soon it wakes, and how soon it notices that
// a link is dead although nobody hung up.
import { performance } from 'node:perf_hooks'
import { expect, it } from '@jest/globals'
import { clientsOf } from '../fixtures/raw-redis.ts'
import { fill, pause, redisBench, until } from '../fixtures/redis-bench.ts'
import { describeWith, startPrivateRedis } from '../services/brokers.ts'

const bench = redisBench()
const isLong = process.env['CELERIAC_CHAOS'] === 'long'

async function start() {
  const server = await startPrivateRedis({ args: ['--appendfsync', 'no'] })
  bench.later(() => server.dispose())
  return { server, raw: await bench.raw(server.url) }
}

describeWith('redis', 'an idle consumer on Redis', () => {
  const notices = async (place: number): Promise<void> => {
    const { server } = await start()
    const proxy = await bench.proxy(server.url)
    const connection = bench.connect(proxy.through(server.url))
    const values: unknown[] = []
    const consumer = connection.consumer({
      queues: ['deaf'],
      onDeliveries: (deliveries) =>
        deliveries.forEach((delivery) => {
          values.push(delivery.value)
          void delivery.ack()
        }),
    })
    await consumer.start()
    await pause(500)
    const lost = connection.signals.once('disconnected', AbortSignal.timeout(15_000))
    const frozenAtMs = performance.now()

    proxy.freezeOne(place)
    await lost

    expect(performance.now() - frozenAtMs).toBeLessThan(10_000)
    await fill(bench.connect(server.url), 'deaf', 1)
    await until(() => values.length > 0, 3000)
  }

  it('has at most 3 sockets, sends at most 12 commands a minute, and notices a dead socket within 10 s', async () => {
    const { server, raw } = await start()
    const consumer = bench.connect(server.url).consumer({
      queues: ['quiet', 'also-quiet'],
      onDeliveries: () => undefined,
    })
    await consumer.start()
    await pause(300)
    const monitor = await (await bench.raw(server.url)).monitor()
    bench.later(() => monitor.disconnect())
    const commands: string[] = []
    monitor.on('monitor', (_time: string, args: string[], source: string) => {
      if (source !== 'lua') commands.push(args[0]!)
    })
    const seconds = isLong ? 120 : 16

    // Side by side, since both mostly wait.
    await Promise.all([pause(seconds * 1000), notices(0), notices(1)])

    expect(await clientsOf(raw)).toHaveLength(2)
    // The last look at the clients is one of them at most.
    const own = commands.filter((command) => command.toLowerCase() !== 'client')
    expect(own.length).toBeGreaterThan(0)
    expect(own.length).toBeLessThanOrEqual((12 * seconds) / 60)
    process.stderr.write(`idle: ${((own.length / seconds) * 60).toFixed(1)} commands a minute\n`)
  }, 150_000)

  it('wakes within 20 ms, and asks the server once for each message and once to settle it', async () => {
    const { server, raw } = await start()
    const scripts = async (): Promise<number> =>
      Number(/cmdstat_evalsha:calls=(\d+)/.exec(await raw.info('commandstats'))?.[1] ?? 0)
    const connection = bench.connect(server.url)
    const tookMs: number[] = []
    const consumer = connection.consumer({
      queues: ['woken'],
      onDeliveries: (deliveries) => {
        for (const delivery of deliveries) {
          tookMs.push(performance.now() - Number(delivery.value))
          void delivery.ack()
        }
      },
    })
    await consumer.start()
    const producer = bench.connect(server.url).producer()
    const count = isLong ? 1000 : 500
    const before = await scripts()

    for (let n = 0; n < count; n++) {
      await producer.publish(performance.now(), { routingKey: 'woken' })
      await pause(8)
    }
    await until(() => tookMs.length === count)

    // Leases are renewed besides; messages that came together were claimed together.
    expect((await scripts()) - before).toBeLessThan(count * 2 + 20)
    tookMs.sort((a, b) => a - b)
    const at = (share: number): number => tookMs[Math.floor(count * share)]!
    process.stderr.write(
      `wake-up: p50 ${at(0.5).toFixed(1)} ms, p99 ${at(0.99).toFixed(1)} ms of ${count}\n`,
    )
    // Other tests share the machine: the last hundredth counts where there are none.
    expect(at(isLong ? 0.99 : 0.9)).toBeLessThan(20)
  })
})
