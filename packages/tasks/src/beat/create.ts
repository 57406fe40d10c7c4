/** The schedule of an app → a beat service that sends it. */
import type { Celeriac } from '../app/app.ts'
import { call, type SignatureOptions } from '../canvas/index.ts'
import { entryFrom, type BeatEntry, type BeatTick } from './entry.ts'
import { Scheduler } from './scheduler.ts'
import { BeatService } from './service.ts'
import { crontab } from '../schedules/crontab.ts'
import { scheduleStores } from './stores/index.ts'

export interface BeatOptions {
  /** File that remembers what was sent; default the setting `beatScheduleFilename`, null for none. */
  readonly scheduleFile?: string | null
  /** Longest sleep in seconds; default the setting `beatMaxLoopInterval`, else 300. */
  readonly maxInterval?: number
}

/** Makes the service for `beatSchedule` and everything added with `app.addPeriodicTask`; `start()` it. */
export async function createBeat(app: Celeriac, options: BeatOptions = {}): Promise<BeatService> {
  const { config, ambient } = await app.setup()
  const scheduler = new Scheduler({
    ...(config.timezone !== undefined && { zone: config.timezone }),
    ...(config.beatCronStartingDeadline !== undefined && {
      cronDeadlineMs: config.beatCronStartingDeadline * 1000,
    }),
    scope: app.name,
  })
  const nowMs = ambient.clock.now()
  for (const entry of await beatEntries(app)) scheduler.add(entry, nowMs)
  const file =
    options.scheduleFile === undefined ? config.beatScheduleFilename : options.scheduleFile
  const shelf = await scheduleStores[file === null ? 'memory' : 'file'].load()
  const store = shelf.open({
    file: file ?? '',
    onWarning: (message) => ambient.log.warn(message),
  })
  const interval = options.maxInterval ?? config.beatMaxLoopInterval
  return new BeatService({
    scheduler,
    store,
    send: (tick) => send(app, tick),
    ambient,
    syncEvery: config.beatSyncEvery,
    ...(interval !== undefined && interval > 0 && { maxSleepMs: interval * 1000 }),
  })
}

const cleanupTask = 'celery.backend_cleanup'

/** Celery: every day at 4, where results do not go by themselves. */
async function needsCleanup(app: Celeriac, entries: readonly BeatEntry[]): Promise<boolean> {
  if (!app.config.resultExpires || entries.some(({ task }) => task === cleanupTask)) return false
  const { capabilities, cleanup } = await app.backend()
  return !capabilities.expires && cleanup !== undefined
}

function cleanup(): BeatEntry {
  return entryFrom(cleanupTask, {
    task: cleanupTask,
    schedule: crontab({ minute: 0, hour: 4 }),
    options: { expires: 12 * 3600 },
  })
}

/** What beat sends for this app: settings, periodic tasks, and the cleaning of results where it is needed. */
export async function beatEntries(app: Celeriac): Promise<BeatEntry[]> {
  const { config } = await app.setup()
  const entries = Object.entries({ ...config.beatSchedule, ...app.periodicTasks }).map(
    ([name, setting]) => entryFrom(name, setting),
  )
  if (await needsCleanup(app, entries)) entries.push(cleanup())
  return entries
}

async function send(app: Celeriac, tick: BeatTick): Promise<void> {
  const { id, task, args, kwargs, options } = tick
  const signature = call(task, { args: [...args], kwargs, options: options as SignatureOptions })
  await app.send(signature, { taskId: id })
}
