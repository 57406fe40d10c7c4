/** Remembers nothing beyond this process: every start begins anew. */
import type { EntryRecord } from '../entry.ts'
import type { ScheduleStore } from '../store.ts'

class MemoryStore implements ScheduleStore {
  readonly name = 'memory'
  #records: readonly EntryRecord[] = []

  async open(): Promise<void> {}
  async close(): Promise<void> {}
  async load(): Promise<readonly EntryRecord[]> {
    return this.#records
  }
  async save(records: readonly EntryRecord[]): Promise<void> {
    this.#records = records.map((one) => ({ ...one }))
  }
}

export function open(): ScheduleStore {
  return new MemoryStore()
}
