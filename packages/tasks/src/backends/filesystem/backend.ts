/**
 * Results as files in one folder, laid out as Celery does: processes of one machine, or of several that
 * mount it, read and write each other's. Whoever waits is woken by the file system where it can.
 */
import { watch, type FSWatcher } from 'node:fs'
import path from 'node:path'
import type { Ambient } from '@celeriac/messaging'
import { codeOf, eachOf, encodeName } from '@celeriac/messaging/internal'
import type {
  BackendOptions,
  ResultBackend,
  StoredData,
  StoredResult,
} from '../../backend/backend.ts'
import { Polling } from '../../backend/polling.ts'
import type { Encoded, ResultCodec } from '../../backend/result-codec.ts'
import type { ResultRecord } from '../../backend/result-record.ts'
import { readTree, type ResultTree } from '../../canvas/result-tree.ts'
import { lastOfEach } from '../batches.ts'
import { celeryKeys, keyPrefix, type CeleryKeys } from '../celery-keys.ts'
import { backendClosed, backendFailed, badBackend, camelOptions } from '../failures.ts'
import { RecordFiles } from './files.ts'

export class FilesystemBackend implements ResultBackend {
  readonly name = 'filesystem'
  readonly capabilities = {
    persistent: true,
    shared: true,
    notifies: true,
    joins: 'poll',
    groups: true,
    expires: false,
  } as const
  readonly #folder: string
  readonly #files: RecordFiles
  readonly #keys: CeleryKeys
  readonly #codec: ResultCodec
  readonly #expiresMs: number
  readonly #polling: Polling
  /** File → id, of those somebody waits for. */
  readonly #awaited = new Map<string, string>()
  #watcher: FSWatcher | undefined
  #checking: Promise<void> | undefined
  #isClosed = false

  constructor({ url, expiresSeconds, codec, options }: BackendOptions, { clock }: Ambient) {
    this.#folder = folderOf(url)
    this.#files = new RecordFiles(this.#folder, clock)
    this.#keys = celeryKeys(keyPrefix(camelOptions(options)))
    this.#codec = codec
    this.#expiresMs = expiresSeconds * 1000
    this.#polling = new Polling((ids) => this.read(ids), clock)
  }

  async open(): Promise<void> {
    await this.#guard(async () => undefined)
  }

  async close(): Promise<void> {
    this.#isClosed = true
    this.#polling.close()
    this.#deafen()
  }

  encode(record: ResultRecord): Encoded {
    return this.#codec.encodeRecord(record)
  }

  decode(data: StoredData): ResultRecord {
    return this.#codec.decodeRecord(data as Encoded)
  }

  async store(results: readonly StoredResult[]): Promise<void> {
    const mayReplace = (before: Buffer): boolean => !this.#codec.isSuccess(before)
    await this.#guard(() =>
      eachOf(lastOfEach(results), ({ id, data }) =>
        this.#files.put(this.#record(id), data as Encoded, mayReplace),
      ),
    )
  }

  async read(ids: readonly string[]): Promise<readonly (StoredData | undefined)[]> {
    const found = Array.from<Encoded | undefined>({ length: ids.length })
    const isWhole = (data: Buffer): boolean => this.#isRecord(data)
    await this.#guard(() =>
      eachOf([...ids.entries()], async ([i, id]) => {
        const data = await this.#files.read(this.#record(id), isWhole)
        found[i] = this.#codec.isText ? data?.toString() : data
      }),
    )
    return found
  }

  async subscribe(id: string, onData: (data: StoredData) => void): Promise<() => void> {
    await this.open()
    this.#listen()
    const file = this.#record(id)
    this.#awaited.set(file, id)
    let off: (() => void) | undefined = this.#polling.subscribe(id, onData)
    return () => {
      off?.()
      off = undefined
      if (!this.#polling.has(id)) this.#awaited.delete(file)
      if (this.#awaited.size === 0) this.#deafen()
    }
  }

  async forget(ids: readonly string[]): Promise<void> {
    await this.#guard(() => eachOf(ids, (id) => this.#files.remove(this.#record(id))))
  }

  async storeGroup(groupId: string, tree: ResultTree): Promise<void> {
    const data = this.#codec.encode({ result: tree })
    await this.#guard(() => this.#files.replace(this.#group(groupId), data))
  }

  async readGroup(groupId: string): Promise<ResultTree | undefined> {
    const isWhole = (data: Buffer): boolean => this.#canRead(() => this.#codec.decode(data))
    const data = await this.#guard(() => this.#files.read(this.#group(groupId), isWhole))
    if (!data) return undefined
    return readTree((this.#codec.decode(data) as { result?: unknown } | null)?.result)
  }

  async forgetGroup(groupId: string): Promise<void> {
    await this.#guard(() => this.#files.remove(this.#group(groupId)))
  }

  async cleanup(): Promise<void> {
    if (this.#expiresMs === 0) return
    const { record, group, chord } = this.#keys
    const prefixes = [record(''), group(''), chord('')].map(encodeName)
    await this.#guard(() => this.#files.removeOld(prefixes, this.#expiresMs))
  }

  #record(id: string): string {
    return encodeName(this.#keys.record('')) + encodeName(id)
  }

  #group(id: string): string {
    return encodeName(this.#keys.group('')) + encodeName(id)
  }

  #isRecord(data: Buffer): boolean {
    return this.#canRead(() => this.#codec.decodeRecord(data))
  }

  #canRead(read: () => unknown): boolean {
    try {
      read()
      return true
    } catch {
      return false
    }
  }

  #listen(): void {
    if (this.#watcher || this.#isClosed) return
    try {
      const watcher = watch(this.#folder, (_, file) => this.#onChange(file))
      watcher.on('error', () => this.#deafen())
      this.#watcher = watcher
    } catch {
      // No watches left on this machine, or a file system without them: the poll finds it.
    }
  }

  #deafen(): void {
    this.#watcher?.close()
    this.#watcher = undefined
  }

  #onChange(file: string | null): void {
    const id = file === null ? undefined : this.#awaited.get(file)
    if (id !== undefined) this.#polling.lookSoon(id)
  }

  async #guard<T>(work: () => Promise<T>): Promise<T> {
    if (this.#isClosed) throw backendClosed()
    this.#checking ??= this.#check().catch((error: unknown) => {
      this.#checking = undefined
      throw error
    })
    await this.#checking
    try {
      return await work()
    } catch (error) {
      throw backendFailed('in a folder', error)
    }
  }

  async #check(): Promise<void> {
    try {
      await this.#files.check()
    } catch (error) {
      const code = codeOf(error) ?? ''
      if (['ENOENT', 'ENOTDIR', 'EACCES', 'EROFS', 'EPERM'].includes(code))
        throw badBackend(
          `no files can be written to ${this.#folder} (${code}): the folder must exist and belong to this user`,
          error,
        )
      throw backendFailed('in a folder', error)
    }
  }
}

/** As Celery reads it: everything behind `file://` or `file://localhost` is the path, as it stands. */
function folderOf(url: string): string {
  const rest = /^file:\/\/(?:localhost(?=\/))?(.+)$/s.exec(url)?.[1]
  if (rest === undefined)
    throw badBackend(`'${url}' names no folder; expected file:///path/to/folder`)
  return path.resolve(process.platform === 'win32' ? rest.replace(/^\/(?=[a-z]:)/i, '') : rest)
}
