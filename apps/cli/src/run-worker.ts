/**
 * Runs a worker until it is told to stop: settings, banner, broker, pool, beat, and the same backwards. The
 * promises about tasks are the worker's; this file turns signals of the system into its verbs.
 */
import { createBeat, createWorker, type Settings, type Worker } from '@celeriac/tasks'
import {
  backendUrl,
  expandNode,
  logWorker,
  maskUrls,
  nodeName,
  type Logger,
} from '@celeriac/tasks/internal'
import { logBeat } from './beat-log.ts'
import { logConnection, reachBroker } from './broker.ts'
import { childLogArguments } from './child-log.ts'
import type { Globals } from './command.ts'
import type { WorkerArguments } from './commands/worker.ts'
import { exitCodes, UsageError } from './errors.ts'
import { banner } from './format/banner.ts'
import { colours } from './format/colour.ts'
import { openApp, type OpenedApp, type Services } from './load-app.ts'
import { logOptions, openLog, useLog } from './logging.ts'
import { takePidfile } from './pidfile.ts'
import { aborted, listenForStop, stopText, type StopSignals } from './stop-signals.ts'
import { version } from './version.ts'

/** Resolves with the exit code when the worker has stopped; rejects when it could not start. */
export async function runWorker(
  given: WorkerArguments,
  settings: Settings,
  globals: Globals,
): Promise<number> {
  const signs = (text: string): string => expandSigns(text, () => expandNode(text, hostname))
  const hostname = expandSigns(given.hostname ?? '', () => nodeName(given.hostname))
  const opened = await openApp(globals, {
    settings,
    include: given.include ?? [],
    needsApp: true,
  })
  const { app, services } = opened
  const { config } = services
  const file = config.workerLogfile === undefined ? undefined : signs(config.workerLogfile)
  const logged = logOptions(given.loglevel, file, config, globals)
  const log = useLog(services.ambient.log, openLog(logged))
  for (const warning of app.configWarnings) log.warn(warning)

  const worker = await createWorker(app, {
    hostname,
    ...(given.queues && { queues: given.queues }),
    ...(given.excludeQueues && { excludeQueues: given.excludeQueues }),
    location: {
      ...opened.location,
      execArgv: childLogArguments(logged),
    },
  })
  const removePidfile =
    config.workerPidfile === undefined ? () => {} : takePidfile(signs(config.workerPidfile))
  try {
    if (!globals.quiet) process.stdout.write(describe(worker, opened, given, globals))
    return await live(worker, opened, given, log)
  } finally {
    removePidfile()
  }
}

/** From the first connection to the last; the exit code. */
async function live(
  worker: Worker,
  { app, services }: OpenedApp,
  given: WorkerArguments,
  log: Logger,
): Promise<number> {
  const stop = listenForStop((name, how) => log.warn(stopText(name, how)))
  const hasCrashed = survive(stop, log)
  logWorker(worker, log)
  logConnection(services, log)
  stop.cold.addEventListener('abort', () => {
    worker.terminate().catch((error: unknown) => log.error(reasonOf(error)))
  })
  const beat = given.beat ? await createBeat(app) : undefined
  if (beat) logBeat(beat, log)
  try {
    await reachBroker(services, stop.warm)
    if (given.purge && !stop.warm.aborted) await purge(worker, services, log)
    if (!stop.warm.aborted) await Promise.race([worker.start(), aborted(stop.warm)])
    if (!stop.warm.aborted) await beat?.start()
    await aborted(stop.warm)
  } finally {
    await beat?.stop()
    // A start that still waits for the broker ends with the connection.
    if (worker.state === 'starting') void services.connection.close()
    await worker.stop()
    await app.close()
    stop.off()
  }
  return hasCrashed() ? exitCodes.failed : exitCodes.ok
}

/**
 * What tasks throw where nobody catches it. A rejected promise is written and that is all: other tasks run
 * in this process. After an exception nothing is certain any more, so the worker ends, but warm.
 */
function survive(stop: StopSignals, log: Logger): () => boolean {
  let crashed = false
  process.on('unhandledRejection', (reason) =>
    log.error(`a promise was rejected and nobody looked: ${stackOf(reason)}`),
  )
  process.on('uncaughtException', (error) => {
    log.error(`an exception was caught by nobody, this worker ends: ${stackOf(error)}`)
    crashed = true
    stop.end()
  })
  return () => crashed
}

async function purge(worker: Worker, services: Services, log: Logger): Promise<void> {
  let count = 0
  for (const queue of services.queues.consumed) {
    count += await services.connection.withChannel(async (channel) => {
      try {
        return await channel.purge(queue.name)
      } catch (error) {
        if ((error as { code?: unknown }).code === 'MESSAGING_QUEUE_NOT_FOUND') return 0
        throw error
      }
    })
  }
  log.warn(`${worker.hostname}: removed ${count} waiting messages, as --purge asked`)
}

function describe(
  worker: Worker,
  { app, services }: OpenedApp,
  given: WorkerArguments,
  globals: Globals,
): string {
  const names = app.registry.names
  return banner(
    {
      hostname: worker.hostname,
      version: version(),
      app: app.name,
      module: globals.app,
      transport: services.connection.urls.join(' or '),
      results: maskUrls(backendUrl(services.config)),
      concurrency: worker.pool.size,
      pool: worker.pool.name,
      beat: given.beat === true,
      queues: services.queues.consumed,
      tasks:
        given.loglevel === 'debug' ? names : names.filter((name) => !/^celer(y|iac)\./.test(name)),
    },
    colours(globals.color && process.stdout.isTTY),
  )
}

/** Runs `expand`; a `%` sign that means nothing is a mistake of the command line. */
function expandSigns(text: string, expand: () => string): string {
  try {
    return expand()
  } catch (error) {
    if (!(error instanceof RangeError)) throw error
    throw new UsageError(`${text}: ${error.message}`, 'CLI_USAGE', { cause: error })
  }
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

function stackOf(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error)
}
