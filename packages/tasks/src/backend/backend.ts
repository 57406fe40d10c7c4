/**
 * Contract of a result backend: keeps records by task id, tells those who wait, and counts the parts of
 * a chord. It sees encoded records only (result-record.ts); a plug-in knows nothing of tasks.
 *
 * Duties of the plug-in: `store` is atomic per record and never replaces a stored SUCCESS (a late
 * duplicate must not undo a result); every promise settles, with a `TasksError` of code
 * `TASKS_BACKEND_FAILED` when the store cannot be reached; subscriptions survive a lost link and leave
 * nothing behind when they end. Duties of the caller: `open` before, `close` after; both are safe twice.
 */

export interface BackendCapabilities {
  /** Records outlive this process. */
  readonly persistent: boolean
  /** Other processes see them. */
  readonly shared: boolean
  /** `subscribe` pushes; without it waiting polls. */
  readonly notifies: boolean
  /** Chords can be counted here. */
  readonly countdowns: boolean
}

/** One record on its way in. `text` is the encoded record, `state` the status in it. */
export interface StoredResult {
  readonly id: string
  readonly state: string
  readonly text: string
}

/** One finished header member of a chord. */
export interface CountdownPart {
  readonly groupId: string
  readonly taskId: string
  readonly state: string
  /** Place in the group; parts come back in this order, those without one last. */
  readonly index: number | undefined
  /** The encoded result value alone (not the whole record). */
  readonly resultText: string
}

export interface CountdownResult {
  readonly taskId: string
  readonly state: string
  readonly resultText: string
}

/**
 * After a part was counted. `waiting`: others are missing, or another worker already has the join;
 * `complete`: this caller, and no other, has all parts and must send the body, then call `endCountdown`.
 */
export type CountdownStep =
  | { readonly kind: 'waiting' }
  | { readonly kind: 'complete'; readonly parts: readonly CountdownResult[] }

export interface ResultBackend {
  readonly name: string
  readonly capabilities: BackendCapabilities
  open(): Promise<void>
  close(): Promise<void>

  /** Stores a batch in order. `PENDING` is what an id without a record means; it is never stored. */
  store(results: readonly StoredResult[]): Promise<void>
  /** The encoded records, undefined where there is none. */
  read(ids: readonly string[]): Promise<readonly (string | undefined)[]>
  /**
   * Calls `onText` with each record stored for `id` from now on; resolves once that is certain, so that
   * reading after it misses nothing. The returned function ends it.
   */
  subscribe(id: string, onText: (text: string) => void): Promise<() => void>
  /** Removes records; unknown ids are fine. */
  forget(ids: readonly string[]): Promise<void>

  /** Announces a chord: `size` parts will be counted. Called before the last part can be sent. */
  startCountdown(groupId: string, size: number): Promise<void>
  /** More parts than announced (Celery: `add_to_chord`). */
  extendCountdown(groupId: string, by: number): Promise<void>
  /** Counts a part once, however often it is delivered. */
  stepCountdown(part: CountdownPart): Promise<CountdownStep>
  /** The join is done: its keys go. */
  endCountdown(groupId: string): Promise<void>

  /** Keeps a group's result tree (`GroupResult.save`); undefined when there is none. */
  storeGroup(groupId: string, text: string): Promise<void>
  readGroup(groupId: string): Promise<string | undefined>
  forgetGroup(groupId: string): Promise<void>
}

/** What a backend is made from. */
export interface BackendOptions {
  readonly url: string
  /** Seconds a record is kept; 0 keeps it for ever. */
  readonly expiresSeconds: number
  /** `result_backend_transport_options`, camelCase. */
  readonly options: Readonly<Record<string, unknown>>
}
