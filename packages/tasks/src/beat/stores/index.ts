/** The shelf of schedule stores. One line for each. */
import type { StoreEntry } from '../store.ts'

export const scheduleStores = {
  memory: { load: () => import('./memory.ts') },
  file: { load: () => import('./file.ts') },
} as const satisfies Record<string, StoreEntry>
