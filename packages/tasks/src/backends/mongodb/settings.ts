/** Where results lie on MongoDB: what the URL says, and what `mongodbBackendSettings` says instead. Pure. */
import type { BackendOptions } from '../../backend/backend.ts'
import { badBackend, backendTarget, camelOptions } from '../failures.ts'

export interface MongoPlace {
  readonly target: ReturnType<typeof backendTarget>
  readonly tasks: string
  readonly groups: string
}

/** Of `mongodbBackendSettings`; whatever else stands there is an option of the driver. */
const own = [
  'host',
  'port',
  'mongoHost',
  'user',
  'password',
  'database',
  'taskmetaCollection',
  'groupmetaCollection',
  'options',
]

/** Throws `TASKS_CONFIG_INVALID`. */
export function mongoPlace({ url, options, config }: BackendOptions): MongoPlace {
  const settings = camelOptions(config.mongodbBackendSettings ?? {})
  const text = (name: string): string | undefined => {
    const value = settings[name]
    if (value === undefined || value === null || typeof value === 'string')
      return value ?? undefined
    throw bad(name, 'a text', value)
  }
  const more = settings['options'] ?? {}
  if (typeof more !== 'object' || Array.isArray(more)) throw bad('options', 'an object', more)
  const driver = Object.entries(settings).filter(([name]) => !own.includes(name))
  const target = backendTarget(
    withLogin(withHost(full(url), settings), text('user'), text('password')),
    ['mongodb', 'mongodb+srv'],
    options,
  )
  const all = { ...target.options, ...Object.fromEntries(driver), ...camelOptions({ ...more }) }
  return {
    target: { ...target, options: all, path: text('database') ?? target.path },
    tasks: text('taskmetaCollection') ?? 'celery_taskmeta',
    groups: text('groupmetaCollection') ?? 'celery_groupmeta',
  }
}

/** A bare scheme is the server of this machine. */
function full(url: string): string {
  return /^[a-z+]+(:\/\/\/?)?$/.test(url) ? `${url.replace(/:.*$/, '')}://127.0.0.1/` : url
}

/** As in Celery, `host` and `port` go before the hosts of the URL. */
function withHost(url: string, settings: Readonly<Record<string, unknown>>): string {
  const { host, port, mongoHost } = settings
  const hosts = mongoHost ?? (host === undefined && port === undefined ? undefined : host)
  if (hosts === undefined && port === undefined) return url
  const list = Array.isArray(hosts) ? (hosts as unknown[]) : [hosts ?? '127.0.0.1']
  if (!list.every((one) => typeof one === 'string')) throw bad('host', 'a text', hosts)
  if (port !== undefined && !Number.isInteger(port)) throw bad('port', 'a whole number', port)
  if (list.length === 1 && list[0]!.startsWith('mongodb')) return list[0]!
  const named = list.map((one) => (/:\d+$/.test(one) ? one : `${one}:${Number(port ?? 27_017)}`))
  return url.replace(
    /^[^:]+:\/\/([^/?#@]*@)?[^/?#]*/,
    (_, login: string | undefined) => `mongodb://${login ?? ''}${named.join(',')}`,
  )
}

function withLogin(url: string, user: string | undefined, password: string | undefined): string {
  if (user === undefined && password === undefined) return url
  return url.replace(/^([^:]+:\/\/)(?:([^/?#@:]*)(:[^/?#@]*)?@)?/, (...found) => {
    const [, scheme, before, secret] = found as (string | undefined)[]
    const name = user === undefined ? (before ?? '') : encodeURIComponent(user)
    const word = password === undefined ? (secret ?? '') : `:${encodeURIComponent(password)}`
    return `${scheme}${name}${word}@`
  })
}

function bad(name: string, expected: string, found: unknown): Error {
  const shown = name === 'password' ? 'something else' : JSON.stringify(found)
  return badBackend(`${name} of mongodbBackendSettings must be ${expected}, found ${shown}`)
}
