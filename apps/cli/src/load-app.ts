/**
 * `-A` → an app with the settings of the command line. A module in TypeScript is loaded through tsx, here
 * and in child processes; a program without TypeScript never loads it.
 */
import { access } from 'node:fs/promises'
import path from 'node:path'
import { Celeriac, TasksError, type Settings } from '@celeriac/tasks'
import { loadApp, type AppLocation } from '@celeriac/tasks/internal'
import type { Globals } from './command.ts'
import { UsageError } from './errors.ts'

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
  const config = globals.config ?? (process.env['CELERY_CONFIG_MODULE'] || './celeryconfig')
  if (await isTypeScript(config)) await useTypeScript()
  if (globals.app === undefined && needsApp) {
    throw new UsageError(
      'which app? Name its module: celeriac -A ./tasks.ts …, or set CELERY_APP',
      'CLI_NO_APP',
    )
  }
  const { app, location } =
    globals.app === undefined
      ? { app: new Celeriac('celeriac'), location: undefined }
      : await load(globals.app)
  if (!(app instanceof Celeriac)) {
    process.stderr.write(
      'warning: the app was made by another copy of @celeriac/tasks; run the celeriac installed beside it\n',
    )
  }
  let overrides: Settings = { ...globals.settings, ...settings }
  app.override(overrides)
  let services = await app.setup()
  if (include.length > 0) {
    // A setting of the command line would take the place of what the app includes.
    overrides = { ...overrides, include: [...new Set([...app.config.include, ...include])] }
    await app.close()
    services = await app.override(overrides).setup()
  }
  for (const name of [...app.config.imports, ...app.config.include]) {
    if (await isTypeScript(name)) await useTypeScript()
  }
  return { app, services, location: location && { ...location, overrides } }
}

async function load(spec: string): ReturnType<typeof loadApp> {
  const [, name = spec] = /^(.*?)(?::[\w$.]+)?$/.exec(spec) ?? []
  if (await isTypeScript(name)) await useTypeScript()
  try {
    return await loadApp(spec)
  } catch (error) {
    if (TasksError.is(error)) throw error
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

const typed = /\.[cm]?ts$/
const plain = /\.[cm]?js$/

/** As `loadApp` finds modules: the first that exists decides. */
async function isTypeScript(name: string, directory = process.cwd()): Promise<boolean> {
  if (typed.test(name)) return true
  if (plain.test(name)) return false
  const dotted = /^[\w.]+$/.test(name) ? name.replaceAll('.', '/') : name
  for (const base of new Set([name, dotted])) {
    for (const ending of ['.ts', '.mts', '.js', '.mjs', '/celery.ts', '/celery.js', '/index.ts']) {
      if (await exists(path.resolve(directory, base + ending))) return typed.test(ending)
    }
  }
  return false
}

async function exists(file: string): Promise<boolean> {
  return await access(file).then(
    () => true,
    () => false,
  )
}

let isTypeScriptOn = false

/** Makes `import` of TypeScript work in this process and in children. Safe to call twice. */
async function useTypeScript(): Promise<void> {
  await import('./typescript/register.ts')
  isTypeScriptOn = true
}

/** Options of Node that give a child process what this one has. */
export function typeScriptArguments(): readonly string[] {
  if (!isTypeScriptOn) return []
  return ['--import', new URL('./typescript/register.js', import.meta.url).href]
}
