/** The shelf of result backends, by URL scheme. Adding one is a line here. */
import type { Ambient } from '@celeriac/messaging'
import { didYouMean } from '@celeriac/messaging/internal'
import type { BackendClass, BackendOptions, ResultBackend } from '../backend/backend.ts'
import { TasksError } from '../kernel/errors.ts'

export interface BackendEntry {
  load(): Promise<BackendClass>
}

const redis: BackendEntry = { load: async () => (await import('./redis/backend.ts')).RedisBackend }

export const backends = {
  memory: { load: async () => (await import('./memory.ts')).MemoryBackend },
  'cache+memory': { load: async () => (await import('./memory.ts')).MemoryBackend },
  sqlite: { load: async () => (await import('./sqlite.ts')).SqliteBackend },
  file: {
    load: async () => (await import('./filesystem/backend.ts')).FilesystemBackend,
  },
  redis,
  rediss: redis,
  'redis+socket': redis,
  rpc: { load: async () => (await import('./rpc/backend.ts')).RpcBackend },
  disabled: { load: async () => (await import('./disabled.ts')).DisabledBackend },
} as const satisfies Record<string, BackendEntry>

/** Makes the backend a URL names; throws `TASKS_CONFIG_INVALID` for an unknown scheme. */
export async function makeBackend(
  options: BackendOptions,
  ambient: Ambient,
  shelf: Readonly<Record<string, BackendEntry>> = backends,
): Promise<ResultBackend> {
  const scheme = /^([a-z][a-z0-9+.-]*)(?::|$)/i.exec(options.url)?.[1] ?? options.url
  const entry = shelf[scheme]
  if (!entry) {
    throw new TasksError(
      'TASKS_CONFIG_INVALID',
      `resultBackend: no backend for '${scheme}'.${didYouMean(scheme, Object.keys(shelf))} Known: ${Object.keys(shelf).join(', ')}`,
    )
  }
  const Backend = await entry.load()
  return new Backend(options, ambient)
}
