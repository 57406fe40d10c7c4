// What lies on a Redis server because of us: keys of the wrong type, the order of queues, queues that end, and
// what killed processes leave behind.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import path from 'node:path'
import { exchange, makeLogger, queue } from '@celeriac/messaging'
import { expect, it } from '@jest/globals'
import { counter, fill, pause, redisBench, until, type RawRedis } from '../fixtures/redis-bench.ts'
import { describeWith, startPrivateRedis } from '../services/brokers.ts'

const bench = redisBench()
const isLong = process.env['CELERIAC_CHAOS'] === 'long'

async function start(...args: string[]) {
  const server = await startPrivateRedis({ args: ['--appendfsync', 'no', ...args] })
  bench.later(() => server.dispose())
  return { url: server.url, raw: await bench.raw(server.url) }
}

/** Keys without an end, but for the session that looks. */
async function lasting(raw: RawRedis): Promise<string[]> {
  const keys = await raw.keys('*')
  const ends = await Promise.all(keys.map((key) => raw.pttl(key)))
  return keys.filter((key, n) => ends[n] === -1 && key !== 'celeriac:unacked:sessions')
}

describeWith('redis', 'queues on Redis', () => {
  it('refuse the messages of a key that is no list, and no others', async () => {
    const { url, raw } = await start()
    await raw.hset('bad', 'no', 'list')
    const producer = bench.connect(url).producer()

    const sent = await Promise.allSettled(
      ['good', 'bad', 'good', 'other', 'bad'].map((routingKey) =>
        producer.publish(1, { routingKey }),
      ),
    )

    expect(sent.map(({ status }) => status === 'fulfilled')).toEqual([
      true,
      false,
      true,
      true,
      false,
    ])
    expect(sent[1]).toMatchObject({ reason: { code: 'MESSAGING_PUBLISH_REFUSED' } })
    expect([await raw.llen('good'), await raw.llen('other')]).toEqual([2, 1])
  })

  it('are served although another of their consumer is no list, also after a break', async () => {
    const { url, raw } = await start()
    const proxy = await bench.proxy(url)
    const errors: string[] = []
    const log = makeLogger(({ message }) => void errors.push(message), 'error')
    const connection = bench.connect(proxy.through(url), { ambient: { log } })
    const { seen, takeAll } = counter()
    const consumer = connection.consumer({ queues: ['bad', 'good'], onDeliveries: takeAll })
    await consumer.start()
    await raw.hset('bad', 'no', 'list')

    await fill(bench.connect(url), 'good', 3)
    await until(() => seen.size === 3, 3000)
    const back = consumer.signals.once('ready', AbortSignal.timeout(5000))
    proxy.breakAll()
    await back
    seen.clear()
    await fill(bench.connect(url), 'good', 3)
    await until(() => seen.size === 3, 3000)

    expect(errors[0]).toMatch(/its key is no list/)
    await raw.del('bad')
    seen.clear()
    await fill(bench.connect(url), 'bad', 2)
    await until(() => seen.size === 2, 7000)
  })

  it('that are no lists stop a consumer that starts with them', async () => {
    const { url, raw } = await start()
    await raw.hset('bad', 'no', 'list')
    const consumer = bench.connect(url).consumer({ queues: ['bad'], onDeliveries: () => undefined })

    await expect(consumer.start()).rejects.toMatchObject({ code: 'MESSAGING_DECLARATION_REFUSED' })
    const channel = await bench.connect(url).channel()
    await expect(channel.get('bad')).rejects.toMatchObject({ fault: 'message' })
  })

  it.each([
    ['priority', ['b', 'c', 'a']],
    ['sorted', ['a', 'b', 'c']],
  ])('are served in the order %s', async (queueOrderStrategy, expected) => {
    const { url } = await start()
    const connection = bench.connect(url, { transportOptions: { queueOrderStrategy } })
    for (const name of ['a', 'b', 'c']) await fill(connection, name, 4)
    const order: string[] = []
    const consumer = connection.consumer({
      queues: ['b', 'c', 'a'],
      prefetch: 1,
      onDeliveries: ([delivery]) => {
        order.push(delivery!.origin.queue)
        void delivery!.ack()
      },
    })
    // Paused, so that the first claim already knows all queues.
    await consumer.pause()
    await consumer.start()
    await consumer.resume()
    await until(() => order.length === 12)

    const served = order.slice(1).filter((name, n, all) => name !== all[n - 1])
    expect(served.slice(-2)).toEqual(expected.slice(-2))
    expect(order.slice(-4)).toEqual(Array.from({ length: 4 }, () => expected[2]))
  })

  it('that end when unused have an end on every list, and take their bindings along', async () => {
    const { url, raw } = await start()
    const transportOptions = { visibilityTimeout: 2 }
    const connection = bench.connect(url, { transportOptions })
    const ex = exchange('ex')
    const ending = queue('ending', {
      expiresMs: 700,
      bindings: [{ exchange: ex, routingKey: 'k' }],
    })
    const producer = connection.producer({ exchange: ex })
    await producer.publish(0, { routingKey: 'k', declare: [ending], priority: 0 })
    await producer.publish(9, { routingKey: 'k', priority: 9 })

    const lists = await raw.keys('ending*')
    expect(lists).toHaveLength(2)
    for (const list of lists) expect(await raw.pttl(list)).toBeGreaterThan(0)
    await until(async () => (await raw.exists('_kombu.binding.ex')) === 0, 3000)

    expect(await lasting(raw)).toEqual([])
  })

  it('that end when unused stay while somebody consumes them', async () => {
    const { url, raw } = await start()
    const transportOptions = { visibilityTimeout: 1 }
    const connection = bench.connect(url, { transportOptions })
    const ending = queue('kept', {
      expiresMs: 300,
      bindings: [{ exchange: exchange('ex'), routingKey: 'k' }],
    })
    const { seen, takeAll } = counter(2000)
    const consumer = connection.consumer({ queues: [ending], prefetch: 1, onDeliveries: takeAll })
    await consumer.start()
    await fill(connection, 'kept', 2)

    await pause(1500)
    expect(await raw.scard('_kombu.binding.ex')).toBe(1)
    await until(() => seen.size === 2)
    await consumer.stop()

    await until(async () => (await raw.exists('_kombu.binding.ex')) === 0, 3000)
  })

  it('leave nothing behind when their processes are killed', async () => {
    const { url, raw } = await start()
    // Leases of 0.75 s.
    const quick = `${url}?visibility_timeout=1`
    const watcher = bench.connect(quick)
    await watcher.connect()
    await fill(watcher, 'work', 30)
    const baseline = await raw.dbsize()
    const rounds = isLong ? 500 : 50
    let started = 0
    const child = path.join(import.meta.dirname, '..', 'fixtures', 'redis-orphans-child.mjs')
    const run = async (): Promise<void> => {
      while (started < rounds) {
        const process_ = spawn(process.execPath, [child, quick, `c${started++}`], {
          stdio: ['ignore', 'pipe', 'inherit'],
        })
        await once(process_.stdout, 'data')
        process_.kill('SIGKILL')
        await once(process_, 'exit')
      }
    }

    await Promise.all([run(), run(), run()])

    await until(async () => (await raw.dbsize()) <= baseline, 15_000).catch(() => undefined)
    expect(await lasting(raw)).toEqual(['work'])
    expect(await raw.dbsize()).toBe(baseline)
    expect(await raw.llen('work')).toBe(30)
  }, 300_000)

  it('on a server that may throw them away are warned of', async () => {
    const { url } = await start('--maxmemory', '100mb', '--maxmemory-policy', 'allkeys-lru')
    const warnings: string[] = []
    const log = makeLogger(({ message }) => void warnings.push(message), 'warn')

    await bench.connect(url, { ambient: { log } }).connect()

    expect(warnings.join()).toMatch(/queues with their messages.*noeviction/)
  })
})
