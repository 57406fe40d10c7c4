/**
 * Runs a worker until it is told to stop: settings, banner, broker, pool, beat, and the same backwards. The
 * promises about tasks are the worker's; this file turns signals of the system into its verbs.
 */
import {
  createBeat,
  createWorker,
  type Celeriac,
  type Settings,
  type Worker,
} from '@celeriac/tasks'
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
import type { Globals } from './command.ts'
import type { WorkerArguments } from './commands/worker.ts'
import { exitCodes, UsageError } from './errors.ts'
import { banner } from './format/banner.ts'
import { colours } from './format/colour.ts'
import { childArguments, openApp, type OpenedApp } from './load-app.ts'
import { openLog, useLog } from './logging.ts'
import { takePidfile } from './pidfile.ts'
import { aborted, listenForStop } from './stop-signals.ts'
import { version } from './version.ts'

type Services = Awaited<ReturnType<Celeriac['setup']>>

/** Resolves with the exit code when the worker has stopped; rejects when it could not start. */
export async function runWorker(
  given: WorkerArguments,
  settings: Settings,
  globals: Globals,
): Promise<number> {
  const signs = (text: string): string => expandSigns(text, () => expandNode(text, hostname))
  const hostname = expandSigns(given.hostname ?? '', () => nodeName(given.hostname))
  const opened = await openApp(globals, { settings, needsApp: true })
  const { app } = opened
  const include = await addIncluded(opened, given.include ?? [])
  const services = await app.setup()
  const { config } = services
  const file = config.workerLogfile === undefined ? undefined : signs(config.workerLogfile)
  const own = openLog({
    level: given.loglevel,
    format: config.workerLogFormat,
    file,
    color: globals.color && (config.workerLogColor ?? (file === undefined && process.stderr.isTTY)),
  })
  const log = useLog(services.ambient.log, own)
  for (const warning of app.configWarnings) log.warn(warning)

  const worker = await createWorker(app, {
    hostname,
    ...(given.queues && { queues: given.queues }),
    ...(given.excludeQueues && { excludeQueues: given.excludeQueues }),
    location: {
      ...opened.location,
      overrides: { ...opened.location?.overrides, ...include },
      execArgv: childArguments(),
    },
  })
  const removePidfile =
    config.workerPidfile === undefined ? () => {} : takePidfile(signs(config.workerPidfile))
  try {
    if (!globals.quiet) {
      process.stdout.write(describe(worker, opened, services, given, globals))
    }
    await live(worker, { app, services, log, given })
    return exitCodes.ok
  } finally {
    removePidfile()
  }
}

interface Surroundings {
  readonly app: Celeriac
  readonly services: Services
  readonly log: Logger
  readonly given: WorkerArguments
}

async function live(worker: Worker, { app, services, log, given }: Surroundings): Promise<void> {
  const stop = listenForStop()
  logWorker(worker, log)
  logConnection(services, log)
  stop.cold.addEventListener('abort', () => void worker.terminate())
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

/** `-I` adds to what the app includes; the settings of the command line would replace it. */
async function addIncluded(
  { app, location }: OpenedApp,
  more: readonly string[],
): Promise<Settings> {
  if (more.length === 0) return {}
  await app.setup()
  const include = [...new Set([...app.config.include, ...more])]
  await app.close()
  app.override({ ...location?.overrides, include })
  return { include }
}

function describe(
  worker: Worker,
  { app, location }: OpenedApp,
  services: Services,
  given: WorkerArguments,
  globals: Globals,
): string {
  const names = app.registry.names
  return banner(
    {
      hostname: worker.hostname,
      version: version(),
      app: app.name,
      module: globals.app ?? location?.module,
      transport: services.connection.urls.join(' or '),
      results: maskUrls(backendUrl(services.config)),
      concurrency: worker.pool.size,
      pool: worker.pool.name,
      beat: given.beat === true,
      queues: services.queues.consumed,
      tasks:
        given.loglevel === 'debug' ? names : names.filter((name) => !name.startsWith('celery.')),
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
