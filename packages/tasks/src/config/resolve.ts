/**
 * Settings from several sources to one frozen Config. Pure: files and the environment are read by
 * load.ts. A setting that is not known, or not what it should be, is an error and never ignored.
 */
import { didYouMean } from '@celeriac/messaging/internal'
import { ConfigError } from '../kernel/errors.ts'
import { findNamespaced, findSpelling, knownNames, snakeName, type Spelling } from './aliases.ts'
import { found } from './censor.ts'
import { options, type Config, type OptionName } from './options.ts'
import type { Option } from './option.ts'

/** Settings from one place. */
export interface Source {
  /** Named in errors: `the file celeryconfig.json`, `the environment`. */
  readonly from: string
  /** By camelCase, snake_case or old upper-case names; undefined members are not given. */
  readonly settings: Readonly<Record<string, unknown>>
  /** Values are texts that stand for something, as in the environment. */
  readonly isText?: boolean
  /** Keys begin with this and an underscore (`CELERY`); others are not settings and are skipped. */
  readonly namespace?: string
}

export interface Resolved {
  readonly config: Config
  /** Where each setting that is not a default came from. */
  readonly origins: ReadonlyMap<OptionName, string>
  /** Sentences for the log. */
  readonly warnings: readonly string[]
}

interface Given {
  readonly key: string
  readonly spelling: Spelling
  readonly raw: unknown
}

/** `options` with one type for all rows; each value has been through the parser of its own row. */
const rows: Readonly<Record<OptionName, Option>> = options

/**
 * Later sources win: defaults < file < environment < code. Throws a ConfigError: `TASKS_CONFIG_UNKNOWN`
 * with a suggestion, `TASKS_CONFIG_INVALID` naming what was expected and found, `TASKS_CONFIG_MIXED` when
 * one source has old and new names.
 */
export function resolve(sources: readonly Source[]): Resolved {
  const values = new Map<OptionName, unknown>()
  const origins = new Map<OptionName, string>()
  const warnings: string[] = []

  for (const source of sources) {
    for (const { spelling, raw } of givenBy(source)) {
      values.set(spelling.name, parse(spelling.name, raw, source))
      origins.set(spelling.name, source.from)
    }
  }
  for (const [name, from] of origins) {
    if (!options[name].planned || values.get(name) === options[name].fallback) continue
    warnings.push(`the setting '${name}' (${from}) is known, but has no effect yet`)
  }

  const fallback = values.get('compatibility') === 'celery' ? 'celery' : 'fallback'
  const config = Object.fromEntries(
    Object.keys(options).map((key) => {
      const name = key as OptionName
      return [name, values.has(name) ? values.get(name) : options[name][fallback]]
    }),
  )
  return { config: Object.freeze(config) as Config, origins, warnings }
}

/** The settings of one source, each once, current names winning over old ones. */
function givenBy(source: Source): Given[] {
  const all: Given[] = []
  for (const [key, raw] of Object.entries(source.settings)) {
    if (raw === undefined) continue
    const { namespace } = source
    if (namespace !== undefined && !key.startsWith(`${namespace}_`)) continue
    const spelling = namespace === undefined ? findSpelling(key) : findNamespaced(key, namespace)
    if (!spelling) throw unknown(key, source)
    all.push({ key, spelling, raw })
  }

  const current = new Map<OptionName, Given>()
  for (const one of all.filter(({ spelling }) => spelling.style !== 'old')) {
    const other = current.get(one.spelling.name)
    if (other) throw twice(other, one, source)
    current.set(one.spelling.name, one)
  }
  const old = all.filter(({ spelling }) => spelling.style === 'old' && !current.has(spelling.name))
  if (old.length > 0 && current.size > 0) throw mixed(old, source)
  return [...current.values(), ...old]
}

function parse(name: OptionName, raw: unknown, source: Source): unknown {
  const { parser } = rows[name]
  try {
    return parser.parse(source.isText === true ? parser.fromText(String(raw)) : raw)
  } catch (error) {
    const expected = error instanceof TypeError ? error.message : parser.expected
    throw new ConfigError(
      'TASKS_CONFIG_INVALID',
      `the setting '${name}' (${source.from}): expected ${expected}; found ${found(raw, name)}`,
      name,
      { cause: error },
    )
  }
}

function unknown(key: string, source: Source): ConfigError {
  const plain = source.namespace === undefined ? key : key.slice(source.namespace.length + 1)
  const hint = didYouMean(plain, knownNames('camel')) || didYouMean(plain, knownNames('old'))
  return new ConfigError(
    'TASKS_CONFIG_UNKNOWN',
    `there is no setting '${key}' (${source.from}).${hint}`,
    key,
  )
}

function twice(a: Given, b: Given, source: Source): ConfigError {
  return new ConfigError(
    'TASKS_CONFIG_MIXED',
    `'${a.key}' and '${b.key}' are the same setting (${source.from}); keep one of them`,
    a.spelling.name,
  )
}

function mixed(old: readonly Given[], source: Source): ConfigError {
  const changes = old.map(({ key, spelling }) => `${key} to ${snakeName(spelling.name)}`)
  return new ConfigError(
    'TASKS_CONFIG_MIXED',
    `old and new names of settings are mixed (${source.from}); rename ${changes.join(', ')}`,
    old[0]?.spelling.name,
  )
}
