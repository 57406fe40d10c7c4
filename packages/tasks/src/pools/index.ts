/** The shelf of execution pools. */
import { availableParallelism } from 'node:os'
import { didYouMean } from '@celeriac/messaging/internal'
import { TasksError } from '../kernel/errors.ts'
import type { ExecutionPool, PoolOptions } from '../pool/pool.ts'

export interface PoolEntry {
  /** Slots when nobody says how many. */
  readonly defaultConcurrency: () => number
  /** Needs to know where the app's module is. */
  readonly needsModule: boolean
  load(): Promise<(options: PoolOptions) => ExecutionPool>
}

const inProcess = async () => (await import('./in-process.ts')).InProcessPool

export const pools = {
  solo: {
    defaultConcurrency: () => 1,
    needsModule: false,
    load: async () => {
      const Pool = await inProcess()
      return (options: PoolOptions) => new Pool('solo', 1, options)
    },
  },
  async: {
    defaultConcurrency: () => 100,
    needsModule: false,
    load: async () => {
      const Pool = await inProcess()
      return (options: PoolOptions) => new Pool('async', options.concurrency, options)
    },
  },
  processes: {
    defaultConcurrency: availableParallelism,
    needsModule: true,
    load: async () => {
      const { ProcessPool } = await import('./processes/pool.ts')
      return (options: PoolOptions) => new ProcessPool(options)
    },
  },
} as const satisfies Record<string, PoolEntry>

export type PoolName = keyof typeof pools

/** Celery's names for what is here. */
const aliases: Readonly<Record<string, PoolName>> = {
  prefork: 'processes',
  gevent: 'async',
  eventlet: 'async',
}

/** The entry of that name, or of Celery's name for it; `TASKS_POOL_FAILED` for an unknown one. */
export function findPool(name: string): { readonly name: PoolName; readonly entry: PoolEntry } {
  const own = aliases[name] ?? name
  if (Object.hasOwn(pools, own)) return { name: own as PoolName, entry: pools[own as PoolName] }
  const known = [...Object.keys(pools), ...Object.keys(aliases)]
  throw new TasksError(
    'TASKS_POOL_FAILED',
    `no pool '${name}'.${didYouMean(name, known)} Known: ${known.join(', ')}`,
  )
}
