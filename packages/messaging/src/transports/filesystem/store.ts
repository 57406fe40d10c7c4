/**
 * The store contract on folders, in Kombu's layout. A claim is a rename into the folder of this session, so
 * that a killed process loses nothing at any instant; a message is published by renaming it into place.
 */
import { mkdir, readFile, rename, stat, unlink } from 'node:fs/promises'
import { join } from 'node:path'
import { messageOf, MessagingError, type Fault, type MessagingCode } from '../../kernel/errors.ts'
import { parseJson } from '../../serializers/json.ts'
import type { Binding } from '../../topology/binding.ts'
import type { Exchange } from '../../topology/exchange.ts'
import type { Queue } from '../../topology/queue.ts'
import {
  parkedFor,
  parkedQueue,
  type MessageStore,
  type Push,
  type Settlement,
  type StoreContext,
  type Taken,
  type TickResult,
} from '../../virtual/store.ts'
import {
  codeOf,
  eachOf,
  ifThere,
  list,
  move,
  moveAnywhere,
  syncFolder,
  writeSafely,
} from './files.ts'
import { Inbox } from './inbox.ts'
import { encodeName, Names, parseName, type MessageName } from './names.ts'
import { Sessions } from './sessions.ts'
import { Tables } from './tables.ts'

export interface Folders {
  /** Read from. */
  readonly in: string
  /** Written to. */
  readonly out: string
  readonly control: string
  /** Where acknowledged messages go; undefined: they are removed. */
  readonly processed: string | undefined
}

const leaseMs = 15_000
/** A file that is no JSON for this long is not being written, it is garbage. */
const ripeAfterMs = 2000
/** Why a file cannot be read now, which says nothing about what is in it. */
const momentary = new Set('EMFILE ENFILE ENOMEM ENOBUFS EAGAIN EBUSY EINTR EIO ESTALE'.split(' '))
/** Files somebody began to write and never finished. */
const abandonedAfterMs = 3_600_000

export class FilesystemStore implements MessageStore {
  readonly server = `file system of ${process.platform}`
  readonly tickMs = leaseMs / 3
  readonly closed: Promise<MessagingError | undefined>
  readonly #folders: Folders
  readonly #context: StoreContext
  readonly #inbox: Inbox
  readonly #names: Names
  readonly #sessions: Sessions
  readonly #tables: Tables
  #lastTickMs: number | undefined
  #closing: Promise<void> | undefined
  #resolveClosed!: (reason: MessagingError | undefined) => void

  static async open(folders: Folders, context: StoreContext): Promise<FilesystemStore> {
    const { clock } = context.ambient
    try {
      const tables = new Tables(folders.control, clock)
      await tables.open()
      for (const folder of [sessionsIn(folders.in), delayedIn(folders.in), newIn(folders.in)])
        await mkdir(folder, { recursive: true })
      await mkdir(newIn(folders.out), { recursive: true })
      if (folders.processed !== undefined) await mkdir(folders.processed, { recursive: true })
      await removeAbandoned(newIn(folders.out))
      const inbox = new Inbox(folders.in, clock)
      const newest = Math.max(await inbox.newest(), await new Inbox(folders.out, clock).newest())
      const all = sessionsIn(folders.in)
      const sessions = new Sessions(folders.in, all, context.session, leaseMs, clock)
      await sessions.begin()
      return new FilesystemStore(folders, context, inbox, new Names(newest), sessions, tables)
    } catch (error) {
      throw guarded(fileError(error, 'opening the folders', true))
    }
  }

