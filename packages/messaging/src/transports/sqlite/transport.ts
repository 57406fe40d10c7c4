/**
 * The embedded broker: one SQLite file shared by the processes of one machine. `sqlite:///absolute/path`,
 * `sqlite://relative/path.db`, or `sqlite://` for `.celeriac/broker.db` under the current folder.
 */
import { resolve } from 'node:path'
import { MessagingError } from '../../kernel/errors.ts'
import type { Capabilities } from '../../transport/capabilities.ts'
import type { Target } from '../../transport/transport.ts'
import { virtualTransport } from '../../virtual/transport.ts'
import { SqliteBroker } from './broker.ts'
import { SqliteStore } from './store.ts'

export const capabilities: Capabilities = {
  exchangeTypes: ['direct', 'topic', 'fanout', 'headers'],
  persistent: true,
  shared: true,
  priority: 'high-first',
  delay: true,
  delayedPublish: true,
  mandatory: true,
  messageTtl: true,
  queueExpiry: true,
  maxLength: false,
  deadLetters: true,
  exchangeBindings: true,
  consumerPriority: false,
  countsAttempts: true,
  fanoutNeedsConsumer: false,
  autoDelete: true,
  exclusiveQueues: true,
}

const defaultPath = '.celeriac/broker.db'

/** The file a URL means. */
export function databasePath({ host, path }: Pick<Target, 'host' | 'path'>): string {
  if (host !== '') return resolve(decodeURIComponent(host), path)
  if (path === '') return resolve(defaultPath)
  // A drive letter is absolute by itself.
  return /^[a-z]:[\\/]/i.test(path) ? resolve(path) : resolve('/', path)
}

/** Transport option: `synchronous`, `NORMAL` (default) or `FULL`. */
export const sqlite = virtualTransport({
  name: 'sqlite',
  capabilities,
  // The last two are Kombu's for brokers with leases and polls: nothing to set here.
  options: ['synchronous', 'visibilityTimeout', 'pollingInterval'],
  async open({ target }, context) {
    const { synchronous = 'NORMAL' } = target.options
    if (synchronous !== 'NORMAL' && synchronous !== 'FULL') {
      throw new MessagingError(
        'MESSAGING_OPTION_INVALID',
        'fatal',
        `the SQLite transport option synchronous must be NORMAL or FULL, found ${JSON.stringify(synchronous)}`,
      )
    }
    const broker = await SqliteBroker.acquire(databasePath(target), synchronous)
    try {
      return await SqliteStore.open(broker, context)
    } catch (error) {
      broker.release()
      throw error
    }
  },
})
