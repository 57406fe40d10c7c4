/**
 * The claim: which messages, and the acts that make them this session's alone.
 *
 * 1. look for candidates, urgent ones first;
 * 2. only where updates are not atomic: insert a lock for each, which its unique id lets succeed once;
 * 3. update those that still wait: `queue` becomes `held_queue`, with the owner and a mark of this claim;
 * 4. read back what carries the mark.
 *
 * MongoDB judges the filter of step 3 anew for each document, under its lock, so no two claims and no Python
 * peer get the same one. A process killed between any two steps loses nothing: the documents are there,
 * waiting or held by a session whose lease will end.
 */
import type { MongoDocument, MongoLink } from '../../clients/mongodb.ts'
import { sleep, type Clock } from '../../kernel/clock.ts'
import { choose, type Candidate } from './choose.ts'
import type { Names } from './schema.ts'

/** Others took every candidate: how often to look again at once. */
const attempts = 20

export interface Claimed {
  readonly id: unknown
  readonly queue: string
  readonly priority: unknown
  readonly payload: unknown
  readonly attempts: number
  readonly document: MongoDocument
}

export interface Claimer {
  readonly link: MongoLink
  readonly names: Names
  readonly owner: string
  readonly clock: Clock
  /** The server's clock, as far as known. */
  nowMs(): number
}

/** At most `max` messages of the queues, in the order of delivery. */
export async function claim(
  claimer: Claimer,
  queues: readonly string[],
  max: number,
): Promise<Claimed[]> {
  if (max <= 0) return []
  const { link, names, clock } = claimer
  for (let attempt = 0; attempt < attempts; attempt++) {
    const ids = choose(await candidates(link, names, queues, max), max)
    if (ids.length === 0) return []
    const claimed = await own(claimer, ids, { queue: { $in: [...queues] } })
    if (claimed.length > 0) return claimed
    // Another is in the middle of its claim; where locks are slow, it is not over at once.
    await sleep(clock, Math.random() * (attempt + 1) * 2)
  }
  return []
}

async function candidates(
  link: MongoLink,
  names: Names,
  queues: readonly string[],
  max: number,
): Promise<Candidate[][]> {
  const messages = link.collection(names.messages)
  const found: Candidate[][] = []
  for (const queue of queues) {
    const cursor = () =>
      messages
        .find({ queue }, { projection: { priority: 1 } })
        .sort({ priority: 1, _id: 1 })
        .limit(max)
        .toArray()
    found.push(
      (await link.run('look', cursor)).map(({ _id: id, priority }) => ({
        id: id as unknown,
        priority: Number(priority),
      })),
    )
  }
  return found
}

/** Makes those of the ids that match this session's; the answer is in the order of `ids`. */
export async function own(
  claimer: Claimer,
  ids: readonly unknown[],
  condition: MongoDocument,
): Promise<Claimed[]> {
  const { link, names, owner } = claimer
  const messages = link.collection(names.messages)
  const mark = link.newId()
  const locked = link.isAtomic ? ids : await lock(claimer, ids)
  if (locked.length === 0) return []
  const { matchedCount } = await link.run('claim', () =>
    messages.updateMany({ ...condition, _id: { $in: [...locked] } } as MongoDocument, {
      // An index that removes what has expired must not reach a message that is being worked on.
      $rename: { queue: 'held_queue', expire_at: 'held_expire_at' },
      $set: { owner, mark },
    }),
  )
  const documents =
    matchedCount === 0
      ? []
      : await link.run('claim', () =>
          messages.find({ _id: { $in: [...locked] }, owner, mark } as MongoDocument).toArray(),
        )
  const byId = new Map(documents.map((document) => [link.idText(document['_id']), document]))
  if (!link.isAtomic) {
    const lost = locked.filter((id) => !byId.has(link.idText(id)))
    await unlock(link, names, owner, lost)
  }
  return locked.flatMap((id) => {
    const document = byId.get(link.idText(id))
    if (!document) return []
    const { held_queue: queue, priority, payload, attempts: before } = document
    return [
      {
        id,
        queue: String(queue),
        priority,
        payload: payload as unknown,
        attempts: typeof before === 'number' ? before : 0,
        document,
      },
    ]
  })
}

/** Those of the ids that nobody else has locked. Dated, so that one whose owner is gone can be told. */
export async function lock(
  { link, names, owner, nowMs }: Claimer,
  ids: readonly unknown[],
): Promise<unknown[]> {
  const at = nowMs()
  const documents = ids.map((id) => ({ _id: id as never, owner, at }))
  return (await link.insertNew(names.locks, documents)).map((place) => ids[place])
}

/**
 * Removes this session's locks from before `atMs` on messages it does not hold: of claims that a broken link
 * cut short, which nobody else may remove while the session lives.
 */
export async function unlockForgotten(
  { link, names, owner }: Claimer,
  atMs: number,
): Promise<void> {
  if (link.isAtomic) return
  const locks = link.collection(names.locks)
  const filter = { owner, at: { $lte: atMs } } as MongoDocument
  const locked = (await link.run('look', () => locks.find(filter).toArray())).map(
    ({ _id: id }) => id as unknown,
  )
  if (locked.length === 0) return
  const messages = link.collection(names.messages)
  const held = await link.run('look', () =>
    messages
      .find({ _id: { $in: locked }, owner } as MongoDocument, { projection: { owner: 1 } })
      .toArray(),
  )
  const ours = new Set(held.map(({ _id: id }) => link.idText(id)))
  const forgotten = locked.filter((id) => !ours.has(link.idText(id)))
  await unlock(link, names, owner, forgotten)
}

/** After the message itself is free: whoever holds the lock may rely on nobody else writing it. */
export async function unlock(
  link: MongoLink,
  names: Names,
  owner: string,
  ids: readonly unknown[],
): Promise<void> {
  if (link.isAtomic || ids.length === 0) return
  const filter = { _id: { $in: [...ids] }, owner } as MongoDocument
  await link.run('unlock', () => link.collection(names.locks).deleteMany(filter))
}
