/** What an author of a result backend gives to the suite. */
import {
  canCount,
  type BackendOptions,
  type CountingBackend,
  type ResultBackend,
  type StoredResult,
} from '../../backend/backend.ts'
import { jsonResults, type ResultCodec } from '../../backend/result-codec.ts'
import type { ResultRecord } from '../../backend/result-record.ts'

export interface OpenOptions {
  /** Seconds; default 60. */
  readonly expiresSeconds?: number
  /** Default JSON. */
  readonly codec?: ResultCodec
}

export interface BackendHarness {
  readonly name: string
  /** A new backend on the store under test; the suite opens and closes it. */
  open(options?: OpenOptions): ResultBackend
  /** An id no other test uses. */
  unique(): string
  /** Address results are sent to, for backends that send them as messages. */
  readonly replyTo?: string
  /** What the store has no place for, as in Celery. */
  readonly lacks?: readonly ('children' | 'groupId' | 'parentId' | 'extended')[]
  /** Codecs other than JSON to be tested with; made by `resultCodec`. */
  readonly codecs?: readonly ResultCodec[]
  /** Seconds a record lives at least when it is to expire; stores with a grain. Default 1. */
  readonly shortestSeconds?: number
}

export { jsonResults }

/** A backend that is known to count the parts of chords. */
export function counting(backend: ResultBackend): CountingBackend {
  if (!canCount(backend)) throw new Error(`${backend.name} does not count the parts of chords`)
  return backend
}

/** What a backend under test is made from. */
export function backendOptions(
  url: string,
  { expiresSeconds = 60, codec = jsonResults }: OpenOptions = {},
  more: Partial<BackendOptions> = {},
): BackendOptions {
  return {
    url,
    expiresSeconds,
    codec,
    options: {},
    config: {},
    replyTo: 'nobody',
    connection: () => {
      throw new Error('this backend has no broker')
    },
    ...more,
  }
}

export function record(
  id: string,
  status: string,
  result: unknown = null,
  more: Partial<ResultRecord> = {},
): ResultRecord {
  return { taskId: id, status, result, traceback: null, children: [], dateDone: null, ...more }
}

/** A record as it is handed to `store`. */
export function stored(
  backend: ResultBackend,
  harness: BackendHarness,
  one: ResultRecord,
): StoredResult {
  return {
    id: one.taskId,
    state: one.status,
    data: backend.encode(one),
    ...(harness.replyTo !== undefined && { replyTo: harness.replyTo, correlationId: one.taskId }),
  }
}

/** State and value of each id, undefined where there is none. */
export async function read(
  backend: ResultBackend,
  ids: readonly string[],
): Promise<([state: string, value: unknown] | undefined)[]> {
  const found = await backend.read(ids)
  return found.map((data) => {
    if (data === undefined) return undefined
    const { status, result } = backend.decode(data)
    return [status, result]
  })
}

/** Runs `body` with an open backend and closes it after. */
export function withBackend(
  harness: BackendHarness,
  body: (backend: ResultBackend) => Promise<void>,
  options?: OpenOptions,
): () => Promise<void> {
  return async () => {
    const backend = harness.open(options)
    await backend.open()
    await backend.expect?.()
    try {
      await body(backend)
    } finally {
      await backend.close()
    }
  }
}
