/** Options → a worker with everything it needs: settings, hostname, queues, pool. */
import type { Celeriac } from '../app/app.ts'
import { loadIncluded } from '../app/load.ts'
import { TasksError } from '../kernel/errors.ts'
import { nodeName } from '../kernel/names.ts'
import type { AppLocation } from '../kernel/app-location.ts'
import { findPool } from '../pools/index.ts'
import { directQueue } from '../routing/queues.ts'
import { Worker } from './worker.ts'

export interface WorkerOptions {
  /** Name of the node: `w1@%h`, `w1` or nothing for `celery@<host>`. */
  readonly hostname?: string
  /** Where tasks run; default the setting `workerPool`. */
  readonly pool?: string
  /** Tasks at once; default the setting, else what suits the pool. */
  readonly concurrency?: number
  /** Consume only these; missing ones are created. */
  readonly queues?: readonly string[]
  /** Do not consume these. */
  readonly excludeQueues?: readonly string[]
  /** Where the app's module is, when it was loaded from one. */
  readonly location?: Partial<AppLocation>
}

/** Makes a worker; `start()` it. Throws for a pool or a queue that does not exist. */
export async function createWorker(app: Celeriac, options: WorkerOptions = {}): Promise<Worker> {
  const services = await app.setup()
  const { config, queues, ambient } = services
  await loadIncluded(app)
  const hostname = nodeName(options.hostname)
  if (options.queues) queues.select(options.queues)
  if (options.excludeQueues) queues.deselect(options.excludeQueues)
  if (config.workerDirect) queues.selectAlso(directQueue(hostname))
  if (queues.consumed.length === 0) {
    throw new TasksError('TASKS_QUEUE_NOT_FOUND', 'no queue is left for this worker to consume')
  }
  const { entry } = findPool(options.pool ?? config.workerPool)
  const makePool = await entry.load()
  const location: AppLocation = {
    module: options.location?.module ?? app.module,
    exportName: options.location?.exportName ?? 'app',
    overrides: options.location?.overrides ?? {},
    compiled: options.location?.compiled ?? {},
    execArgv: options.location?.execArgv ?? loadersOf(process.execArgv),
    hostname,
  }
  const pool = makePool({
    concurrency: options.concurrency ?? config.workerConcurrency ?? entry.defaultConcurrency(),
    maxTasksPerChild: config.workerMaxTasksPerChild,
    maxMemoryPerChildKib: config.workerMaxMemoryPerChild,
    execute: services.executor.execute,
    app: location,
    startTimeoutMs: config.workerProcAliveTimeout * 1000,
    onWarning: (message, fields) => ambient.log.warn(message, fields),
  })
  return new Worker({
    config,
    hostname,
    connection: services.connection,
    producer: services.producer,
    pool,
    executor: services.executor,
    queues: queues.consumed,
    log: ambient.log,
    signals: app.signals,
    find: (task) => app.registry.find(task),
    suggest: (task) => app.registry.suggest(task),
  })
}

/** The loaders this process was started with (`--import tsx`): children load the same modules. */
function loadersOf(execArgv: readonly string[]): string[] {
  return execArgv.flatMap((one, i) => {
    if (/^--(import|loader|experimental-loader|require)=/.test(one)) return [one]
    if (!/^(--(import|loader|experimental-loader|require)|-r)$/.test(one)) return []
    return [one, execArgv[i + 1] ?? '']
  })
}