  private constructor(
    folders: Folders,
    context: StoreContext,
    inbox: Inbox,
    names: Names,
    sessions: Sessions,
    tables: Tables,
  ) {
    this.#folders = folders
    this.#context = context
    this.#inbox = inbox
    this.#names = names
    this.#sessions = sessions
    this.#tables = tables
    this.closed = new Promise((resolve) => (this.#resolveClosed = resolve))
  }

  async declareQueue({ name }: Queue): Promise<void> {
    await guard(this.#tables.declareQueue(name))
  }

  async hasQueue(name: string): Promise<boolean> {
    return (await guard(this.#tables.isDeclared(name))) || (await this.count(name)) > 0
  }

  async removeQueue(name: string): Promise<number> {
    const removed = await this.purge(name)
    await guard(this.#tables.removeQueue(name))
    for (const { path, name: file } of await this.#delayed()) {
      if (file.queue === encodeName(name)) await guard(ifThere(unlink(path)))
    }
    return removed
  }

  async count(queue: string): Promise<number> {
    return await guard(this.#inbox.count(queue))
  }

  async purge(queue: string): Promise<number> {
    let removed = 0
    await guard(
      eachOf(await guard(this.#inbox.files(queue)), async ({ file }) => {
        const path = join(this.#folders.in, file)
        const isMine = await move(path, join(this.#sessions.folder, file))
        // Claimed first, so that it is counted by one of those who purge at the same time.
        if (isMine && (await remove(join(this.#sessions.folder, file)))) removed++
      }),
    )
    return removed
  }

  async declareExchange(exchange: Exchange): Promise<void> {
    await guard(this.#tables.declareExchange(exchange))
  }

  async findExchange(name: string): Promise<Exchange | undefined> {
    return await guard(this.#tables.findExchange(name))
  }

  async removeExchange(name: string): Promise<void> {
    await guard(this.#tables.removeExchange(name))
  }

  async bind(binding: Binding, exchange: Exchange | undefined): Promise<void> {
    await guard(this.#tables.bind(binding, exchange?.type ?? 'direct'))
  }

  async unbind(binding: Binding): Promise<void> {
    await guard(this.#tables.unbind(binding))
  }

  async readBindings(exchange: string): Promise<readonly Binding[]> {
    return await guard(this.#tables.bindings(exchange))
  }

  async push(batch: readonly Push[]): Promise<Map<number, MessagingError> | undefined> {
    const files = batch.map(({ queue, text }) => {
      // What is parked here is for who reads here.
      const to = queue.startsWith(parkedQueue) ? this.#folders.in : this.#folders.out
      const name = this.#names.next(queue)
      return { text, to, temporary: join(newIn(to), name), path: join(to, name) }
    })
    try {
      await eachOf(files, ({ temporary, text }) => writeSafely(temporary, text))
    } catch (error) {
      await Promise.all(files.map(({ temporary }) => remove(temporary)))
      throw fileError(error, 'publishing')
    }
    let failures: Map<number, MessagingError> | undefined
    // One after the other: nobody may see a later one without those before it.
    for (const [i, { temporary, path }] of files.entries()) {
      try {
        await rename(temporary, path)
      } catch (error) {
        ;(failures ??= new Map()).set(i, fileError(error, 'publishing'))
      }
    }
    await Promise.all([...new Set(files.map(({ to }) => to))].map(syncFolder))
    this.#inbox.changed()
    return failures
  }

  async take(queues: readonly string[], max: number): Promise<Taken[]> {
    const taken: Taken[] = []
    while (taken.length < max) {
      const chosen = await guard(this.#inbox.next(queues, max - taken.length))
      if (chosen.length === 0) break
      const names = new Map(queues.map((queue) => [encodeName(queue), queue]))
      const claims = await Promise.allSettled(
        chosen.map((name) => this.#claim(name, names.get(name.queue)!)),
      )
      for (const claim of claims)
        if (claim.status === 'fulfilled' && claim.value) taken.push(claim.value)
      const failed = claims.find((claim) => claim.status === 'rejected')
      if (failed) return await this.#giveBack(taken, failed.reason)
    }
    return taken
  }

  /** Nobody would settle these: the claim as a whole has failed. */
  async #giveBack(taken: readonly Taken[], reason: unknown): Promise<never> {
    for (const { receipt } of taken)
      await this.#sessions.giveBack(receipt, false).catch(() => undefined)
    throw guarded(reason)
  }

  async wait(queues: readonly string[], signal: AbortSignal): Promise<void> {
    await guard(this.#inbox.wait(queues, signal))
  }

  async settle(batch: readonly Settlement[]): Promise<void> {
    let missed = false
    await guard(
      eachOf(batch, async (one) => {
        if (!(await this.#settle(one))) missed = true
      }),
    )
    if (batch.some(({ outcome }) => outcome === 'restore' || outcome === 'requeue'))
      this.#inbox.changed()
    // Settled before, or others have it since this session was found dead.
    if (missed && (await guard(ifThere(stat(this.#sessions.folder)))) === undefined)
      throw leaseLost()
  }

  async tick(): Promise<TickResult> {
    const { clock } = this.#context.ambient
    if (!(await guard(this.#sessions.renew()))) throw leaseLost()
    const nowMs = clock.monotonic()
    const wasAway = this.#lastTickMs !== undefined && nowMs - this.#lastTickMs > leaseMs
    this.#lastTickMs = nowMs
    let restored = (await guard(this.#sessions.sweep(!wasAway && !this.#sessions.clockWasSet)))
      .length
    let nextDueMs: number | undefined
    for (const { path, name, dueMs } of await this.#delayed()) {
      const inMs = dueMs - clock.now()
      if (inMs > 0) nextDueMs = Math.min(nextDueMs ?? Infinity, inMs)
      else if (await guard(move(path, join(this.#folders.in, name.file)))) restored++
    }
    if (restored > 0) this.#inbox.changed()
    return { restored, nextDueMs }
  }

  close(): Promise<void> {
    return (this.#closing ??= this.#close())
  }

  async #close(): Promise<void> {
    this.#inbox.close()
    try {
      await this.#sessions.end()
    } catch (error) {
      // Then it ends with its lease, and others give back what it held.
      this.#context.ambient.log.warn('a session could not give back all its files', {
        folder: this.#sessions.folder,
        reason: messageOf(error),
      })
    } finally {
      this.#resolveClosed(undefined)
    }
  }

  /** Undefined when another was faster, or when there is nothing to hand out. */
  async #claim({ file }: MessageName, queue: string): Promise<Taken | undefined> {
    const path = join(this.#sessions.folder, file)
    if (!(await move(join(this.#folders.in, file), path))) {
      if ((await ifThere(stat(this.#sessions.folder))) === undefined) throw leaseLost()
      return undefined
    }
    try {
      const text = await readFile(path, 'utf8')
      parseJson(text)
      return { receipt: file, queue, text }
    } catch (error) {
      if (momentary.has(codeOf(error) ?? '')) {
        await move(path, join(this.#folders.in, file))
        throw error
      }
      await this.#putAside(path, file, queue, messageOf(error))
      return undefined
    }
  }

  /** Kombu writes files in place: what is no JSON may become a message in a moment. */
  async #putAside(path: string, file: string, queue: string, reason: string): Promise<void> {
    const found = await ifThere(stat(path))
    if (!found) return
    const isYoung = this.#context.ambient.clock.now() - found.mtimeMs < ripeAfterMs
    if (isYoung && found.isFile()) {
      this.#inbox.unripe(file)
      await move(path, join(this.#folders.in, file))
      return
    }
    const parked = this.#names.next(parkedFor(queue))
    if (await move(path, join(this.#folders.in, parked)))
      this.#context.events.onParked(queue, reason)
  }

  /** False when this session does not hold it. */
  async #settle({ taken, outcome }: Settlement): Promise<boolean> {
    const file = taken.receipt
    const path = join(this.#sessions.folder, file)
    if (outcome === 'remove') {
      const { processed } = this.#folders
      return processed === undefined
        ? await remove(path)
        : await moveAnywhere(path, join(processed, file))
    }
    if (outcome === 'restore') return await this.#sessions.giveBack(file, false)
    if (outcome === 'requeue')
      return await this.#sessions.giveBack(file, true, this.#names.next(taken.queue))
    const due = `${Math.ceil(outcome.delayUntilMs)}~${file}`
    return await move(path, join(delayedIn(this.#folders.in), due))
  }

  async #delayed(): Promise<{ path: string; name: MessageName; dueMs: number }[]> {
    const folder = delayedIn(this.#folders.in)
    const found: { path: string; name: MessageName; dueMs: number }[] = []
    for (const entry of await guard(list(folder))) {
      const name = parseName(entry.slice(entry.indexOf('~') + 1))
      const dueMs = Number.parseInt(entry, 10)
      if (name && !Number.isNaN(dueMs)) found.push({ path: join(folder, entry), name, dueMs })
    }
    return found.toSorted((a, b) => a.dueMs - b.dueMs)
  }
}

// Ours, on the same file system as the messages; no name in them is one Kombu looks for.
const sessionsIn = (folder: string): string => join(folder, '.celeriac', 'sessions')
const delayedIn = (folder: string): string => join(folder, '.celeriac', 'delayed')
const newIn = (folder: string): string => join(folder, '.celeriac', 'new')

async function remove(path: string): Promise<boolean> {
  return (await ifThere(unlink(path).then(() => true))) ?? false
}

async function removeAbandoned(folder: string): Promise<void> {
  for (const file of await list(folder)) {
    const path = join(folder, file)
    const found = await ifThere(stat(path))
    if (found && Date.now() - found.mtimeMs > abandonedAfterMs) await remove(path)
  }
}

async function guard<T>(work: Promise<T>): Promise<T> {
  try {
    return await work
  } catch (error) {
    throw guarded(error)
  }
}

/** Where nothing is published a full disk is nobody's message; the session begins anew. */
function guarded(error: unknown): MessagingError {
  const made = fileError(error, 'using the folders')
  if (made.fault !== 'message') return made
  return new MessagingError('MESSAGING_STORE_FAILED', 'connection', made.message, { cause: error })
}

/** An error of the file system → typed error with its fault. */
export function fileError(error: unknown, what: string, connecting = false): MessagingError {
  if (MessagingError.is(error)) return error
  const make = (code: MessagingCode, fault: Fault, hint = ''): MessagingError =>
    new MessagingError(code, fault, `${what}: ${messageOf(error)}${hint}`, { cause: error })
  const failed: MessagingCode = connecting ? 'MESSAGING_CONNECT_FAILED' : 'MESSAGING_STORE_FAILED'
  switch (codeOf(error)) {
    case 'ENOSPC':
    case 'EDQUOT':
      return make('MESSAGING_PUBLISH_REFUSED', 'message', '; there is no room left')
    case 'EACCES':
    case 'EPERM':
    case 'EROFS':
      return make(failed, 'fatal', '; the folders must be writable')
    case 'ENOTDIR':
    case 'EEXIST':
      return make(failed, 'fatal', '; a file is in the place of a folder')
    default:
      return make(failed, 'connection')
  }
}

function leaseLost(): MessagingError {
  return new MessagingError(
    'MESSAGING_LEASE_LOST',
    'connection',
    'this session was taken for dead, and others have its messages by now; it starts anew',
  )
}
