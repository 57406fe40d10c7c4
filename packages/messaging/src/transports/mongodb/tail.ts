/** Reads a capped collection as it grows, by raw commands: the driver's cursor cannot end its first batch early. */
import type { MongoDocument, MongoLink } from '../../clients/mongodb.ts'

/** Documents of one answer. */
const batchSize = 500

export class Tail {
  readonly #link: MongoLink
  readonly #collection: string
  /** Milliseconds the server waits for news before it answers that there are none; 0: at once. */
  readonly #awaitMs: number
  #session: ReturnType<MongoLink['startSession']> | undefined
  #cursor: unknown

  constructor(link: MongoLink, collection: string, awaitMs: number) {
    this.#link = link
    this.#collection = collection
    this.#awaitMs = awaitMs
  }

  get isOpen(): boolean {
    return this.#cursor !== undefined
  }

  /**
   * The oldest document, if there is one: an empty collection has no end to wait at, so the tail is only
   * open when there was one.
   */
  async open(): Promise<MongoDocument[]> {
    this.#session ??= this.#link.startSession()
    const command = {
      find: this.#collection,
      tailable: true,
      awaitData: this.#awaitMs > 0,
      // Some servers close the cursor when the first answer is not full.
      batchSize: 1,
    }
    return this.#read(await this.#run(command), 'firstBatch')
  }

  /** What came since; closed and empty when the server forgot where this one was. */
  async more(): Promise<MongoDocument[]> {
    const command = {
      getMore: this.#cursor,
      collection: this.#collection,
      batchSize,
      ...(this.#awaitMs > 0 && { maxTimeMS: this.#awaitMs }),
    }
    try {
      return this.#read(await this.#run(command), 'nextBatch')
    } catch (error) {
      if (this.#link.isOver) throw error
      this.#cursor = undefined
      return []
    }
  }

  /** Safe to call twice; never rejects. */
  async close(): Promise<void> {
    const cursor = this.#cursor
    this.#cursor = undefined
    if (cursor !== undefined && !this.#link.isOver)
      await this.#run({ killCursors: this.#collection, cursors: [cursor] }).catch(() => undefined)
    await this.#session?.endSession().catch(() => undefined)
    this.#session = undefined
  }

  async #run(command: MongoDocument): Promise<MongoDocument> {
    const session = this.#session!
    const { db } = this.#link
    // The id of a cursor has 64 bits and must go back as it came.
    const options = { session, promoteLongs: false }
    return await this.#link.run('tail', () => db.command(command, options), this.#awaitMs)
  }

  #read(answer: MongoDocument, batch: 'firstBatch' | 'nextBatch'): MongoDocument[] {
    const { cursor } = answer as {
      cursor: { id: unknown; firstBatch?: MongoDocument[]; nextBatch?: MongoDocument[] }
    }
    this.#cursor = String(cursor.id) === '0' ? undefined : cursor.id
    return cursor[batch] ?? []
  }
}
