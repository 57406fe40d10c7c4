// Redis behind sentinels: the suite, and masters that crash or freeze while tasks flow.
import { Connection, transports } from '@celeriac/messaging'
import { transportSuite } from '@celeriac/messaging/testing'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { rawRedis } from '../fixtures/raw-redis.ts'
import { counter, pause, redisBench, until } from '../fixtures/redis-bench.ts'
import {
  describeWith,
  startPrivateRedis,
  startPrivateSentinel,
  uniqueName,
  type ControlledServer,
} from '../services/brokers.ts'

const { capabilities } = await transports.redis.load()
const bench = redisBench()
const isLong = process.env['CELERIAC_CHAOS'] === 'long'
const masterName = 'main'

let servers: ControlledServer[]
let sentinels: ControlledServer[]
const url = (): string =>
  sentinels.map(({ port }) => `sentinel://127.0.0.1:${port}`).join(';') + '/3'

/** What one sentinel says of the master. */
async function facts(): Promise<Map<string, string>> {
  const raw = await rawRedis(sentinels[0]!.url)
  try {
    const flat = (await raw.call('SENTINEL', 'MASTER', masterName)) as string[]
    return new Map(flat.flatMap((name, n) => (n % 2 === 0 ? [[name, flat[n + 1]!]] : [])))
  } finally {
    raw.disconnect()
  }
}

/** Resolves when the master has a replica that follows it, which a failover needs. */
async function settled(): Promise<ControlledServer> {
  let master: ControlledServer | undefined
  await until(async () => {
    const now = await facts()
    master = servers.find(({ port }) => port === Number(now.get('port')))
    if (now.get('flags') !== 'master' || now.get('num-other-sentinels') !== '2') return false
    const raw = await rawRedis(master!.url)
    const info = await raw.info('replication').finally(() => raw.disconnect())
    return /state=online/.test(info)
  }, 40_000)
  return master!
}

describeWith('redis', 'Redis behind sentinels', () => {
  beforeAll(async () => {
    const args = ['--appendfsync', 'no', '--repl-diskless-sync-delay', '0']
    const master = await startPrivateRedis({ args })
    const follow = [...args, '--replicaof', '127.0.0.1', String(master.port)]
    const replicas = [1, 2].map(() => startPrivateRedis({ args: follow }))
    servers = [master, ...(await Promise.all(replicas))]
    sentinels = await Promise.all(
      Array.from({ length: 3 }, () =>
        startPrivateSentinel({ masterName, masterPort: master.port, quorum: 2 }),
      ),
    )
    await settled()
  }, 60_000)

  afterAll(async () => {
    await Promise.all([...sentinels, ...servers].map((server) => server.dispose()))
  })

  transportSuite(
    { describe, it },
    {
      name: 'redis, found by sentinels',
      capabilities,
      connect: () => new Connection(url(), { transportOptions: { masterName } }),
      unique: uniqueName,
    },
  )

  it('is not to be found without the name of the master', async () => {
    await expect(bench.connect(url()).connect()).rejects.toMatchObject({
      code: 'MESSAGING_OPTION_INVALID',
      message: expect.stringContaining('masterName') as unknown,
    })
  })

  it('is not to be found under another name, and says whom it asked', async () => {
    const connection = bench.connect(url(), { transportOptions: { masterName: 'nobody' } })

    await expect(connection.connect()).rejects.toMatchObject({
      code: 'MESSAGING_CONNECT_FAILED',
      message: expect.stringContaining('nobody') as unknown,
    })
  })

  it('is not believed by too few sentinels', async () => {
    const transportOptions = { masterName, minOtherSentinels: 9 }
    const connection = bench.connect(url(), { transportOptions })

    await expect(connection.connect()).rejects.toMatchObject({
      message: expect.stringContaining('knows 2 other sentinels') as unknown,
    })
  })

  it('is found although a sentinel stands still', async () => {
    sentinels[0]!.pause()
    try {
      const connection = bench.connect(url(), { transportOptions: { masterName } })
      await connection.connect()
      expect(connection.server).toMatch(/^Redis \d/)
    } finally {
      sentinels[0]!.resume()
    }
  })

  it('logs in at the sentinels with a name of their own', async () => {
    for (const { url: sentinel } of sentinels) {
      const raw = await bench.raw(sentinel)
      await raw.call('ACL', 'SETUSER', 'watcher', 'on', '>secret', '&*', '+@all')
    }
    const login = (password: string) => ({
      transportOptions: { masterName, sentinelKwargs: { username: 'watcher', password } },
    })

    await bench.connect(url(), login('secret')).connect()
    await expect(bench.connect(url(), login('wrong')).connect()).rejects.toMatchObject({
      message: expect.stringContaining('WRONGPASS') as unknown,
    })
  })

  it('confirms nothing that its replicas lack, where that was asked for', async () => {
    const master = await settled()
    const replicas = servers.filter((server) => server !== master)
    const transportOptions = { masterName, waitReplicas: 1 }
    const producer = bench.connect(url(), { transportOptions }).producer()
    const routingKey = uniqueName('replicated')
    await producer.publish(1, { routingKey })

    for (const replica of replicas) replica.pause()
    try {
      await expect(producer.publish(2, { routingKey, timeout: 0.8 })).rejects.toMatchObject({
        code: 'MESSAGING_PUBLISH_TIMEOUT',
      })
    } finally {
      for (const replica of replicas) replica.resume()
    }
  })

  const ways = isLong ? ['frozen', 'crashed', 'frozen', 'crashed', 'frozen'] : ['frozen', 'crashed']
  it.each(ways)(
    'goes on after its master %s, within 3 s of the failover',
    async (way) => {
      const master = await settled()
      const connection = bench.connect(url(), { transportOptions: { masterName } })
      const queue = uniqueName('tasks')
      const { seen, takeAll, twice } = counter()
      let lastMs = 0
      const consumer = connection.consumer({
        queues: [queue],
        onDeliveries: (deliveries) => {
          lastMs = Date.now()
          takeAll(deliveries)
        },
      })
      await consumer.start()
      const confirmed = new Set<number>()
      let n = 0
      let isOver = false
      bench.later(() => (isOver = true))
      // What no replica has yet goes with a master that crashes.
      const safely = { transportOptions: { masterName, waitReplicas: 1 } }
      const producer = bench.connect(url(), safely).producer()
      const feeding = (async () => {
        while (!isOver) {
          const id = n++
          producer.publish(id, { routingKey: queue }).then(
            () => confirmed.add(id),
            () => undefined,
          )
          await pause(10)
        }
      })()
      await until(() => seen.size > 20)

      if (way === 'frozen') master.pause()
      else await master.kill9()
      let switchedMs = 0
      await until(async () => {
        switchedMs = Date.now()
        return (await facts()).get('port') !== String(master.port)
      }, 20_000)
      const before = lastMs
      await until(() => lastMs > Math.max(before, switchedMs), 10_000)
      const tookMs = lastMs - switchedMs
      await pause(300)
      isOver = true
      await feeding
      if (way === 'frozen') master.resume()
      else await master.start()
      await until(() => [...confirmed].every((id) => seen.has(id)), 20_000)

      process.stderr.write(
        `sentinel, ${way}: ${tookMs} ms after the failover, ${confirmed.size} confirmed, twice ${twice()}\n`,
      )
      expect(tookMs).toBeLessThan(3000)
    },
    90_000,
  )
})
