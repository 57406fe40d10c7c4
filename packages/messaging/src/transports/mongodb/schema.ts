/**
 * Names and shapes of everything in the database. The first four collections are Kombu's and shared with
 * Python peers; the others are ours and lie beside them.
 *
 * A message waits (it has `queue`), is held by a session (`held_queue` and `owner`), or waits for its hour
 * (`held_queue` and `due`). Kombu asks for `queue`, so what is held is out of its sight.
 */
import type { MongoLink } from '../../clients/mongodb.ts'
import { MessagingError } from '../../kernel/errors.ts'
import type { Target } from '../../transport/transport.ts'
import { boundedPriority } from '../../virtual/priorities.ts'

export interface Names {
  readonly messages: string
  readonly routing: string
  readonly broadcast: string
  readonly queues: string
  /** Sessions and the ends of their leases. */
  readonly sessions: string
  /** Types of exchanges. */
  readonly exchanges: string
  /** Capped: which queues got something, for those who wait. */
  readonly notices: string
  /** On servers without atomic updates: ids of messages that are being claimed or held. */
  readonly locks: string
}

export interface Settings {
  readonly names: Names
  readonly defaultDatabase: string
  /** Kombu's wish for TTL indexes: the server itself removes what has expired. */
  readonly ttl: boolean
  readonly cappedQueueSize: number
  /** False: a queue's length is always 0, as in Kombu. */
  readonly calcQueueSize: boolean
  /** Pause between looks for what Python peers sent, who give no notice. */
  readonly pollMs: number
}

/** Options of the transport; all others are the driver's. */
export const ownOptions = [
  'messagesCollection',
  'routingCollection',
  'broadcastCollection',
  'queuesCollection',
  'defaultDatabase',
  'defaultHostname',
  'defaultPort',
  'ttl',
  'cappedQueueSize',
  'calcQueueSize',
  'pollingInterval',
  'connectTimeout',
] as const

/** Reads Kombu's options; throws `MESSAGING_OPTION_INVALID` (fatal) for one of the wrong kind. */
export function readSettings({ options }: Pick<Target, 'options'>): Settings {
  function read<T extends string | number | boolean>(name: string, fallback: T): T {
    const value = options[name] ?? fallback
    const isUsable =
      typeof value === typeof fallback && (typeof value !== 'number' || value > 0) && value !== ''
    if (isUsable) return value as T
    throw new MessagingError(
      'MESSAGING_OPTION_INVALID',
      'fatal',
      `the MongoDB transport option ${name} must be a ${typeof fallback} such as ${JSON.stringify(fallback)}, found ${JSON.stringify(value)}`,
    )
  }
  if (String(options['w']) === '0')
    throw new MessagingError(
      'MESSAGING_OPTION_INVALID',
      'fatal',
      'the MongoDB option w must not be 0: a claim has to know which messages it got; leave it away for majority',
    )
  const messages = read('messagesCollection', 'messages')
  return {
    names: {
      messages,
      routing: read('routingCollection', 'messages.routing'),
      broadcast: read('broadcastCollection', 'messages.broadcast'),
      queues: read('queuesCollection', 'messages.queues'),
      sessions: `${messages}.sessions`,
      exchanges: `${messages}.exchanges`,
      notices: `${messages}.notices`,
      locks: `${messages}.locks`,
    },
    defaultDatabase: read('defaultDatabase', 'kombu_default'),
    ttl: read('ttl', false),
    cappedQueueSize: read('cappedQueueSize', 100_000),
    calcQueueSize: read('calcQueueSize', true),
    pollMs: read('pollingInterval', 1) * 1000,
  }
}

/** Only what wakes somebody up: a few bytes each, and nobody reads old ones. */
const noticesSize = 65_536

/** Makes what is missing; doing it again, or at the same time as others, is fine. */
export async function prepareDatabase(link: MongoLink, settings: Settings): Promise<void> {
  const { names, ttl, cappedQueueSize } = settings
  const cursor = () => link.db.listCollections({}, { nameOnly: true }).toArray()
  const present = new Set((await link.run('look', cursor)).map(({ name }) => name))
  const capped = async (name: string, size: number): Promise<void> => {
    if (present.has(name)) return
    const make = () => link.db.createCollection(name, { capped: true, size }).catch(unlessThere)
    await link.run('create', make)
  }
  await capped(names.broadcast, cappedQueueSize)
  await capped(names.notices, noticesSize)
  const index = (name: string, keys: Record<string, 1>, options: object = {}) =>
    link.run('index', () => link.collection(name).createIndex(keys, options))
  // By the names and keys that Kombu gives them, so that neither makes a second one.
  await index(names.messages, { queue: 1, priority: 1, _id: 1 })
  await index(names.broadcast, { queue: 1 })
  await index(names.routing, { queue: 1, exchange: 1 })
  // FerretDB 1 knows neither sparse nor TTL indexes, and uses none of them.
  if (link.isAtomic)
    for (const key of ['owner', 'due', 'expires'])
      await index(names.messages, { [key]: 1 }, { sparse: true })
  if (!ttl) return
  if (!link.isAtomic) throw noTtl(link.server)
  for (const name of [names.messages, names.routing, names.queues])
    await index(name, { expire_at: 1 }, { expireAfterSeconds: 0 })
}

function noTtl(server: string): MessagingError {
  return new MessagingError(
    'MESSAGING_OPTION_INVALID',
    'fatal',
    `${server} has no TTL indexes: leave the MongoDB transport option ttl away`,
  )
}

/** Two of us made it at the same time. */
function unlessThere(error: unknown): void {
  if ((error as { codeName?: unknown }).codeName !== 'NamespaceExists') throw error
}

const highest = 9

/** Priority as Kombu stores it, ascending: 0 is the most urgent. */
export function storedPriority(priority: number | undefined): number {
  return highest - Math.min(boundedPriority(priority), highest)
}
