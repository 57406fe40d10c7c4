/**
 * Who holds which files. A session is a folder: what it claimed lies in there, and a file in it says who it
 * is and, by its age, that it lives. Whoever finds a dead one renames the folder, after which the dead
 * cannot touch anything in it any more, and moves the files back.
 */
import { mkdir, readFile, rename, stat, unlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Clock } from '../../kernel/clock.ts'
import { markRedelivered } from '../../virtual/envelope.ts'
import { isGone, ownIdentity, type Identity } from '../../virtual/process-identity.ts'
import { codeOf, ifThere, list, move, removeFolder, writeSafely } from './files.ts'
import { parseName } from './names.ts'

const card = 'session.json'
const ended = '.ended'
/** Two clocks that are further apart than this were not only read at different moments. */
const setByMs = 3000
/** Files of ours that are no messages, as they are being written. */
export const temporaryPrefix = '.new-'

export class Sessions {
  readonly leaseMs: number
  /** Where this session keeps what it claimed. */
  readonly folder: string
  readonly #all: string
  readonly #name: string
  readonly #inbox: string
  readonly #identity: Identity = ownIdentity()
  readonly #clock: Clock
  /** The clock that dates files was set since the renewal before: their ages say nothing now. */
  clockWasSet = false
  /** By the clock that dates files, and by ours. */
  #renewedMs = 0
  #renewedAt = 0

  /** `inbox`: the folder of messages; `all`: the folder of sessions, on the same file system. */
  constructor(inbox: string, all: string, name: string, leaseMs: number, clock: Clock) {
    this.#clock = clock
    this.#inbox = inbox
    this.#all = all
    this.#name = name
    this.leaseMs = leaseMs
    this.folder = join(all, name)
  }

  async begin(): Promise<void> {
    await mkdir(this.folder, { recursive: true })
    await this.renew()
  }

  /** False when this session was found dead. */
  async renew(): Promise<boolean> {
    const path = join(this.folder, card)
    try {
      // Written, not touched: on a network the server's clock counts, for everybody.
      await writeFile(path, JSON.stringify(this.#identity))
      const renewedMs = (await stat(path)).mtimeMs
      const monotonicMs = this.#clock.monotonic()
      const passedMs = monotonicMs - this.#renewedAt
      this.clockWasSet =
        this.#renewedMs > 0 && Math.abs(renewedMs - this.#renewedMs - passedMs) > setByMs
      this.#renewedMs = renewedMs
      this.#renewedAt = monotonicMs
      return true
    } catch (error) {
      if (codeOf(error) === 'ENOENT') return false
      throw error
    }
  }

  /**
   * Gives back what dead sessions held; resolves with the files that are back. `leasesCount` is false for
   * one who was away himself: the others first get the time to say that they live.
   */
  async sweep(leasesCount: boolean): Promise<string[]> {
    const back: string[] = []
    for (const name of await list(this.#all)) {
      if (name === this.#name) continue
      let folder = join(this.#all, name)
      if (!(await ifThere(stat(folder)))?.isDirectory()) continue
      if (!name.endsWith(ended)) {
        if (!(await this.#isDead(folder, leasesCount))) continue
        const dead = `${folder}${ended}`
        if (!(await move(folder, dead))) continue
        folder = dead
      }
      back.push(...(await this.#empty(folder)))
    }
    return back
  }

  /** Gives back what this session holds, which is no attempt, and ends. */
  async end(): Promise<string[]> {
    const back: string[] = []
    for (const file of (await list(this.folder)).filter(parseName)) {
      if (await this.giveBack(file, false)) back.push(file)
    }
    const gone = `${this.folder}${ended}`
    if (await move(this.folder, gone)) await this.#removeEmpty(gone)
    return back
  }

  /**
   * Moves a file of this session back to where consumers find it, marked as delivered before; as another
   * one it goes behind the others. False when the session does not hold it (any more).
   */
  async giveBack(file: string, countAttempt: boolean, as = file): Promise<boolean> {
    const path = join(this.folder, file)
    const text = await ifThere(readFile(path, 'utf8'))
    if (text === undefined) return false
    const marked = mark(text, countAttempt)
    if (marked !== undefined) {
      const temporary = join(this.folder, `${temporaryPrefix}${file}`)
      try {
        await writeSafely(temporary, marked)
        await rename(temporary, path)
      } catch (error) {
        if (codeOf(error) === 'ENOENT') return false
        // Rather back without its mark than held by nobody while the disk is full.
        if (!isFull(error)) throw error
        await ifThere(unlink(temporary))
      }
    }
    return await move(path, join(this.#inbox, as))
  }

  async #isDead(folder: string, leasesCount: boolean): Promise<boolean> {
    const path = join(folder, card)
    const found = await ifThere(stat(path))
    // Made a moment ago, and not written yet; or never to be.
    const sinceMs = found?.mtimeMs ?? (await ifThere(stat(folder)))?.mtimeMs
    if (sinceMs === undefined) return false
    if (leasesCount && this.#renewedMs - sinceMs > this.leaseMs) return true
    const other = found && (await this.#identityIn(path))
    return other !== undefined && isGone(other, this.#identity)
  }

  async #identityIn(path: string): Promise<Identity | undefined> {
    try {
      return (JSON.parse(await readFile(path, 'utf8')) as Identity | null) ?? undefined
    } catch {
      return undefined
    }
  }

  /**
   * Any number of sessions may do this at the same time: each file is first claimed by one of them, and
   * found again if that one dies as well.
   */
  async #empty(folder: string): Promise<string[]> {
    const back: string[] = []
    for (const file of (await list(folder)).filter(parseName)) {
      if (!(await move(join(folder, file), join(this.folder, file)))) continue
      if (await this.giveBack(file, true)) back.push(file)
    }
    await this.#removeEmpty(folder)
    return back
  }

  /** What is no message goes, and the folder only when nothing is left: a late claim may still arrive. */
  async #removeEmpty(folder: string): Promise<void> {
    const files = await list(folder)
    if (files.some(parseName)) return
    for (const file of files) await ifThere(unlink(join(folder, file)))
    await removeFolder(folder)
  }
}

function isFull(error: unknown): boolean {
  return codeOf(error) === 'ENOSPC' || codeOf(error) === 'EDQUOT'
}

/** Undefined for a text that is no message, or says so already: it goes back as it is. */
function mark(text: string, countAttempt: boolean): string | undefined {
  try {
    const marked = markRedelivered(text, countAttempt)
    return marked === text ? undefined : marked
  } catch {
    return undefined
  }
}
