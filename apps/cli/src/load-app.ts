/**
 * `-A` → an app with the settings of the command line. A module in TypeScript is loaded through tsx, here
 * and in child processes; a program without TypeScript never loads it.
 */
import { access } from 'node:fs/promises'
import path from 'node:path'
import { pathToFileURL } from 'node:url'
import { Celeriac, TasksError, type Settings } from '@celeriac/tasks'
import { loadApp, type AppLocation } from '@celeriac/tasks/internal'
import type { Globals } from './command.ts'
import { UsageError } from './errors.ts'

export interface OpenedApp {
  readonly app: Celeriac
  /** For child processes; undefined when the app is not from a module. */
  readonly location: Omit<AppLocation, 'hostname'> | undefined
}

/**
 * The app of `-A`; without one an app that knows no tasks, unless `needsApp`. `settings` win over the app's
 * own. Throws `TASKS_APP_NOT_FOUND`, `TASKS_APP_INVALID`, `CLI_NO_APP`.
 */
export async function openApp(
  globals: Globals,
  { settings = {}, needsApp = false }: { settings?: Settings; needsApp?: boolean } = {},
): Promise<OpenedApp> {
  const overrides = { ...globals.settings, ...settings }
  // Child processes read it too.
  if (globals.config !== undefined) process.env['CELERY_CONFIG_MODULE'] = globals.config
  if (await hasTypeScriptSettings(globals, settings)) await useTypeScript()
  if (globals.app === undefined) {
    if (needsApp) {
      throw new UsageError(
        'which app? Name its module: celeriac -A ./tasks.ts …, or set CELERY_APP',
        'CLI_NO_APP',
      )
    }
    return { app: new Celeriac('celeriac').override(overrides), location: undefined }
  }
  const { app, location } = await load(globals.app)
  app.override(overrides)
  return { app, location: { ...location, overrides, execArgv: childArguments() } }
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
  const place = error.stack?.split('\n').find((line) => /^\s+at /.test(line))
  const shown = place === undefined || place.includes('node:internal') ? '' : `\n  ${place.trim()}`
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

async function hasTypeScriptSettings(globals: Globals, settings: Settings): Promise<boolean> {
  const config = globals.config ?? (process.env['CELERY_CONFIG_MODULE'] || './celeryconfig')
  for (const name of [config, ...(settings.include ?? [])]) {
    if (await isTypeScript(name)) return true
  }
  return false
}

async function exists(file: string): Promise<boolean> {
  return await access(file).then(
    () => true,
    () => false,
  )
}

let registered = false

/** Makes `import` of TypeScript work in this process and in children. Safe to call twice. */
export async function useTypeScript(): Promise<void> {
  if (registered) return
  registered = true
  const { register } = await import('tsx/esm/api')
  // A folder without a package.json is CommonJS to Node.
  const cjs = await import('tsx/cjs/api')
  cjs.register()
  register()
}

/** Options of Node that give a child process what this one has. */
export function childArguments(): readonly string[] {
  return registered ? ['--import', import.meta.resolve('tsx')] : []
}

export function moduleUrl(file: string): string {
  return pathToFileURL(path.resolve(file)).href
}
