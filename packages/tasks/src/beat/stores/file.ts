/**
 * Remembers in a JSON file. It is written beside and renamed, so that a crash leaves the old file or the
 * new one. A damaged file is kept under another name.
 */
import { mkdir, open as openFile, readFile, rename, unlink } from 'node:fs/promises'
import path from 'node:path'
import { TasksError } from '../../kernel/errors.ts'
import type { EntryRecord } from '../entry.ts'
import type { ScheduleStore, StoreOptions } from '../store.ts'

const VERSION = 1

class FileStore implements ScheduleStore {
  readonly name = 'file'
  readonly #file: string
  readonly #onWarning: (message: string) => void
  /** Writes follow each other; two at once would share the file beside. */
  #writing: Promise<void> = Promise.resolve()

  constructor({ file, onWarning }: StoreOptions) {
    this.#file = path.resolve(file)
    this.#onWarning = onWarning
  }

  async open(): Promise<void> {
    await this.#guard('opened', () => mkdir(path.dirname(this.#file), { recursive: true }))
  }

  async close(): Promise<void> {
    await this.#writing
  }

  async load(): Promise<readonly EntryRecord[]> {
    const text = await this.#guard('read', () => readIfThere(this.#file))
    if (text === undefined) return []
    const records = recordsOf(text)
    if (records) return records
    const aside = `${this.#file}.damaged`
    await this.#guard('set aside', () => rename(this.#file, aside))
    this.#onWarning(`the schedule file ${this.#file} is damaged; it is now ${aside}`)
    return []
  }

  save(records: readonly EntryRecord[]): Promise<void> {
    const text = JSON.stringify({ version: VERSION, entries: records }, undefined, 1)
    const written = this.#writing.then(() => this.#guard('written', () => this.#write(text)))
    this.#writing = written.catch(() => undefined)
    return written
  }

  async #write(text: string): Promise<void> {
    const beside = `${this.#file}.${process.pid}.new`
    try {
      const handle = await openFile(beside, 'w')
      try {
        await handle.writeFile(text)
        // Without it a power cut can leave the new name with nothing in it.
        await handle.sync()
      } finally {
        await handle.close()
      }
      await rename(beside, this.#file)
    } catch (error) {
      await unlink(beside).catch(() => undefined)
      throw error
    }
  }

  async #guard<T>(what: string, act: () => Promise<T>): Promise<T> {
    try {
      return await act()
    } catch (error) {
      throw new TasksError(
        'TASKS_STORE_FAILED',
        `the schedule file ${this.#file} cannot be ${what}: ${(error as Error).message}`,
        { cause: error },
      )
    }
  }
}

async function readIfThere(file: string): Promise<string | undefined> {
  try {
    return await readFile(file, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}

/** The records in a file's text; undefined when it is not one of ours. */
function recordsOf(text: string): EntryRecord[] | undefined {
  try {
    const { version, entries } = JSON.parse(text) as { version: unknown; entries: unknown }
    if (version !== VERSION || !Array.isArray(entries)) return undefined
    return entries.every(isRecord) ? entries : undefined
  } catch {
    return undefined
  }
}

function isRecord(one: unknown): one is EntryRecord {
  const record = one as Partial<Record<keyof EntryRecord, unknown>> | null
  return (
    typeof record === 'object' &&
    record !== null &&
    typeof record.name === 'string' &&
    typeof record.schedule === 'string' &&
    Number.isFinite(record.lastTickMs) &&
    Number.isSafeInteger(record.totalRunCount)
  )
}

export function open(options: StoreOptions): ScheduleStore {
  return new FileStore(options)
}
