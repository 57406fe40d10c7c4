/**
 * One file for each record, written so that nobody sees half of it and nobody replaces a success: what is new
 * is linked to its name, which only one can do; what is there is replaced under a lock.
 */
import { randomUUID } from 'node:crypto'
import { link, open, opendir, readFile, rename, stat, unlink, writeFile } from 'node:fs/promises'
import path from 'node:path'
import type { Clock } from '@celeriac/messaging'
import { codeOf, ifThere, sleep } from '@celeriac/messaging/internal'

/** Longest a lock is held; what is older was left by a process that died. */
const lockMs = 10_000
/** Longest wait for one, so that a stale one can be broken. */
const patienceMs = 15_000
/** Python writes in place: what cannot be read and is younger than this may still be under way. */
const ripeMs = 2000
/** What a dead process left half-done is removed after an hour. */
const leftOverMs = 3_600_000
const ownPrefix = '.celeriac-'

export class RecordFiles {
  readonly #folder: string
  readonly #clock: Clock

  constructor(folder: string, clock: Clock) {
    this.#folder = folder
    this.#clock = clock
  }

  path(name: string): string {
    return path.join(this.#folder, name)
  }

  /** Rejects when no file can be made here. */
  async check(): Promise<void> {
    await unlink(await this.#write('this folder takes files'))
  }

  /** Puts a record where there is none, or one that `mayReplace`. */
  async put(
    name: string,
    data: string | Uint8Array,
    mayReplace: (before: Buffer) => boolean,
  ): Promise<void> {
    const written = await this.#write(data)
    const place = this.path(name)
    try {
      if (await linked(written, place)) return await unlink(written)
      await this.#locked(name, async () => {
        const before = await ifThere(readFile(place))
        if (before === undefined || mayReplace(before)) await rename(written, place)
        else await unlink(written)
      })
    } catch (error) {
      await ifThere(unlink(written)).catch(() => undefined)
      throw error
    }
  }

  /** Writes over what is there. */
  async replace(name: string, data: string | Uint8Array): Promise<void> {
    await rename(await this.#write(data), this.path(name))
  }

  /** Undefined when there is none, or one that is still being written: `isWhole` tells. */
  async read(name: string, isWhole: (data: Buffer) => boolean): Promise<Buffer | undefined> {
    const file = await ifThere(open(this.path(name), 'r'))
    if (!file) return undefined
    try {
      const data = await file.readFile()
      if (data.length === 0) return undefined
      const { mtimeMs } = await file.stat()
      return Date.now() - mtimeMs > ripeMs || isWhole(data) ? data : undefined
    } finally {
      await file.close()
    }
  }

  async remove(name: string): Promise<void> {
    await ifThere(unlink(this.path(name)))
  }

  /** Removes files of these beginnings that were not written to for so long. */
  async removeOld(prefixes: readonly string[], ms: number): Promise<void> {
    for await (const { name } of await opendir(this.#folder)) {
      const isOurs = name.startsWith(ownPrefix)
      if (!isOurs && !prefixes.some((prefix) => name.startsWith(prefix))) continue
      const found = await ifThere(stat(this.path(name)))
      if (!found || Date.now() - found.mtimeMs <= (isOurs ? leftOverMs : ms)) continue
      await this.remove(name)
    }
  }

  async #write(data: string | Uint8Array): Promise<string> {
    const place = this.path(`${ownPrefix}${randomUUID()}`)
    try {
      await writeFile(place, data, { flag: 'wx' })
    } catch (error) {
      await ifThere(unlink(place)).catch(() => undefined)
      throw error
    }
    return place
  }

  async #locked(name: string, work: () => Promise<void>): Promise<void> {
    const lock = this.path(`${ownPrefix}lock-${name}`)
    const untilMs = this.#clock.monotonic() + patienceMs
    for (let pauseMs = 1; !(await made(lock)); pauseMs = Math.min(pauseMs * 2, 50)) {
      if (this.#clock.monotonic() > untilMs)
        throw new Error(`${lock} was held for longer than ${patienceMs / 1000} s`)
      await this.#breakStale(lock)
      await sleep(this.#clock, pauseMs)
    }
    try {
      await work()
    } finally {
      await ifThere(unlink(lock))
    }
  }

  /** Only one of those who find it stale can move it away. */
  async #breakStale(lock: string): Promise<void> {
    const found = await ifThere(stat(lock))
    if (!found || Date.now() - found.mtimeMs < lockMs) return
    const aside = this.path(`${ownPrefix}${randomUUID()}`)
    if ((await ifThere(rename(lock, aside).then(() => true))) === undefined) return
    const moved = await ifThere(stat(aside))
    // Broken by somebody else meanwhile, and taken anew: it is given back.
    if (moved && moved.ino !== found.ino) await linked(aside, lock)
    await ifThere(unlink(aside))
  }
}

/** False when the name is taken, or this file system has no links. */
async function linked(from: string, to: string): Promise<boolean> {
  try {
    await link(from, to)
    return true
  } catch (error) {
    const code = codeOf(error) ?? ''
    if (['EEXIST', 'EPERM', 'ENOSYS', 'ENOTSUP', 'EOPNOTSUPP', 'EMLINK'].includes(code))
      return false
    throw error
  }
}

async function made(lock: string): Promise<boolean> {
  try {
    await (await open(lock, 'wx')).close()
    return true
  } catch (error) {
    if (codeOf(error) === 'EEXIST') return false
    throw error
  }
}
