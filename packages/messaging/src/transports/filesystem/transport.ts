/**
 * Folders as the broker, in Kombu's layout, so that Python shares them: `filesystem://`, with the folders
 * as transport options; relative ones lie in the URL's path, or in the current folder without one.
 */
import { resolve } from 'node:path'
import { MessagingError } from '../../kernel/errors.ts'
import type { Capabilities } from '../../transport/capabilities.ts'
import type { Target } from '../../transport/transport.ts'
import { virtualTransport } from '../../virtual/transport.ts'
import { FilesystemStore, type Folders } from './store.ts'

export const capabilities: Capabilities = {
  // Kombu's files know no others.
  exchangeTypes: ['direct', 'topic', 'fanout'],
  persistent: true,
  shared: true,
  priority: 'none',
  delay: true,
  mandatory: true,
  messageTtl: true,
  queueExpiry: false,
  maxLength: false,
  deadLetters: false,
  exchangeBindings: false,
  consumerPriority: false,
  countsAttempts: true,
  fanoutNeedsConsumer: false,
  autoDelete: false,
  exclusiveQueues: false,
}

/** The folders a target means; throws `MESSAGING_OPTION_INVALID` for a name that is no text. */
export function foldersOf({ host, path, options }: Pick<Target, 'host' | 'path' | 'options'>) {
  const base = resolve(path === '' && host === '' ? '.' : host === '' ? '/' : host, path)
  const folder = (option: string, usual: string): string => {
    const name = options[option] ?? usual
    if (typeof name !== 'string' || name === '') {
      throw new MessagingError(
        'MESSAGING_OPTION_INVALID',
        'fatal',
        `the filesystem transport option ${option} must be the name of a folder, found ${JSON.stringify(name)}`,
      )
    }
    return resolve(base, name)
  }
  const inside = folder('dataFolderIn', 'data_in')
  return {
    in: inside,
    // Not Kombu's `data_out`: who publishes and consumes at one place would wait for ever.
    out: folder('dataFolderOut', inside),
    control: folder('controlFolder', 'control'),
    processed:
      options['storeProcessed'] === true ? folder('processedFolder', 'processed') : undefined,
  } satisfies Folders
}

/**
 * Transport options, Kombu's: `dataFolderIn` (`data_in`), `dataFolderOut` (the same one), `controlFolder`
 * (`control`), `storeProcessed` (false), `processedFolder` (`processed`).
 */
export const filesystem = virtualTransport({
  name: 'filesystem',
  capabilities,
  options: [
    'dataFolderIn',
    'dataFolderOut',
    'controlFolder',
    'storeProcessed',
    'processedFolder',
    // Kombu's for brokers with leases and polls: nothing to set here.
    'visibilityTimeout',
    'pollingInterval',
  ],
  open: ({ target }, context) => FilesystemStore.open(foldersOf(target), context),
})
