/** Finds the app in a module, for the command line and for child processes. */
import { fileURLToPath } from 'node:url'
import path from 'node:path'
import { access } from 'node:fs/promises'
import type { Executor } from '../execution/executor.ts'
import { TasksError } from '../kernel/errors.ts'
import type { AppLocation } from '../kernel/app-location.ts'
import { importCompiled, importFile, type ModuleImporter } from '../kernel/module-importer.ts'
import { Celeriac } from './app.ts'

export interface FoundApp {
  readonly app: Celeriac
  readonly location: Pick<AppLocation, 'module' | 'exportName'>
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
export async function loadApp(
  spec: string,
  directory = process.cwd(),
  importModule: ModuleImporter = importFile,
): Promise<FoundApp> {
  const [, name = spec, exportName] = /^(.*?)(?::([\w$.]+))?$/.exec(spec) ?? []
  const file = await findModule(name, directory)
  if (file === undefined) {
    throw new TasksError(
      'TASKS_APP_NOT_FOUND',
      `no module '${name}' in ${directory}; give -A a file (./tasks.ts) or a file and an export (./tasks.ts:app)`,
    )
  }
  return await appIn(file, exportName, importModule)
}

/** The file of a module that is named by a path or a dotted name; undefined when there is none. */
export async function findModule(
  name: string,
  directory = process.cwd(),
): Promise<string | undefined> {
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

async function appIn(
  module: string,
  exportName: string | undefined,
  importModule: ModuleImporter,
): Promise<FoundApp> {
  const exports = exportsOf(await importModule(module))
  const found = (app: Celeriac, name: string): FoundApp => {
    app.importModule = importModule
    return { app, location: { module, exportName: name } }
  }
  const names = exportName === undefined ? ['app', 'celery', 'default'] : [exportName]
  for (const name of names) {
    const value = exports[name]
    if (Celeriac.is(value)) return found(value, name)
  }
  const apps = Object.keys(exports).filter((name) => Celeriac.is(exports[name]))
  if (exportName === undefined && apps.length === 1) {
    const [name] = apps as [string]
    return found(exports[name] as Celeriac, name)
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
  const { module = '', exportName, compiled } = location
  const file = module.startsWith('file:') ? fileURLToPath(module) : module
  const { app } = await appIn(file, exportName, importCompiled(compiled))
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
    await app.importModule(file)
  }
}
