/**
 * The servers a URL names, a link to each that is opened when it is needed and made anew when it was lost,
 * and which of them has a key: the same that Python's client libraries ask.
 */
import { crc32 } from 'node:zlib'
import type { Ambient } from '@celeriac/messaging'
import { loadMemcachedClients, type MemcachedLink } from '@celeriac/messaging/internal'
import { backendTarget, badBackend, knownOptions } from '../failures.ts'
import { Relink } from '../relink.ts'

const schemes = ['cache+memcached', 'cache+memcache', 'cache+pylibmc']
/** As python-memcached: a server that says nothing for so long is away. */
const defaultSeconds = 3

/** Options with an effect, and those of Python's libraries for which there is nothing to choose here. */
const optionNames = [
  'globalKeyprefix',
  'socketTimeout',
  'username',
  'password',
  'behaviors',
  'binary',
  'cacheCas',
  'checkKeys',
  'compressor',
  'deadRetry',
  'debug',
  'decompressor',
  'flushOnReconnect',
  'pickleProtocol',
  'pickler',
  'pid',
  'pload',
  'retryPolicy',
  'serverMaxKeyLength',
  'serverMaxValueLength',
  'unpickler',
]

/** Behaviours of pylibmc that put keys elsewhere. */
const scattering = ['hash', 'distribution', 'ketama', 'ketamaHash', 'ketamaWeighted']

interface Address {
  readonly host: string
  readonly port: number
  readonly path: string | undefined
}

export interface Place {
  readonly addresses: readonly Address[]
  readonly username: string | undefined
  readonly password: string | undefined
  readonly timeoutMs: number
  readonly hash: (key: string) => number
  readonly options: Readonly<Record<string, unknown>>
}

/** Throws `TASKS_CONFIG_INVALID`. */
export function placeOf(url: string, given: Readonly<Record<string, unknown>>): Place {
  const [, scheme = '', rest = ''] = /^([^:]*):?\/*(.*)$/s.exec(url) ?? []
  const targets = rest.split(';').map((server) => {
    // As python-memcached names a socket.
    const path = /^unix:(\/[^?]+)/.exec(server)?.[1]
    const target = backendTarget(
      `${scheme}://${path === undefined ? server : 'localhost'}`,
      schemes,
      given,
      () => 11_211,
    )
    return { ...target, path }
  })
  const options = Object.assign({}, ...targets.map((target) => target.options)) as Record<
    string,
    unknown
  >
  knownOptions(options, optionNames, 'the result backend on Memcached')
  refuseScattering(options['behaviors'])
  const seconds = options['socketTimeout'] ?? defaultSeconds
  if (typeof seconds !== 'number' || !(seconds > 0))
    throw badBackend(`socketTimeout must be a number of seconds, found ${JSON.stringify(seconds)}`)
  const text = (name: 'username' | 'password'): string | undefined => {
    const value = options[name] ?? targets.find((target) => target[name] !== undefined)?.[name]
    if (value === undefined || value === null) return undefined
    if (typeof value !== 'string') throw badBackend(`${name} must be a text`)
    return value
  }
  return {
    addresses: targets.map(({ host, port, path }) => ({
      host: host === '' ? '127.0.0.1' : host,
      port: port ?? 11_211,
      path,
    })),
    username: text('username'),
    password: text('password'),
    timeoutMs: seconds * 1000,
    hash: scheme === 'cache+pylibmc' ? jenkinsHash : crcHash,
    options,
  }
}

function refuseScattering(behaviors: unknown = {}): void {
  if (typeof behaviors !== 'object' || behaviors === null)
    throw badBackend(`behaviors must be an object, found ${JSON.stringify(behaviors)}`)
  for (const [name, value] of Object.entries(behaviors)) {
    const plain = name.replaceAll(/_([a-z])/g, (_, letter: string) => letter.toUpperCase())
    if (
      scattering.includes(plain) &&
      ![false, 0, null, 'default', 'modula'].includes(value as never)
    )
      throw badBackend(
        `the behavior ${name} is not supported: keys lie on the server that hash % servers gives, as by default`,
      )
  }
}

/** As python-memcached. */
export function crcHash(key: string): number {
  return (crc32(key) >>> 16) & 0x7fff
}

/** As libmemcached, which pylibmc is made of, by default: Jenkins's one-at-a-time. */
export function jenkinsHash(key: string): number {
  let hash = 0
  for (const byte of Buffer.from(key)) {
    hash = (hash + byte) >>> 0
    hash = (hash + (hash << 10)) >>> 0
    hash ^= hash >>> 6
  }
  hash = (hash + (hash << 3)) >>> 0
  hash ^= hash >>> 11
  return (hash + (hash << 15)) >>> 0
}

export class Servers {
  readonly #place: Place
  readonly #links: readonly Relink<MemcachedLink>[]

  constructor(place: Place, { clock }: Ambient) {
    const { addresses, username, password, timeoutMs } = place
    this.#place = place
    this.#links = addresses.map(
      (address) =>
        new Relink({
          open: async () => {
            const { MemcachedLink } = await loadMemcachedClients()
            return await MemcachedLink.open({ ...address, username, password, timeoutMs, clock })
          },
          isOver: (link) => link.isOver,
          close: (link) => link.close(),
          clock,
          timeoutMs,
        }),
    )
  }

  /** Rejects when one of the servers cannot be reached. */
  async open(): Promise<void> {
    await Promise.all(this.#links.map((link) => link.open()))
  }

  async close(): Promise<void> {
    await Promise.all(this.#links.map((link) => link.close()))
  }

  /** Runs `work` over the link to the server of a key; see `Relink.run`. */
  run<T>(
    key: string,
    work: (link: MemcachedLink) => Promise<T>,
    options?: { once?: boolean },
  ): Promise<T> {
    const { hash } = this.#place
    const count = this.#links.length
    return this.#links[count === 1 ? 0 : hash(key) % count]!.run(work, options)
  }
}
