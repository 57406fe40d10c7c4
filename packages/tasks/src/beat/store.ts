/**
 * Contract of a place where a scheduler remembers its entries between runs, and where several schedulers
 * agree who leads.
 *
 * Duties of the plug-in: `save` is atomic, a crash leaves the old records or the new ones; `load` never
 * fails for damaged data, it starts anew and says so. Duties of the caller: `open` before, `close` after;
 * both are safe twice.
 */
import type { EntryRecord } from './entry.ts'

export interface ScheduleStore {
  readonly name: string
  open(): Promise<void>
  close(): Promise<void>
  /** The records of the last `save`, by any process; empty when there are none. */
  load(): Promise<readonly EntryRecord[]>
  /** Replaces all records. */
  save(records: readonly EntryRecord[]): Promise<void>
  /**
   * True while this process is the one that sends. Asked before every look, so it must be quick; a leader
   * that stops asking is replaced within seconds. A store without it serves one scheduler.
   */
  lead?(): Promise<boolean>
}

/** What a store is made from. */
export interface StoreOptions {
  /** `beatScheduleFilename`, for those that keep a file. */
  readonly file: string
  /** Told what was wrong with the data that was found. */
  readonly onWarning: (message: string) => void
}

export interface StoreEntry {
  readonly load: () => Promise<{ readonly open: (options: StoreOptions) => ScheduleStore }>
}
