/**
 * The folder messages are read from: what lies there for which queue, and who waits for it. The listing is
 * kept as long as nothing new is known, since a folder may hold very many files.
 */
import { watch, type FSWatcher } from 'node:fs'
import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { Clock } from '../../kernel/clock.ts'
import { ifThere, list } from './files.ts'
import { byAge, encodeName, parseName, type MessageName } from './names.ts'

/** Pause between looks at the folder where the system tells of changes, and where it does not. */
const pollMs = { heard: 1000, deaf: 100 }
/** How often a folder may be listed, in multiples of the time that takes. */
const patience = 5
/** Some file systems date changes this coarsely: two of them look like one. */
const coarsestMs = 2500
/** A file that another program is still writing is looked at again after this long. */
const unripeMs = 30

interface Waiter {
  readonly wanted: readonly string[]
  readonly wake: () => void
}

export class Inbox {
  readonly folder: string
  readonly #clock: Clock
  readonly #waiters = new Set<Waiter>()
  /** Files that were not whole, and when to look again. */
  readonly #unripe = new Map<string, number>()
  #waiting = new Map<string, MessageName[]>()
  #isStale = true
  #listedAtMs = -Infinity
  #listingMs = 0
  #watcher: FSWatcher | undefined
  #cancelPoll: (() => void) | undefined
  #changedMs: number | undefined
  /** When that date was first seen. */
  #foundMs = -Infinity

  constructor(folder: string, clock: Clock) {
    this.folder = folder
    this.#clock = clock
  }

  /** Something may have come, or come back. */
  changed(): void {
    this.#isStale = true
    for (const { wake } of this.#waiters) wake()
  }

  async count(queue: string): Promise<number> {
    return (await this.files(queue)).length
  }

  /** Every file of a queue, as they lie there now. */
  async files(queue: string): Promise<MessageName[]> {
    const name = encodeName(queue)
    return (await this.#read()).filter((file) => file.queue === name)
  }

  /** The greatest number in a name. */
  async newest(): Promise<number> {
    return (await this.#read()).reduce((newest, { ms }) => Math.max(newest, ms), 0)
  }

  /** The next ones to claim, oldest first, in turns among queues; none is named twice. */
  async next(queues: readonly string[], max: number): Promise<MessageName[]> {
    const wanted = queues.map(encodeName)
    await this.#look(wanted)
    const chosen: MessageName[] = []
    for (let turn = 0; chosen.length < max && wanted.length > 0;) {
      const waiting = this.#waiting.get(wanted[turn]!)
      const file = waiting?.shift()
      if (file === undefined) wanted.splice(turn, 1)
      else {
        chosen.push(file)
        turn++
      }
      if (turn >= wanted.length) turn = 0
    }
    return chosen
  }

  /** This file is not whole yet. */
  unripe(file: string): void {
    this.#unripe.set(file, this.#clock.monotonic() + unripeMs)
    this.#clock.after(unripeMs + 1, () => this.changed(), { background: true })
  }

  /** Resolves when one of the queues has something, or when `signal` aborts. */
  async wait(queues: readonly string[], signal: AbortSignal): Promise<void> {
    const wanted = queues.map(encodeName)
    this.#listen()
    while (!signal.aborted) {
      let wake!: () => void
      const woken = new Promise<void>((resolve) => (wake = resolve))
      // Registered before looking: news that come in between must not be missed.
      const waiter = { wanted, wake }
      this.#waiters.add(waiter)
      signal.addEventListener('abort', wake, { once: true })
      try {
        await this.#look(wanted)
        if (wanted.some((queue) => (this.#waiting.get(queue)?.length ?? 0) > 0)) return
        this.#poll()
        await woken
      } finally {
        this.#waiters.delete(waiter)
        signal.removeEventListener('abort', wake)
      }
    }
  }

  close(): void {
    this.#cancelPoll?.()
    this.#watcher?.close()
    this.#watcher = undefined
    for (const { wake } of this.#waiters) wake()
  }

  /** Lists the folder when nothing is known of these, or when something else is and it is not too soon. */
  async #look(wanted: readonly string[]): Promise<void> {
    const knows = wanted.some((queue) => (this.#waiting.get(queue)?.length ?? 0) > 0)
    const sinceMs = this.#clock.monotonic() - this.#listedAtMs
    if (knows && (!this.#isStale || sinceMs < patience * this.#listingMs)) return
    const startedMs = this.#clock.monotonic()
    this.#isStale = false
    const waiting = new Map<string, MessageName[]>()
    for (const file of await this.#read()) {
      if ((this.#unripe.get(file.file) ?? 0) > startedMs) continue
      const others = waiting.get(file.queue)
      if (others) others.push(file)
      else waiting.set(file.queue, [file])
    }
    for (const files of waiting.values()) files.sort(byAge)
    for (const [file, untilMs] of this.#unripe) {
      if (untilMs <= startedMs) this.#unripe.delete(file)
    }
    this.#waiting = waiting
    this.#listedAtMs = this.#clock.monotonic()
    this.#listingMs = this.#listedAtMs - startedMs
  }

  async #read(): Promise<MessageName[]> {
    return (await list(this.folder)).map(parseName).filter((name) => name !== undefined)
  }

  #listen(): void {
    if (this.#watcher) return
    try {
      const watcher = watch(this.folder, (_, file) => void this.#onChange(file))
      watcher.on('error', () => {
        watcher.close()
        if (this.#watcher === watcher) this.#watcher = undefined
      })
      this.#watcher = watcher
    } catch {
      // No watches left on this machine, or a file system without them: the poll finds it.
    }
  }

  async #onChange(file: string | null): Promise<void> {
    const name = file === null ? undefined : parseName(file)
    if (file !== null && !name) return
    // Told of files that go as well; those are no news.
    const isGone =
      name && (await stat(join(this.folder, name.file)).catch(() => undefined)) === undefined
    if (isGone) return
    this.#isStale = true
    for (const { wanted, wake } of this.#waiters) if (!name || wanted.includes(name.queue)) wake()
  }

  #poll(): void {
    if (this.#cancelPoll) return
    const isHeard = this.#watcher !== undefined
    this.#cancelPoll = this.#clock.after(
      isHeard ? pollMs.heard : pollMs.deaf,
      () => {
        this.#cancelPoll = undefined
        void this.#compare().then(() => this.#waiters.size > 0 && this.#poll())
      },
      { background: isHeard },
    )
  }

  /** A folder is as new as the last file that came or went. */
  async #compare(): Promise<void> {
    const found = await ifThere(stat(this.folder)).catch(() => undefined)
    const nowMs = this.#clock.monotonic()
    if (found?.mtimeMs !== this.#changedMs) this.#foundMs = nowMs
    else if (nowMs - this.#foundMs > coarsestMs) return
    this.#changedMs = found?.mtimeMs
    this.changed()
  }
}
