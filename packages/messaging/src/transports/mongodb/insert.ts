/** Storing messages of which the server may refuse some, for a validator or an index of somebody else. */
import type { MongoDocument, MongoLink } from '../../clients/mongodb.ts'
import { MessagingError } from '../../kernel/errors.ts'

/** Resolves with those that were refused, by their place; rejects when nothing is known of any. */
export async function insertEach(
  link: MongoLink,
  name: string,
  documents: MongoDocument[],
): Promise<ReadonlyMap<number, MessagingError>> {
  try {
    await link.run('publish', () => link.collection(name).insertMany(documents, { ordered: false }))
    return new Map()
  } catch (error) {
    const refused = refusedIn((error as { cause?: unknown }).cause)
    if (link.isOver || refused.length === 0) throw error
    const refusal = (reason = 'no reason given') =>
      new MessagingError(
        'MESSAGING_PUBLISH_REFUSED',
        'message',
        `MongoDB refused the message: ${reason}`,
        { cause: error },
      )
    return new Map(refused.map(({ index, errmsg }) => [index, refusal(errmsg)]))
  }
}

interface Refused {
  readonly index: number
  readonly errmsg?: string
}

function refusedIn(cause: unknown): readonly Refused[] {
  if (!(cause instanceof Error) || cause.name !== 'MongoBulkWriteError') return []
  const { writeErrors = [] } = cause as Error & { writeErrors?: Refused | readonly Refused[] }
  return [writeErrors].flat() as readonly Refused[]
}
