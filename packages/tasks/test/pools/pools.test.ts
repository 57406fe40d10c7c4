import { randomUUID } from 'node:crypto'
import { describe, expect, it } from '@jest/globals'
import { findPool, loadApp, pools } from '@celeriac/tasks/internal'
import type { PoolName } from '../../src/pools/index.ts'
import { emptyReport } from '../../src/execution/running.ts'
import type { ExecutionPool, Job, JobEnd, PoolOptions } from '../../src/pool/pool.ts'
import { encodeTask } from '../../src/protocol/encode.ts'
import { emptyEmbed } from '../../src/protocol/task-message.ts'
import { poolSuite, type PoolHarness } from '../../src/testing/index.ts'

// Children run the built package, so the app here is the built one too.
const { app, location } = await loadApp('./app.mjs', import.meta.dirname)
const { executor } = await app.setup()

function options(concurrency: number, maxTasksPerChild?: number): PoolOptions {
  return {
    concurrency,
    maxTasksPerChild,
    maxMemoryPerChildKib: undefined,
    execute: executor.execute,
    app: { ...location, overrides: {}, hostname: 'pools@test', compiled: {}, execArgv: [] },
    startTimeoutMs: 20_000,
    onWarning: () => undefined,
  }
}

const job: PoolHarness['job'] = (task, argument, limits = {}) => {
  const id = randomUUID()
  const { headers, body, properties } = encodeTask(
    { id, task, args: [argument], kwargs: {}, embed: emptyEmbed, origin: 'test', replyTo: '' },
    Date.now(),
  )
  return {
    id,
    task,
    softLimitMs: limits.softMs,
    hardLimitMs: limits.hardMs,
    message: {
      headers,
      properties: { ...properties, contentType: 'application/json', contentEncoding: 'utf-8' },
      body: Buffer.from(JSON.stringify(body)),
      delivery: { exchange: '', routingKey: 'q', queue: 'q', redelivered: false, attempts: 0 },
      hostname: 'pools@test',
    },
  }
}

for (const name of ['async', 'processes'] as const satisfies PoolName[]) {
  const makePool: (options: PoolOptions) => ExecutionPool = await pools[name].load()
  poolSuite(
    { describe, it },
    {
      name,
      stopsByForce: name === 'processes',
      make: ({ concurrency, maxTasksPerChild }) => makePool(options(concurrency, maxTasksPerChild)),
      job,
    },
  )
}

/** Submits; resolves with the kind of end. */
function endOf(pool: ExecutionPool, one: Job): Promise<JobEnd['kind']> {
  return new Promise((resolve) => {
    pool.submit(one, { onAccepted: () => undefined, onEnd: (end) => resolve(end.kind) })
  })
}

describe('jobs that wait for a slot', () => {
  it('are not given to a child that was killed as it finished', async () => {
    const makePool = await pools.processes.load()
    const pool: ExecutionPool = makePool(options(1))
    await pool.start()
    const spinning = job('spin', 30)
    const spun = endOf(pool, spinning)
    const waiting = endOf(pool, job('double', 1))
    // This process reads the child's report only after it has killed the child.
    await new Promise((resolve) => setTimeout(resolve, 20))
    const end = Date.now() + 200
    while (Date.now() < end);

    pool.terminateJob(spinning.id, 'SIGTERM')

    expect(await Promise.all([spun, waiting])).toEqual(['ran', 'ran'])
    await pool.terminate()
  })

  for (const name of ['async', 'processes'] as const) {
    it(`are told of the end of the pool too: ${name}`, async () => {
      const makePool: (options: PoolOptions) => ExecutionPool = await pools[name].load()
      const pool = makePool(options(1))
      await pool.start()
      const ends = [endOf(pool, job('sleep', 60_000)), endOf(pool, job('sleep', 60_000))]

      await pool.terminate()

      expect(await Promise.all(ends)).toEqual(['terminated', 'terminated'])
    })
  }

  it('wait although the same message came twice', async () => {
    const makePool = await pools.async.load()
    let now = 0
    let most = 0
    const pool: ExecutionPool = makePool({
      ...options(2),
      execute: async () => {
        most = Math.max(most, ++now)
        await new Promise((resolve) => setTimeout(resolve, 10 * now))
        now--
        return emptyReport
      },
    })
    const same = job('double', 1)

    await Promise.all(Array.from({ length: 6 }, () => endOf(pool, same)))

    expect(most).toBe(2)
  })
})

describe('the shelf of pools', () => {
  it("knows Celery's names", () => {
    expect(findPool('prefork').name).toBe('processes')
    expect(findPool('gevent').name).toBe('async')
  })

  it('suggests a pool for a mistyped name', () => {
    expect(() => findPool('proceses')).toThrow("Did you mean 'processes'?")
  })

  it('needs to know the module for child processes', async () => {
    const makePool = await pools.processes.load()
    const { app: at, ...rest } = options(1)

    expect(() => makePool({ ...rest, app: { ...at, module: undefined } })).toThrow(
      expect.objectContaining({ code: 'TASKS_POOL_FAILED' }),
    )
  })

  it('says why a child could not start', async () => {
    const makePool = await pools.processes.load()
    const { app: at, ...rest } = options(1)
    const pool = makePool({ ...rest, app: { ...at, module: '/nowhere/at-all.mjs' } })

    await expect(pool.start()).rejects.toThrow(/could not load the app.*nowhere/s)
  })
})
