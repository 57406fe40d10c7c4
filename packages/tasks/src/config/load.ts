/** Reads settings from where they are kept: a file, a module, the environment. resolve.ts judges them. */
import { access, readFile } from 'node:fs/promises'
import path from 'node:path'
import { nearest } from '@celeriac/messaging/internal'
import { ConfigError } from '../kernel/errors.ts'
import { importFile, type ModuleImporter } from '../kernel/module-importer.ts'
import { findNamespaced, knownNames, snakeName } from './aliases.ts'
import { isMapping } from './option.ts'
import type { OptionName } from './options.ts'
import type { Source } from './resolve.ts'

export type Environment = Readonly<Record<string, string | undefined>>

/** Names without Celery's prefix that everybody uses; the prefixed ones win. */
const short = {
  BROKER_URL: 'brokerUrl',
  BROKER_READ_URL: 'brokerReadUrl',
  BROKER_WRITE_URL: 'brokerWriteUrl',
  RESULT_BACKEND: 'resultBackend',
} as const satisfies Record<string, OptionName>

/** Variables of the programs themselves, which are not settings. */
const notSettings = new Set(['CELERY_CONFIG_MODULE', 'CELERY_LOADER', 'CELERY_APP', 'CELERY_BIN'])

/**
 * The settings in the environment: `CELERY_` and the upper-case name of any setting, and BROKER_URL,
 * RESULT_BACKEND as they are. Empty variables are not set. `warnings` names variables that are nearly one.
 */
export function environmentSource(env: Environment): {
  readonly source: Source
  readonly warnings: readonly string[]
} {
  const settings: Record<string, string> = {}
  const warnings: string[] = []
  for (const [key, name] of Object.entries(short)) {
    const value = env[key]
    if (value !== undefined && value !== '') settings[name] = value
  }
  for (const [key, value] of Object.entries(env)) {
    if (value === undefined || value === '' || !key.startsWith('CELERY_')) continue
    const spelling = findNamespaced(key, 'CELERY')
    if (spelling) settings[spelling.name] = value
    else if (!notSettings.has(key)) {
      const near = nearest(key.slice('CELERY_'.length), knownNames())
      if (near === undefined) continue
      const meant = `CELERY_${snakeName(near as OptionName).toUpperCase()}`
      warnings.push(`the variable ${key} is not a setting. Did you mean ${meant}?`)
    }
  }
  return { source: { from: 'the environment', settings, isText: true }, warnings }
}

const extensions = ['', '.ts', '.mts', '.mjs', '.js', '.cjs', '.json']

/**
 * The settings of a file: `.json`, or a module whose default export (or, without one, whose exports) are
 * settings. The extension may be left out. Throws a ConfigError `TASKS_CONFIG_LOAD_FAILED`.
 */
export async function fileSource(
  file: string,
  directory = process.cwd(),
  importModule: ModuleImporter = importFile,
): Promise<Source> {
  const found = await firstFile(path.resolve(directory, file))
  if (found === undefined) {
    throw failed(file, `no such file; tried ${extensions.map((one) => file + one).join(', ')}`)
  }
  const settings =
    path.extname(found) === '.json' ? await readJson(found) : await readModule(found, importModule)
  if (!isMapping(settings)) throw failed(file, 'it does not hold a mapping of settings')
  return { from: `the file ${file}`, settings }
}

/**
 * The settings a program starts with when nobody names a file: what CELERY_CONFIG_MODULE names, else
 * `celeryconfig` in the directory when there is one, else undefined.
 */
export async function defaultSource(
  env: Environment,
  directory = process.cwd(),
  importModule: ModuleImporter = importFile,
): Promise<Source | undefined> {
  const named = env['CELERY_CONFIG_MODULE']
  if (named !== undefined && named !== '') return fileSource(named, directory, importModule)
  const usual = await firstFile(path.resolve(directory, 'celeryconfig'))
  if (usual === undefined) return undefined
  return await fileSource(path.basename(usual), directory, importModule)
}

async function firstFile(base: string): Promise<string | undefined> {
  for (const extension of extensions) {
    // Without an extension the name is a directory or a script of another language.
    if (extension === '' && path.extname(base) === '') continue
    try {
      await access(base + extension)
      return base + extension
    } catch {
      continue
    }
  }
  return undefined
}

async function readJson(file: string): Promise<unknown> {
  try {
    return JSON.parse(await readFile(file, 'utf8')) as unknown
  } catch (error) {
    throw failed(file, (error as Error).message, error)
  }
}

async function readModule(file: string, importModule: ModuleImporter): Promise<unknown> {
  try {
    const loaded = await importModule(file)
    return isMapping(loaded['default']) ? loaded['default'] : { ...loaded }
  } catch (error) {
    const isTypeScript = (error as { code?: unknown }).code === 'ERR_UNKNOWN_FILE_EXTENSION'
    const hint = isTypeScript ? '; Node needs a loader for TypeScript, such as `--import tsx`' : ''
    throw failed(file, `${(error as Error).message}${hint}`, error)
  }
}

function failed(file: string, why: string, cause?: unknown): ConfigError {
  return new ConfigError(
    'TASKS_CONFIG_LOAD_FAILED',
    `the settings file '${file}' cannot be used: ${why}`,
    undefined,
    { cause },
  )
}
