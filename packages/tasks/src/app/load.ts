/** Finds the app in a module, for the command line and for child processes. */
import { pathToFileURL } from 'node:url'
import path from 'node:path'
import { access } from 'node:fs/promises'
import type { Executor } from '../execution/executor.ts'
import { TasksError } from '../kernel/errors.ts'
import type { AppLocation } from '../kernel/app-location.ts'
import { Celeriac } from './app.ts'

export interface FoundApp {
  readonly app: Celeriac
  readonly location: Omit<AppLocation, 'overrides' | 'hostname' | 'execArgv'>
}

const extensions = [
  '',
  '.ts',
  '.mts',
  '.js',
  '.mjs',
  '/celery.ts',
  '/celery.js',
  '/index.ts',
  '/index.js',
]

/**
 * `module` or `module:export`. The module is a path or a dotted name as in Python (`proj.tasks`). Without
 * an export it is `app`, `celery`, the default, or the only app there. Throws `TASKS_APP_NOT_FOUND`.
 */
export async function loadApp(spec: string, directory = process.cwd()): Promise<FoundApp> {
  const [, name = spec, exportName] = /^(.*?)(?::([\w$.]+))?$/.exec(spec) ?? []
  const file = await findModule(name, directory)
  if (file === undefined) {
    throw new TasksError(
      'TASKS_APP_NOT_FOUND',
      `no module '${name}' in ${directory}; give -A a file (./tasks.ts) or a file and an export (./tasks.ts:app)`,
    )
  }
  const module = pathToFileURL(file).href
  return await appIn(module, exportName)
}

async function findModule(name: string, directory: string): Promise<string | undefined> {
  const dotted =
    /^[\w.]+$/.test(name) && !/\.[cm]?[jt]s$/.test(name) ? name.replaceAll('.', '/') : name
  for (const base of new Set([name, dotted])) {
    for (const extension of extensions) {
      const file = path.resolve(directory, base + extension)
      if (!/\.[cm]?[jt]s$/.test(file)) continue
      try {
        await access(file)
        return file
      } catch {
        // Not this one.
      }
    }
  }
  return undefined
}

async function appIn(module: string, exportName: string | undefined): Promise<FoundApp> {
  const exports = exportsOf((await import(module)) as Record<string, unknown>)
  const names = exportName === undefined ? ['app', 'celery', 'default'] : [exportName]
  for (const name of names) {
    const value = exports[name]
    if (Celeriac.is(value)) return { app: value, location: { module, exportName: name } }
  }
  const apps = Object.keys(exports).filter((name) => Celeriac.is(exports[name]))
  if (exportName === undefined && apps.length === 1) {
    const [name] = apps as [string]
    return { app: exports[name] as Celeriac, location: { module, exportName: name } }
  }
  const what = exportName === undefined ? 'no app' : `no app '${exportName}'`
  const others = apps.length > 0 ? `; apps there: ${apps.join(', ')}` : ''
  throw new TasksError(
    'TASKS_APP_NOT_FOUND',
    `${module} exports ${what}${others}. An app is made by new Celeriac('name')`,
  )
}

/** A CommonJS module's exports arrive as the default of what is imported. */
function exportsOf(namespace: Record<string, unknown>): Record<string, unknown> {
  const inner = namespace['default']
  if (typeof inner !== 'object' || inner === null || Celeriac.is(inner)) return namespace
  return { ...(inner as Record<string, unknown>), ...namespace }
}

/** An app in a child process. */
export interface LoadedApp {
  readonly execute: Executor['execute']
  close(): Promise<void>
}

/** What a child process of a pool does first. */
export async function loadForChild(location: AppLocation): Promise<LoadedApp> {
  const { app } = await appIn(location.module!, location.exportName)
  app.override(location.overrides)
  const services = await app.setup()
  await loadIncluded(app)
  return { execute: services.executor.execute, close: () => app.close() }
}

/** Imports the modules named by `imports` and `include`, so that their tasks are registered. */
export async function loadIncluded(app: Celeriac, directory = process.cwd()): Promise<void> {
  const { config } = await app.setup()
  for (const name of [...config.imports, ...config.include]) {
    const file = await findModule(name, directory)
    if (file === undefined) {
      throw new TasksError('TASKS_APP_NOT_FOUND', `no module '${name}' to include in ${directory}`)
    }
    await import(pathToFileURL(file).href)
  }
}
