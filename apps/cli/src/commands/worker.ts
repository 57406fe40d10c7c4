/** `celeriac worker`: the options; run-worker.ts runs it. */
import type { Command as Parser } from 'commander'
import { findPool } from '@celeriac/tasks/internal'
import type { Command, Invocation } from '../command.ts'
import { UsageError } from '../errors.ts'
import {
  addRefused,
  addSettings,
  commaList,
  settingOption,
  settingsOf,
  type SettingFlags,
} from '../flags.ts'
import { levelOption } from '../logging.ts'
import type { Level } from '@celeriac/tasks/internal'

/** Flags that are settings, and nothing else. */
const flags = {
  workerConcurrency: '-c, --concurrency <n>',
  workerPool: '-P, --pool <name>',
  workerPrefetchMultiplier: '--prefetch-multiplier <n>',
  workerMaxTasksPerChild: '--max-tasks-per-child <n>',
  workerMaxMemoryPerChild: '--max-memory-per-child <kib>',
  taskTimeLimit: '--time-limit <seconds>',
  taskSoftTimeLimit: '--soft-time-limit <seconds>',
  workerShutdownGrace: '--shutdown-grace <seconds>',
  workerLogfile: '-f, --logfile <file>',
  workerPidfile: '--pidfile <file>',
  beatScheduleFilename: '-s, --schedule <file>',
} as const satisfies SettingFlags

/** Celery's other name for `--schedule`. */
const scheduleAlias = '--schedule-filename <file>'

const refused = [
  '-D, --detach',
  '-E, --task-events',
  '--events',
  '-S, --statedb <file>',
  '-O, --optimization <name>',
  '--autoscale <max,min>',
  '--heartbeat-interval <seconds>',
  '--scheduler <name>',
  '--uid <user>',
  '--gid <group>',
  '--umask <mask>',
  '--executable <file>',
]

export interface WorkerArguments {
  readonly hostname?: string
  readonly queues?: readonly string[]
  readonly excludeQueues?: readonly string[]
  readonly include?: readonly string[]
  readonly loglevel: Level
  readonly beat?: boolean
  readonly purge?: boolean
}

export const worker: Command = {
  examples: [
    ['celeriac -A ./tasks.ts worker -l info', 'run the tasks of an app, and say so'],
    ['celeriac -A ./tasks.ts worker -P processes -c 4', 'four child processes'],
    [
      'celeriac -A ./tasks.ts worker -Q mail,reports -n mail@%h',
      'only these queues, under this name',
    ],
    ['celeriac -A ./tasks.ts worker -B', 'periodic tasks as well'],
  ],

  define(parser: Parser) {
    parser
      .option(
        '-n, --hostname <name>',
        'name of the node; %h host, %n host without domain, %d domain',
      )
      .option('-Q, --queues <names>', 'consume only these queues', commaList)
      .option('-X, --exclude-queues <names>', 'do not consume these queues', commaList)
      .option('-I, --include <modules>', 'import these modules as well', commaList)
      .addOption(levelOption())
      .option('-B, --beat', 'also send periodic tasks; in one worker only')
      .option('--discard, --purge', 'remove all waiting messages of its queues first')
      .option('--without-gossip', 'accepted; there is nothing to switch off yet')
      .option('--without-mingle', 'accepted; there is nothing to switch off yet')
      .option('--without-heartbeat', 'accepted; there is nothing to switch off yet')
    addSettings(parser, flags)
    parser.addOption(settingOption('beatScheduleFilename', scheduleAlias).hideHelp())
    addRefused(parser, refused)
  },

  async run({ options, globals }: Invocation) {
    const settings = {
      ...settingsOf({ beatScheduleFilename: scheduleAlias }, options),
      ...settingsOf(flags, options),
    }
    if (settings.workerPool !== undefined) checkPool(settings.workerPool)
    const { runWorker } = await import('../run-worker.ts')
    return await runWorker(options as unknown as WorkerArguments, settings, globals)
  },
}

function checkPool(name: string): void {
  try {
    findPool(name)
  } catch (error) {
    throw new UsageError((error as Error).message, 'CLI_POOL_UNKNOWN', { cause: error })
  }
}
