/**
 * The records that have come and may still be asked for: a bounded number of them, each for as long as a
 * result is kept. Beyond the bound those go first that somebody has had already, the oldest before others.
 */
import type { Ambient } from '@celeriac/messaging'
import type { ResultRecord } from '../../backend/result-record.ts'
import { isReady } from '../../kernel/states.ts'

/** What one message brought. */
export type Arrived =
  { readonly record: ResultRecord } | { readonly record?: undefined; readonly error: unknown }

interface Entry {
  readonly arrived: Arrived
  readonly expiresMs: number
}

export class KeptRecords {
  readonly #limit: number
  readonly #expiresMs: number
  readonly #ambient: Ambient
  /** Nobody has had them yet; in the order they came. */
  readonly #fresh = new Map<string, Entry>()
  readonly #had = new Map<string, Entry>()
  #warned = false

  constructor(limit: number, expiresMs: number, ambient: Ambient) {
    this.#limit = limit
    this.#expiresMs = expiresMs
    this.#ambient = ambient
  }

  /** False when a success is kept already, which nothing replaces. */
  put(id: string, arrived: Arrived, isAwaited: boolean): boolean {
    if (this.#find(id)?.arrived.record?.status === 'SUCCESS') return false
    this.delete(id)
    const expiresMs = this.#ambient.clock.now() + this.#expiresMs
    ;(isAwaited ? this.#had : this.#fresh).set(id, { arrived, expiresMs })
    if (this.#fresh.size + this.#had.size > this.#limit) this.#makeRoom()
    return true
  }

  /** The record, which counts as had from now on. */
  get(id: string): Arrived | undefined {
    const entry = this.#find(id)
    if (entry && this.#fresh.delete(id)) this.#had.set(id, entry)
    return entry?.arrived
  }

  /** True when a record is kept that no later one of the same execution replaces. */
  isFinal(id: string): boolean {
    const arrived = this.#find(id)?.arrived
    return arrived !== undefined && (!arrived.record || isReady(arrived.record.status))
  }

  delete(id: string): void {
    if (!this.#fresh.delete(id)) this.#had.delete(id)
  }

  #find(id: string): Entry | undefined {
    const entry = this.#fresh.get(id) ?? this.#had.get(id)
    if (!entry || entry.expiresMs > this.#ambient.clock.now()) return entry
    this.delete(id)
    return undefined
  }

  #makeRoom(): void {
    const had = this.#had.keys().next()
    if (!had.done) return void this.#had.delete(had.value)
    const [id, { expiresMs }] = this.#fresh.entries().next().value!
    this.#fresh.delete(id)
    if (this.#warned || expiresMs <= this.#ambient.clock.now()) return
    this.#warned = true
    this.#ambient.log.warn(
      `more than ${this.#limit} results came that nobody waits for: the oldest are dropped; wait for them sooner, set ignoreResult, or raise backlogLimit in resultBackendTransportOptions`,
    )
  }
}
