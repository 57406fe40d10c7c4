/**
 * `-A` → an app with the settings of the command line. Modules in TypeScript are compiled first; children
 * get the results.
 */
import { Celeriac, TasksError, type Settings } from '@celeriac/tasks'
import { loadApp, type AppLocation } from '@celeriac/tasks/internal'
import type { Globals } from './command.ts'
import { CompileError, UsageError } from './errors.ts'
import { Compiled } from './typescript/compile.ts'

export type Services = Awaited<ReturnType<Celeriac['setup']>>

export interface OpenedApp {
  readonly app: Celeriac
  /** The app's, set up: settings are known, nothing is connected. */
  readonly services: Services
  /** For child processes; undefined when the app is not from a module. */
  readonly location: Omit<AppLocation, 'hostname' | 'execArgv'> | undefined
}

export interface OpenOptions {
  /** Win over the app's own. */
  readonly settings?: Settings
  /** Modules to import besides those the app includes. */
  readonly include?: readonly string[]
  /** Refuse to go on without `-A`. */
  readonly needsApp?: boolean
}

/**
 * The app of `-A`; without one an app that knows no tasks. Throws `TASKS_APP_NOT_FOUND`,
 * `TASKS_APP_INVALID`, `CLI_NO_APP`, and what is wrong with the settings.
 */
export async function openApp(globals: Globals, options: OpenOptions = {}): Promise<OpenedApp> {
  const { settings = {}, include = [], needsApp = false } = options
  // The environment, not the app: child processes read the file too.
  if (globals.config !== undefined) process.env['CELERY_CONFIG_MODULE'] = globals.config
  if (globals.app === undefined && needsApp) {
    throw new UsageError(
      'which app? Name its module: celeriac -A ./tasks.ts …, or set CELERY_APP',
      'CLI_NO_APP',
    )
  }
  const compiled = new Compiled()
  const found = globals.app === undefined ? undefined : await load(globals.app, compiled)
  const app = found?.app ?? new Celeriac('celeriac')
  app.importModule = compiled.importModule
  let overrides: Settings = { ...globals.settings, ...settings }
  app.override(overrides)
  let services = await app.setup()
  if (include.length > 0) {
    // A setting of the command line would take the place of what the app includes.
    overrides = { ...overrides, include: [...new Set([...app.config.include, ...include])] }
    await app.close()
    services = await app.override(overrides).setup()
  }
  const location = found && { ...found.location, overrides, compiled: compiled.files }
  return { app, services, location }
}

async function load(spec: string, compiled: Compiled): ReturnType<typeof loadApp> {
  const [, name = spec] = /^(.*?)(?::[\w$.]+)?$/.exec(spec) ?? []
  try {
    return await loadApp(spec, process.cwd(), compiled.importModule)
  } catch (error) {
    if (TasksError.is(error) || error instanceof CompileError) throw error
    throw new TasksError(
      'TASKS_APP_INVALID',
      `the module '${name}' cannot be loaded: ${reasonOf(error)}`,
      { cause: error },
    )
  }
}

/** Message and, of errors thrown by the module itself, the place. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  const place = error.stack
    ?.split('\n')
    .find((line) => /^\s+at /.test(line) && !/node_modules|\(node:|at node:/.test(line))
  const shown = place === undefined ? '' : `\n  ${place.trim()}`
  return `${error.name}: ${error.message}${shown}`
}
