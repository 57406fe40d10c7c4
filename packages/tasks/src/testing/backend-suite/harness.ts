/** What an author of a result backend gives to the suite. */
import type { ResultBackend } from '../../backend/backend.ts'
import { encodeRecord } from '../../backend/result-record.ts'

export interface BackendHarness {
  readonly name: string
  /** A new backend on the store under test; the suite opens and closes it. */
  open(options?: { readonly expiresSeconds?: number }): ResultBackend
  /** An id no other test uses. */
  unique(): string
}

export function record(id: string, status: string, result: unknown): string {
  return encodeRecord({
    taskId: id,
    status,
    result,
    traceback: null,
    children: [],
    dateDone: null,
  })
}

/** Runs `body` with an open backend and closes it after. */
export function withBackend(
  harness: BackendHarness,
  body: (backend: ResultBackend) => Promise<void>,
): () => Promise<void> {
  return async () => {
    const backend = harness.open()
    await backend.open()
    try {
      await body(backend)
    } finally {
      await backend.close()
    }
  }
}
