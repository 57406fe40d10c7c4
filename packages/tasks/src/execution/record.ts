/** Outcome → result backend: records, of which those of one turn leave together, and the parts of chords. */
import type { Clock } from '@celeriac/messaging'
import { sleep, TurnBatch } from '@celeriac/messaging/internal'
import {
  canCount,
  type CountdownStep,
  type ResultBackend,
  type StoredResult,
} from '../backend/backend.ts'
import type { Encoded, ResultCodec } from '../backend/result-codec.ts'
import { leafIds } from '../canvas/index.ts'
import type { ResultRecord } from '../backend/result-record.ts'
import { TasksError, TimeoutError } from '../kernel/errors.ts'
import { isReady } from '../kernel/states.ts'

/** Where the sender of a task waits, for backends that send results as messages. */
export interface ReplyAddress {
  readonly replyTo: string | undefined
  readonly correlationId: string | undefined
}

/** A header member that is done: what its place in the join gets. */
export interface FinishedPart {
  readonly groupId: string
  readonly groupIndex: number | undefined
  readonly taskId: string
  readonly state: string
  readonly value: unknown
}

/** A part that was counted before, or the record of a member. */
export interface PartResult {
  readonly taskId: string
  readonly state: string
  readonly value: unknown
}

/** Records of one write: the store works on them while this process works on the next. */
const mostTogether = 100

/** Milliseconds between two looks at the same records. */
const lookAgainMs = 50

/** How long to wait, and by which clock. */
export interface Patience {
  readonly clock: Clock
  readonly timeoutMs: number
}

/** The store of results and how values are written there. */
export interface RecorderServices {
  backend(): Promise<ResultBackend>
  codec(): Promise<ResultCodec>
  /** Repeats what fails because the store is away; without it, it fails at once. */
  persist?<T>(work: () => Promise<T>): Promise<T>
}

export class Recorder {
  readonly #services: RecorderServices
  readonly #batch: TurnBatch<StoredResult, void>

  constructor(services: RecorderServices) {
    this.#services = services
    const { backend } = services
    this.#batch = new TurnBatch(
      (results) => this.#persist(async () => await (await backend()).store(results)),
      mostTogether,
    )
  }

  #persist<T>(work: () => Promise<T>): Promise<T> {
    const { persist } = this.#services
    return persist ? persist(work) : work()
  }

  backend(): Promise<ResultBackend> {
    return this.#services.backend()
  }

  /** Resolves when it is kept; throws what the serializer throws when the result cannot be carried. */
  async store(record: ResultRecord, address?: ReplyAddress): Promise<void> {
    const data = (await this.#services.backend()).encode(record)
    await this.#batch.add({ id: record.taskId, state: record.status, data, ...address }).done
  }

  /**
   * Counts a part; all of them, in order, when this one completed the join, else undefined. Where the store
   * keeps no values they are read from the records of the members.
   */
  async count(
    part: FinishedPart,
    { clock, timeoutMs }: Patience,
  ): Promise<readonly PartResult[] | undefined> {
    const { groupId, groupIndex: index, taskId, state, value } = part
    const backend = await this.#services.backend()
    if (!canCount(backend)) return undefined
    const codec = await this.#services.codec()
    const data = codec.encode([1, taskId, state, value ?? null])
    const step = (): Promise<CountdownStep> =>
      this.#persist(() => backend.stepCountdown({ groupId, taskId, index, data }))
    let counted = await step()
    if (counted.kind === 'late') {
      await sleep(clock, timeoutMs)
      counted = await step()
    }
    if (counted.kind !== 'complete') return undefined
    if (counted.parts) return counted.parts.map((one) => readPart(codec, one))
    const tree = await backend.readGroup(groupId)
    if (!tree?.[1]) throw new TasksError('TASKS_RESULT_INVALID', `the group ${groupId} is gone`)
    return await this.read(tree[1].flatMap(leafIds))
  }

  /** The join is done. */
  async endCount(groupId: string): Promise<void> {
    const backend = await this.#services.backend()
    if (canCount(backend)) await backend.endCountdown(groupId)
  }

  /** State and value of each of these; `PENDING` where there is no record. */
  async read(ids: readonly string[]): Promise<readonly PartResult[]> {
    const backend = await this.#services.backend()
    const records = await backend.read(ids)
    return records.map((found, i) => {
      const { status, result } = found ? backend.decode(found) : { status: 'PENDING', result: null }
      return { taskId: ids[i]!, state: status, value: result }
    })
  }

  /** The same once all of them have ended; throws `TimeoutError` when that takes too long. */
  async readEnded(
    ids: readonly string[],
    { clock, timeoutMs }: Patience,
  ): Promise<readonly PartResult[]> {
    const until = clock.monotonic() + timeoutMs
    for (;;) {
      const records = await this.read(ids)
      const open = records.filter(({ state }) => !isReady(state))
      if (open.length === 0) return records
      const left = until - clock.monotonic()
      if (left <= 0) {
        const seconds = String(timeoutMs / 1000)
        throw new TimeoutError(`${open[0]!.taskId} did not end within ${seconds} s`)
      }
      await sleep(clock, Math.min(left, lookAgainMs))
    }
  }
}

/** `[1, task id, state, value]`, written by us or by Python. */
function readPart(codec: ResultCodec, data: Encoded): PartResult {
  const part = codec.decode(data)
  const [, taskId, state, value] = Array.isArray(part) ? (part as unknown[]) : []
  if (typeof taskId !== 'string' || typeof state !== 'string') {
    throw new TasksError('TASKS_RESULT_INVALID', 'a counted part of a chord cannot be read')
  }
  return { taskId, state, value: value ?? null }
}
