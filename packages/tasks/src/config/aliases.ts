/**
 * The spellings of a setting: `taskAcksLate` here, `task_acks_late` in Celery, `CELERY_ACKS_LATE` in old
 * Celery. The old names follow from the namespace; those that do not are in the table.
 */
import { options, type OptionName } from './options.ts'

/** `camel` and `snake` are both new names and may be mixed; `old` may not be mixed with them. */
export type Style = 'camel' | 'snake' | 'old'

export interface Spelling {
  readonly name: OptionName
  readonly style: Style
}

/** Namespace to the prefix that replaces it in old names; true keeps the namespace after `CELERY_`. */
const oldPrefixes: Readonly<Record<string, string | true>> = {
  task: 'CELERY_',
  worker: 'CELERYD_',
  beat: 'CELERYBEAT_',
  event: 'CELERY_EVENT_',
  result: 'CELERY_RESULT_',
  cache: true,
  couchbase: true,
  arangodb: true,
  mongodb: true,
  redis: true,
  elasticsearch: true,
  security: true,
}

/** The name as Celery has it today: `task_acks_late`. */
export function snakeName(name: OptionName): string {
  return name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)
}

/** The name as Celery had it before version 4: `CELERY_ACKS_LATE`. */
export function oldName(name: OptionName): string {
  const irregular = options[name].oldName
  if (irregular !== undefined) return irregular
  const upper = snakeName(name).toUpperCase()
  const namespace = upper.slice(0, upper.indexOf('_')).toLowerCase()
  const prefix = oldPrefixes[namespace]
  if (prefix === undefined) return upper
  return prefix === true ? `CELERY_${upper}` : `${prefix}${upper.slice(namespace.length + 1)}`
}

const names = Object.keys(options) as OptionName[]

const spellings: ReadonlyMap<string, Spelling> = new Map<string, Spelling>([
  ...names.map((name) => [oldName(name), { name, style: 'old' }] as const),
  ...names.map((name) => [snakeName(name), { name, style: 'snake' }] as const),
  ...names.map((name) => [name, { name, style: 'camel' }] as const),
])

/** Which setting a key means, or undefined. */
export function findSpelling(key: string): Spelling | undefined {
  return spellings.get(key)
}

/** The same for keys of a namespace, such as `CELERY_TASK_ACKS_LATE` in Django's settings. */
export function findNamespaced(key: string, namespace: string): Spelling | undefined {
  const prefix = `${namespace}_`
  if (!key.startsWith(prefix)) return undefined
  return spellings.get(key.slice(prefix.length).toLowerCase())
}

/** All current names, for suggestions. */
export function knownNames(style: Style = 'camel'): readonly string[] {
  if (style === 'camel') return names
  return names.map(style === 'snake' ? snakeName : oldName)
}
