/** Where commands go: to the one server, or in a cluster to the server that has the key. */
import type { CallScript } from './scripts.ts'

export interface Wire {
  /** Runs a script where its first key lies; all its keys must lie there. Rejects with a typed error. */
  readonly script: CallScript
  /** One command whose first argument is a key. Rejects with a typed error. */
  send(command: string, key: string, ...args: (string | number)[]): Promise<unknown>
  /** What is asked in this turn of the event loop leaves together. */
  hold(): void
}
