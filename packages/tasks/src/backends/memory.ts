/** The reference implementation of the result backend: maps in this process, shared by URL. */
import type { Ambient } from '@celeriac/messaging'
import type {
  BackendOptions,
  CountdownPart,
  CountdownStep,
  CountingBackend,
  StoredData,
  StoredResult,
} from '../backend/backend.ts'
import { newCountdown, step, type CountdownState } from '../backend/countdown.ts'
import type { Encoded, ResultCodec } from '../backend/result-codec.ts'
import type { ResultRecord } from '../backend/result-record.ts'
import type { ResultTree } from '../canvas/result-tree.ts'

class Shared {
  readonly records = new Map<string, { readonly data: Encoded; readonly expiresMs: number }>()
  readonly groups = new Map<string, ResultTree>()
  readonly countdowns = new Map<string, CountdownState>()
  readonly names = new Map<string, { readonly value: string; readonly expiresMs: number }>()
  readonly listeners = new Map<string, Set<(data: StoredData) => void>>()
}

/** Backends of one URL meet here, as connections of one `memory://` broker do. */
const stores = new Map<string, Shared>()

export class MemoryBackend implements CountingBackend {
  readonly name = 'memory'
  readonly capabilities = {
    persistent: false,
    shared: false,
    notifies: true,
    joins: 'count',
    groups: true,
    expires: true,
  } as const
  readonly #shared: Shared
  readonly #expiresMs: number
  readonly #ambient: Ambient
  readonly #codec: ResultCodec
  #writes = 0

  constructor({ url, expiresSeconds, codec }: BackendOptions, ambient: Ambient) {
    let shared = stores.get(url)
    // Without an address nobody else can come: it goes with its owner.
    if (!shared && url !== '') stores.set(url, (shared = new Shared()))
    this.#shared = shared ?? new Shared()
    this.#expiresMs = expiresSeconds > 0 ? expiresSeconds * 1000 : Infinity
    this.#ambient = ambient
    this.#codec = codec
  }

  async open(): Promise<void> {}

  async close(): Promise<void> {}

  encode(record: ResultRecord): Encoded {
    return this.#codec.encodeRecord(record)
  }

  decode(data: StoredData): ResultRecord {
    return this.#codec.decodeRecord(data as Encoded)
  }

  async store(results: readonly StoredResult[]): Promise<void> {
    const now = this.#ambient.clock.now()
    for (const { id, data: given } of results) {
      const data = given as Encoded
      const before = this.#shared.records.get(id)
      if (before && this.#codec.isSuccess(before.data)) continue
      // Deleted first, so that the map stays in the order of expiry.
      this.#shared.records.delete(id)
      this.#shared.records.set(id, { data, expiresMs: now + this.#expiresMs })
      for (const listener of this.#shared.listeners.get(id) ?? []) listener(data)
    }
    if (++this.#writes % 256 === 0) this.#sweep(now)
  }

  async read(ids: readonly string[]): Promise<readonly (StoredData | undefined)[]> {
    const now = this.#ambient.clock.now()
    return ids.map((id) => {
      const record = this.#shared.records.get(id)
      return record && record.expiresMs > now ? record.data : undefined
    })
  }

  async subscribe(id: string, onData: (data: StoredData) => void): Promise<() => void> {
    const listeners = this.#shared.listeners.get(id) ?? new Set()
    this.#shared.listeners.set(id, listeners.add(onData))
    return () => {
      listeners.delete(onData)
      if (listeners.size === 0) this.#shared.listeners.delete(id)
    }
  }

  async forget(ids: readonly string[]): Promise<void> {
    for (const id of ids) this.#shared.records.delete(id)
  }

  async startCountdown(groupId: string, members: readonly ResultTree[]): Promise<void> {
    this.#countdown(groupId).size = members.length
  }

  async extendCountdown(groupId: string, taskId: string): Promise<void> {
    this.#countdown(groupId).extra.add(taskId)
  }

  async stepCountdown(part: CountdownPart): Promise<CountdownStep> {
    return step(this.#countdown(part.groupId), part)
  }

  async endCountdown(groupId: string): Promise<void> {
    this.#shared.countdowns.delete(groupId)
  }

  async storeGroup(groupId: string, tree: ResultTree): Promise<void> {
    this.#shared.groups.set(groupId, tree)
  }

  async readGroup(groupId: string): Promise<ResultTree | undefined> {
    return this.#shared.groups.get(groupId)
  }

  async forgetGroup(groupId: string): Promise<void> {
    this.#shared.groups.delete(groupId)
  }

  async swap(
    name: string,
    expected: string | null | undefined,
    next: string | null,
    ttlMs: number,
  ): Promise<{ swapped: boolean; before: string | undefined }> {
    const { names } = this.#shared
    const now = this.#ambient.clock.now()
    const found = names.get(name)
    const before = found && found.expiresMs > now ? found.value : undefined
    if (expected !== undefined && before !== (expected ?? undefined))
      return { swapped: false, before }
    names.delete(name)
    if (next !== null) names.set(name, { value: next, expiresMs: now + ttlMs })
    if (++this.#writes % 256 === 0) this.#sweep(now)
    return { swapped: true, before }
  }

  #countdown(groupId: string): CountdownState {
    let state = this.#shared.countdowns.get(groupId)
    if (!state) this.#shared.countdowns.set(groupId, (state = newCountdown()))
    return state
  }

  #sweep(now: number): void {
    for (const [id, { expiresMs }] of this.#shared.records) {
      if (expiresMs > now) break
      this.#shared.records.delete(id)
    }
    for (const [name, { expiresMs }] of this.#shared.names)
      if (expiresMs <= now) this.#shared.names.delete(name)
  }
}
