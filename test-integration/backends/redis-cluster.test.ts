/** Results on a Redis Cluster: the suite, where keys lie, masters that change, slots that move. */
import { randomUUID } from 'node:crypto'
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals'
import { Connection, systemAmbient } from '@celeriac/messaging'
import { slotOf } from '@celeriac/messaging/internal'
import { backends, resultCodec } from '@celeriac/tasks/internal'
import { backendOptions, backendSuite, counting, type OpenOptions } from '@celeriac/tasks/testing'
import { quietApp } from '../fixtures/clients.ts'
import { RedisCluster } from '../fixtures/redis-cluster.ts'
import { until } from '../fixtures/waiting.ts'
import { describeWith } from '../services/brokers.ts'

const RedisBackend = await backends['redis+cluster'].load()
type Backend = ReturnType<typeof counting>
const { codec } = new Connection('memory://')
const names = ['msgpack', 'pickle', 'yaml']
const codecs = await Promise.all(names.map((name) => resultCodec(codec, name, names)))

let cluster: RedisCluster
const opened: Backend[] = []

const make = (options: OpenOptions = {}, url = cluster.url): Backend =>
  counting(new RedisBackend(backendOptions(url, options), systemAmbient()))

function open(url?: string): Backend {
  const backend = make({}, url)
  opened.push(backend)
  return backend
}

const success = (value: unknown): string =>
  `{"status": "SUCCESS", "result": ${String(value)}, "children": []}`
const put = (backend: Backend, ids: readonly string[]): Promise<void> =>
  backend.store(ids.map((id) => ({ id, state: 'SUCCESS', data: success(1) })))

/** Every key of the cluster, from its masters. */
async function keys(pattern: string): Promise<string[]> {
  const found = await Promise.all(
    (await cluster.masters()).map(async ({ port }) =>
      (await cluster.client(port)).call('KEYS', pattern),
    ),
  )
  return (found as string[][]).flat()
}

afterEach(async () => {
  await Promise.all(opened.splice(0).map((backend) => backend.close()))
})

describeWith('redis', 'results on a Redis Cluster', () => {
  beforeAll(async () => {
    cluster = await RedisCluster.start()
  }, 90_000)
  afterAll(() => cluster.dispose())

  backendSuite(
    { describe, it },
    { name: 'redis+cluster', open: (options) => make(options), unique: randomUUID, codecs },
  )

  it('lie on all masters, and the keys of one join in one slot', async () => {
    const backend = open()
    const group = randomUUID()
    const ids = Array.from({ length: 60 }, () => randomUUID())
    await put(backend, ids)
    await backend.storeGroup(group, [[group, null], []])
    await backend.startCountdown(group, [
      [['a', null], null],
      [['b', null], null],
    ])
    await backend.extendCountdown(group, 'c')
    await backend.stepCountdown({ groupId: group, taskId: 'a', index: 0, data: '1' })

    const perMaster = await Promise.all(
      (await cluster.masters()).map(async ({ port }) =>
        Number(await (await cluster.client(port)).call('DBSIZE')),
      ),
    )
    expect(perMaster.every((count) => count > 0)).toBe(true)
    const ofGroup = await keys(`*${group}*`)
    expect(ofGroup).toHaveLength(6)
    expect(new Set(ofGroup.map(slotOf)).size).toBe(1)
    await backend.endCountdown(group)
    expect(await keys(`*${group}*`)).toEqual([])
  })

  it('are found while their slots move', async () => {
    const backend = open()
    const ids = Array.from({ length: 40 }, () => randomUUID())
    await put(backend, ids)
    const [from, to] = await cluster.masters()
    const slots = [...new Set(ids.map((id) => slotOf(`celery-task-meta-${id}`)))].filter((slot) =>
      from!.slots.some(([first, last]) => slot >= first && slot <= last),
    )
    expect(slots.length).toBeGreaterThan(0)
    const moving = cluster.moveSlots(slots, from!, to!)
    for (let i = 0; i < 10; i++) {
      expect(await backend.read(ids)).toEqual(ids.map(() => success(1)))
      await put(backend, ids)
    }
    await moving
    expect(await backend.read(ids)).toEqual(ids.map(() => success(1)))
    await cluster.moveSlots(slots, to!, from!)
  }, 60_000)

  it.each(['is replaced', 'crashes', 'freezes'])(
    'come to those who wait when a master %s',
    async (how) => {
      const app = quietApp({ broker: 'memory://results-cluster', backend: cluster.url })
      const writer = open()
      const [master] = await cluster.masters()
      const server = cluster.serverAt(master!.port)
      try {
        const ids = Array.from({ length: 200 }, () => randomUUID())
        const waiting = ids.map(async (id) => (await app.result(id)).get({ timeout: 40 }))
        await put(writer, ids.slice(0, 50))
        await Promise.all(waiting.slice(0, 50))

        if (how === 'is replaced') await cluster.failOver(master!)
        else await cluster.kill(server, how === 'freezes')
        for (const id of ids.slice(50))
          await until(
            `${id} is stored`,
            () =>
              put(writer, [id]).then(
                () => true,
                () => false,
              ),
            {
              timeoutMs: 30_000,
            },
          )

        expect(await Promise.all(waiting)).toEqual(ids.map(() => 1))
      } finally {
        await app.close()
        if (how !== 'is replaced') await cluster.revive(server)
        await cluster.settled()
      }
    },
    120_000,
  )

  it('come to those who listened at a server that is gone', async () => {
    const app = quietApp({ broker: 'memory://results-cluster', backend: cluster.url })
    const writer = open()
    const id = randomUUID()
    try {
      const waiting = (await app.result(id)).get({ timeout: 30 })
      const channel = `celery-task-meta-${id}`
      const listened = await until('somebody listens', async () => {
        for (const server of cluster.servers) {
          const client = await cluster.client(server.port)
          const [, count] = (await client.call('PUBSUB', 'NUMSUB', channel)) as [string, number]
          if (Number(count) > 0) return client
        }
        return undefined
      })
      await listened.call('CLIENT', 'KILL', 'TYPE', 'pubsub')
      await put(writer, [id])
      expect(await waiting).toBe(1)
    } finally {
      await app.close()
    }
  })

  it('have no database but 0', () => {
    expect(() => open(`${cluster.url}/2`)).toThrow(
      expect.objectContaining({ code: 'TASKS_CONFIG_INVALID' }) as unknown as Error,
    )
  })

  it('of a cluster that is not there fail within the deadline', async () => {
    const began = performance.now()
    await expect(open('redis+cluster://127.0.0.1:1').open()).rejects.toMatchObject({
      code: 'TASKS_BACKEND_FAILED',
    })
    expect(performance.now() - began).toBeLessThan(5000)
  })
})
