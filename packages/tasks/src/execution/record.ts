/** Outcome → result backend. Records of one turn leave together. */
import { TurnBatch } from '@celeriac/messaging/internal'
import type { ResultBackend, StoredResult } from '../backend/backend.ts'
import { encodeRecord, type ResultRecord } from '../backend/result-record.ts'

export class Recorder {
  readonly #backend: () => Promise<ResultBackend>
  readonly #batch: TurnBatch<StoredResult, void>

  constructor(backend: () => Promise<ResultBackend>) {
    this.#backend = backend
    this.#batch = new TurnBatch(async (results) => await (await backend()).store(results))
  }

  backend(): Promise<ResultBackend> {
    return this.#backend()
  }

  /** Resolves when it is kept; throws what the JSON writer throws when the result cannot be carried. */
  async store(record: ResultRecord): Promise<void> {
    const text = encodeRecord(record)
    await this.#batch.add({ id: record.taskId, state: record.status, text }).done
  }
}
