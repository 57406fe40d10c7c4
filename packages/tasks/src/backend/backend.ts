/**
 * Contract of a result backend: keeps records by task id, tells those who wait, and counts the parts of
 * a chord. What a record is in the store is the plug-in's own (`encode`, `decode`): one text, one document,
 * one row. It knows nothing of tasks.
 *
 * Duties of the plug-in: `encode` and `decode` do no I/O; `store` is atomic per record and never replaces a
 * stored SUCCESS (a late duplicate must not undo a result); every promise settles, with a `TasksError` of
 * code `TASKS_BACKEND_FAILED` when the store cannot be reached; subscriptions survive a lost link and leave
 * nothing behind when they end. Duties of the caller: `open` before, `close` after; both are safe twice.
 */
import type { Ambient, Connection } from '@celeriac/messaging'
import type { ResultTree } from '../canvas/result-tree.ts'
import type { Config } from '../config/options.ts'
import type { Encoded, ResultCodec } from './result-codec.ts'
import type { ResultRecord } from './result-record.ts'

export interface BackendCapabilities {
  /** Records outlive this process. */
  readonly persistent: boolean
  /** Other processes see them. */
  readonly shared: boolean
  /** `subscribe` pushes; without it waiting polls. */
  readonly notifies: boolean
  /**
   * How chords find their end. `count`: it is a `CountingBackend`; `poll`: the task
   * `celery.chord_unlock` looks at the members' records again and again; `none`: not at all.
   */
  readonly joins: 'count' | 'poll' | 'none'
  /** Handles of groups can be saved. */
  readonly groups: boolean
  /** Records go by themselves when their time is over; without it `cleanup` removes them. */
  readonly expires: boolean
}

/** A record as its store keeps it: a text, bytes, or the columns or fields it is spread over. */
export type StoredData = Encoded | Readonly<Record<string, unknown>>

/** One record on its way in: `data` is what `encode` made of it, `state` the status in it. */
export interface StoredResult {
  readonly id: string
  readonly state: string
  readonly data: StoredData
  /** Where the sender of the task waits, for backends that send results as messages. */
  readonly replyTo?: string | undefined
  readonly correlationId?: string | undefined
}

/** One finished header member of a chord. */
export interface CountdownPart {
  readonly groupId: string
  readonly taskId: string
  /** Place in the group; parts come back in this order, those without one last. */
  readonly index: number | undefined
  /** `[1, task id, state, value]` as the codec wrote it, which is what Celery keeps on Redis. */
  readonly data: Encoded
}

/**
 * After a part was counted. `waiting`: others are missing, or another worker already has the join;
 * `complete`: this caller, and no other, has all parts and must send the body, then call `endCountdown`.
 * Without `parts` the store has only counted: the values are in the records of the saved group's members.
 */
export type CountdownStep =
  | { readonly kind: 'waiting' }
  /**
   * One part more than were expected, and another program may have joined them or be about to: counted once more
   * after the time that joining may take, it is complete when nobody has.
   */
  | { readonly kind: 'late' }
  | { readonly kind: 'complete'; readonly parts: readonly Encoded[] | undefined }

export interface ResultBackend {
  readonly name: string
  readonly capabilities: BackendCapabilities
  open(): Promise<void>
  close(): Promise<void>

  /** Throws when the value cannot be carried. */
  encode(record: ResultRecord): StoredData
  /** Throws `TASKS_RESULT_INVALID` when it is no record. */
  decode(data: StoredData): ResultRecord

  /** Before tasks of these ids are sent: what must stand so that their results can arrive. */
  expect?(): Promise<void> | undefined
  /** Stores a batch in order. `PENDING` is what an id without a record means; it is never stored. */
  store(results: readonly StoredResult[]): Promise<void>
  /** The records, undefined where there is none. */
  read(ids: readonly string[]): Promise<readonly (StoredData | undefined)[]>
  /**
   * Calls `onData` with each record stored for `id` from now on; resolves once that is certain, so that
   * reading after it misses nothing; a second call for the same id resolves behind what was told of it before.
   * The returned function ends it.
   */
  subscribe(id: string, onData: (data: StoredData) => void): Promise<() => void>
  /** Removes records; unknown ids are fine. */
  forget(ids: readonly string[]): Promise<void>

  /** Keeps a group's result tree (`GroupResult.save`). */
  storeGroup(groupId: string, tree: ResultTree): Promise<void>
  /** Undefined when there is none. */
  readGroup(groupId: string): Promise<ResultTree | undefined>
  forgetGroup(groupId: string): Promise<void>

  /**
   * Writes `next` under a name of ours for `ttlMs` (null removes it), when what is there is `expected` (null for
   * nothing, undefined for whatever), in one atomic step. `before` is what was there.
   */
  swap?(
    name: string,
    expected: string | null | undefined,
    next: string | null,
    ttlMs: number,
  ): Promise<{ readonly swapped: boolean; readonly before: string | undefined }>

  /** Removes what is over (`celery.backend_cleanup`); for stores where nothing goes by itself. */
  cleanup?(): Promise<void>
}

/** A backend whose capability `joins` is `count`: it counts the parts of chords, atomically. */
export interface CountingBackend extends ResultBackend {
  /** Announces a chord: parts of these members will be counted. Called before the first is sent. */
  startCountdown(groupId: string, members: readonly ResultTree[]): Promise<void>
  /** A part more than announced (Celery: `add_to_chord`); counted once for each id. */
  extendCountdown(groupId: string, taskId: string): Promise<void>
  /** Counts a part once, however often it is delivered. */
  stepCountdown(part: CountdownPart): Promise<CountdownStep>
  /** The join is done: its keys go. */
  endCountdown(groupId: string): Promise<void>
}

export function canCount(backend: ResultBackend): backend is CountingBackend {
  return backend.capabilities.joins === 'count'
}

/** What a backend is made from. */
export interface BackendOptions {
  readonly url: string
  /** Seconds a record is kept; 0 keeps it for ever. */
  readonly expiresSeconds: number
  /** `result_backend_transport_options`, camelCase. */
  readonly options: Readonly<Record<string, unknown>>
  readonly codec: ResultCodec
  /** The settings that are about one backend (`databaseTableNames`, `cacheBackendOptions` …). */
  readonly config: Partial<Config>
  /** Address of this process for replies, for results that come as messages. */
  readonly replyTo: string
  /** The app's link to its broker. */
  connection(): Connection
}

/** What the shelf makes backends with. */
export type BackendClass = new (options: BackendOptions, ambient: Ambient) => ResultBackend
