import { randomUUID } from 'node:crypto'
import { describe, expect, it } from '@jest/globals'
import { findPool, loadApp, pools } from '@celeriac/tasks/internal'
import type { PoolName } from '../../src/pools/index.ts'
import type { ExecutionPool, PoolOptions } from '../../src/pool/pool.ts'
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
