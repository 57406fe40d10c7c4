/** The reference implementation of the result backend: maps in this process, shared by URL. */
import type { Ambient } from '@celeriac/messaging'
import type {
  BackendOptions,
  CountdownPart,
  CountdownStep,
  ResultBackend,
  StoredResult,
} from '../backend/backend.ts'
import { isSuccess, newCountdown, step, type CountdownState } from '../backend/countdown.ts'

class Shared {
  readonly records = new Map<string, { readonly text: string; readonly expiresMs: number }>()
  readonly groups = new Map<string, string>()
  readonly countdowns = new Map<string, CountdownState>()
  readonly listeners = new Map<string, Set<(text: string) => void>>()
}

/** Backends of one URL meet here, as connections of one `memory://` broker do. */
const stores = new Map<string, Shared>()

export class MemoryBackend implements ResultBackend {
  readonly name = 'memory'
  readonly capabilities = { persistent: false, shared: false, notifies: true, countdowns: true }
  readonly #shared: Shared
  readonly #expiresMs: number
  readonly #ambient: Ambient
  #writes = 0

  constructor({ url, expiresSeconds }: BackendOptions, ambient: Ambient) {
    let shared = stores.get(url)
    if (!shared) stores.set(url, (shared = new Shared()))
    this.#shared = shared
    this.#expiresMs = expiresSeconds > 0 ? expiresSeconds * 1000 : Infinity
    this.#ambient = ambient
  }

  async open(): Promise<void> {}

  async close(): Promise<void> {}

  async store(results: readonly StoredResult[]): Promise<void> {
    const now = this.#ambient.clock.now()
    for (const { id, text } of results) {
      const before = this.#shared.records.get(id)
      if (before && isSuccess(before.text)) continue
      // Deleted first, so that the map stays in the order of expiry.
      this.#shared.records.delete(id)
      this.#shared.records.set(id, { text, expiresMs: now + this.#expiresMs })
      for (const listener of this.#shared.listeners.get(id) ?? []) listener(text)
    }
    if (++this.#writes % 256 === 0) this.#sweep(now)
  }

  async read(ids: readonly string[]): Promise<readonly (string | undefined)[]> {
    const now = this.#ambient.clock.now()
    return ids.map((id) => {
      const record = this.#shared.records.get(id)
      return record && record.expiresMs > now ? record.text : undefined
    })
  }

  async subscribe(id: string, onText: (text: string) => void): Promise<() => void> {
    const listeners = this.#shared.listeners.get(id) ?? new Set()
    this.#shared.listeners.set(id, listeners.add(onText))
    return () => {
      listeners.delete(onText)
      if (listeners.size === 0) this.#shared.listeners.delete(id)
    }
  }

  async forget(ids: readonly string[]): Promise<void> {
    for (const id of ids) this.#shared.records.delete(id)
  }

  async startCountdown(groupId: string, size: number): Promise<void> {
    this.#countdown(groupId).size = size
  }

  async extendCountdown(groupId: string, by: number): Promise<void> {
    const state = this.#countdown(groupId)
    state.size = (state.size ?? 0) + by
  }

  async stepCountdown(part: CountdownPart): Promise<CountdownStep> {
    return step(this.#countdown(part.groupId), part)
  }

  async endCountdown(groupId: string): Promise<void> {
    this.#shared.countdowns.delete(groupId)
  }

  async storeGroup(groupId: string, text: string): Promise<void> {
    this.#shared.groups.set(groupId, text)
  }

  async readGroup(groupId: string): Promise<string | undefined> {
    return this.#shared.groups.get(groupId)
  }

  async forgetGroup(groupId: string): Promise<void> {
    this.#shared.groups.delete(groupId)
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
  }
}
