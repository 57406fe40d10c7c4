/**
 * Wakes consumers in other processes: a file of one byte beside the database, written after a commit and
 * watched by whoever waits. What the file system does not tell is found by the poll of the broker.
 */
import { closeSync, constants, openSync, watch, writeSync, type FSWatcher } from 'node:fs'

const oneByte = Buffer.from('\n')

export class Bell {
  readonly #path: string
  #file: number | undefined
  #watcher: FSWatcher | undefined

  constructor(databasePath: string) {
    this.#path = `${databasePath}-bell`
  }

  /** True while the file system tells of rings. */
  get isHeard(): boolean {
    return this.#watcher !== undefined
  }

  ring(): void {
    try {
      writeSync(this.#open(), oneByte, 0, 1, 0)
    } catch {
      // A full disk, say. Others find the message a moment later.
    }
  }

  /** Calls `onRing` from now on, for our own rings too. While it listens the process stays. */
  listen(onRing: () => void): void {
    if (this.#watcher) return
    try {
      this.#open()
      const watcher = watch(this.#path, onRing)
      watcher.on('error', () => this.#deaf(watcher))
      this.#watcher = watcher
    } catch {
      // No watches left on this machine, or a file system without them.
    }
  }

  close(): void {
    this.#watcher?.close()
    this.#watcher = undefined
    if (this.#file !== undefined) closeSync(this.#file)
    this.#file = undefined
  }

  #open(): number {
    return (this.#file ??= openSync(this.#path, constants.O_RDWR | constants.O_CREAT, 0o600))
  }

  #deaf(watcher: FSWatcher): void {
    watcher.close()
    if (this.#watcher === watcher) this.#watcher = undefined
  }
}
