/** `celeriac beat`: sends periodic tasks until it is stopped. */
import type { Command as Parser } from 'commander'
import { createBeat } from '@celeriac/tasks'
import type { Level } from '@celeriac/tasks/internal'
import { logBeat } from '../beat-log.ts'
import { logConnection, reachBroker } from '../broker.ts'
import type { Command, Invocation } from '../command.ts'
import { exitCodes } from '../errors.ts'
import { addRefused, addSettings, settingsOf, type SettingFlags } from '../flags.ts'
import { openApp } from '../load-app.ts'
import { levelOption, logOptions, openLog, useLog } from '../logging.ts'
import { takePidfile } from '../pidfile.ts'
import { aborted, listenForStop, stopText } from '../stop-signals.ts'
import { version } from '../version.ts'

const flags = {
  beatScheduleFilename: '-s, --schedule <file>',
  beatMaxLoopInterval: '--max-interval <seconds>',
  beatLogfile: '-f, --logfile <file>',
  beatPidfile: '--pidfile <file>',
} as const satisfies SettingFlags

const refused = [
  '--detach',
  '-S, --scheduler <name>',
  '--uid <user>',
  '--gid <group>',
  '--umask <mask>',
  '--executable <file>',
]

export const beat: Command = {
  examples: [
    ['celeriac -A ./tasks.ts beat -l info', 'send periodic tasks, and say so'],
    ['celeriac -A ./tasks.ts beat -s /var/lib/proj/schedule.json', 'remember there what was sent'],
  ],

  define(parser: Parser) {
    parser.addOption(levelOption())
    addSettings(parser, flags)
    addRefused(parser, refused)
  },

  async run({ options, globals }: Invocation) {
    const { app, services } = await openApp(globals, { settings: settingsOf(flags, options) })
    const { config } = services
    const logged = logOptions(options['loglevel'] as Level, config.beatLogfile, config, globals)
    const log = useLog(services.ambient.log, openLog(logged))
    for (const warning of app.configWarnings) log.warn(warning)
    const service = await createBeat(app)
    const removePidfile =
      config.beatPidfile === undefined ? () => {} : takePidfile(config.beatPidfile)
    const stop = listenForStop((name, how) => log.warn(stopText(name, how)))
    logBeat(service, log)
    logConnection(services, log)
    try {
      if (!globals.quiet) {
        const broker = services.connection.urls.join(' or ')
        process.stdout.write(`celeriac beat ${version()} of ${app.name}, sending to ${broker}\n`)
      }
      await reachBroker(services, stop.warm)
      if (!stop.warm.aborted) await service.start()
      await aborted(stop.warm)
      return exitCodes.ok
    } finally {
      const closing = service.stop().then(() => app.close())
      await Promise.race([closing, aborted(stop.cold)])
      stop.off()
      removePidfile()
    }
  },
}
