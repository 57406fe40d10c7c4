/**
 * Results as messages to whoever sent the task, as Celery's `rpc://`: no store, the broker alone. Only the
 * process that sent a task can see its result, for as long as it runs.
 */
import type { Ambient, Connection, Delivery, Producer, Publication } from '@celeriac/messaging'
import { MessagingError } from '@celeriac/messaging'
import type {
  BackendOptions,
  ResultBackend,
  StoredData,
  StoredResult,
} from '../../backend/backend.ts'
import type { Encoded, ResultCodec } from '../../backend/result-codec.ts'
import { recordFrom, type ResultRecord } from '../../backend/result-record.ts'
import type { ResultTree } from '../../canvas/result-tree.ts'
import { TasksError } from '../../kernel/errors.ts'
import { KeptRecords, type Arrived } from './kept.ts'
import { failed, Replies } from './replies.ts'

const defaultBacklog = 10_000
/** How long the queue of a process that was killed stays, where results are kept for ever. */
const dayMs = 86_400_000

/**
 * Brokers that know every queue there is: what goes to one that is gone would stay there for ever. RabbitMQ
 * drops it by itself; on the others queues of Python clients are seen only while a message is in them.
 */
const knowsQueues = /^(memory|sqlite|postgres)/

export class RpcBackend implements ResultBackend {
  readonly name = 'rpc'
  readonly capabilities = {
    persistent: false,
    shared: false,
    notifies: true,
    joins: 'none',
    groups: false,
    expires: true,
  } as const
  readonly #options: BackendOptions
  readonly #ambient: Ambient
  readonly #codec: ResultCodec
  readonly #kept: KeptRecords
  readonly #listeners = new Map<string, Set<(data: StoredData) => void>>()
  #replies: Replies | undefined
  #producer: Producer | undefined
  #closing: Promise<void> | undefined

  /** Throws `TASKS_CONFIG_INVALID` for a `backlogLimit` that is no whole number of at least 1. */
  constructor(options: BackendOptions, ambient: Ambient) {
    this.#options = options
    this.#ambient = ambient
    this.#codec = options.codec
    const { expiresSeconds } = options
    const keptMs = expiresSeconds > 0 ? expiresSeconds * 1000 : Infinity
    this.#kept = new KeptRecords(backlogOf(options.options), keptMs, ambient)
  }

  async open(): Promise<void> {}

  close(): Promise<void> {
    return (this.#closing ??= this.#close())
  }

  encode(record: ResultRecord): Encoded {
    return this.#codec.encodeRecord(record)
  }

  decode(data: StoredData): ResultRecord {
    if (typeof data === 'string' || data instanceof Uint8Array)
      return this.#codec.decodeRecord(data)
    const arrived = data as Arrived
    if (arrived.record) return arrived.record
    const { error } = arrived
    if (TasksError.is(error)) throw error
    throw new TasksError(
      'TASKS_RESULT_INVALID',
      `a result that was sent here cannot be read: ${error instanceof Error ? error.message : String(error)}`,
      { cause: error },
    )
  }

  expect(): Promise<void> | undefined {
    return this.#inbox().start()
  }

  /** Sends the records; nobody waits for one without an address, or whose queue is gone. */
  async store(results: readonly StoredResult[]): Promise<void> {
    const connection = this.#connection()
    const mandatory = knowsQueues.test(connection.info().transport)
    const publications = results.flatMap((one) => this.#publication(one, mandatory))
    if (publications.length === 0) return
    let failures
    try {
      failures = await (this.#producer ??= connection.producer()).publishMany(publications)
    } catch (error) {
      throw failed('the results cannot be sent', error)
    }
    for (const error of failures?.values() ?? []) {
      const isGone = MessagingError.is(error) && error.code === 'MESSAGING_UNROUTABLE'
      if (!isGone) throw failed('a result cannot be sent', error)
    }
  }

  #publication(result: StoredResult, mandatory: boolean): Publication[] {
    const { id, data, replyTo, correlationId = id } = result
    if (replyTo === undefined || replyTo === '') return []
    const encoded = data as Encoded
    const { contentType, contentEncoding } = this.#codec
    return [
      {
        exchange: '',
        routingKey: replyTo,
        message: {
          body: typeof encoded === 'string' ? Buffer.from(encoded) : encoded,
          headers: {},
          properties: {
            contentType,
            contentEncoding,
            correlationId,
            deliveryMode: this.#options.config.resultPersistent === true ? 2 : 1,
            priority: 0,
          },
        },
        ...(mandatory && { mandatory }),
      },
    ]
  }

  /** What has come to this process; what waits at the broker is fetched before. */
  async read(ids: readonly string[]): Promise<readonly (StoredData | undefined)[]> {
    // Whoever subscribes is told anyway.
    if (ids.some((id) => !this.#kept.isFinal(id) && !this.#listeners.has(id))) await this.#catchUp()
    return ids.map((id) => this.#kept.get(id))
  }

  async subscribe(id: string, onData: (data: StoredData) => void): Promise<() => void> {
    const listeners = this.#listeners.get(id) ?? new Set()
    this.#listeners.set(id, listeners.add(onData))
    const end = (): void => {
      listeners.delete(onData)
      if (listeners.size === 0 && this.#listeners.get(id) === listeners) this.#listeners.delete(id)
    }
    try {
      await this.#inbox().start()
    } catch (error) {
      end()
      throw error
    }
    return end
  }

  async forget(ids: readonly string[]): Promise<void> {
    // One that is on its way would come back to mind.
    if (this.#replies?.hasStarted && ids.some((id) => !this.#kept.isFinal(id)))
      await this.#catchUp()
    for (const id of ids) this.#kept.delete(id)
  }

  storeGroup(): Promise<void> {
    return refuse('save groups')
  }

  readGroup(): Promise<ResultTree | undefined> {
    return refuse('restore groups')
  }

  async forgetGroup(): Promise<void> {}

  async #catchUp(): Promise<void> {
    const inbox = this.#inbox()
    await inbox.start()
    await inbox.caughtUp()
  }

  #connection(): Connection {
    if (this.#closing) throw new TasksError('TASKS_STOPPED', 'the result backend is closed')
    try {
      return this.#options.connection()
    } catch (error) {
      throw failed('there is no broker for results', error)
    }
  }

  #inbox(): Replies {
    const { replyTo, expiresSeconds, config } = this.#options
    this.#replies ??= new Replies(
      this.#connection(),
      {
        name: replyTo,
        expiresMs: expiresSeconds > 0 ? Math.ceil(expiresSeconds * 1000) : dayMs,
        accept: config.resultAcceptContent ?? [this.#codec.serializer],
        onReply: (delivery) => this.#arrived(delivery),
      },
      this.#ambient,
    )
    return this.#replies
  }

  #arrived(delivery: Delivery): void {
    const { correlationId = '' } = delivery.message.properties
    let arrived: Arrived
    try {
      arrived = { record: recordFrom(delivery.value) }
    } catch (error) {
      this.#ambient.log.warn('a result that was sent here cannot be read', {
        id: correlationId,
        reason: error instanceof Error ? error.message : String(error),
      })
      arrived = { error }
    }
    const id = arrived.record?.taskId || correlationId
    const listeners = this.#listeners.get(id)
    if (!this.#kept.put(id, arrived, listeners !== undefined)) return
    for (const listener of listeners ?? []) listener(arrived)
  }

  async #close(): Promise<void> {
    await this.#replies?.close()
    await this.#producer?.close()
    this.#listeners.clear()
  }
}

function backlogOf({ backlogLimit = defaultBacklog }: Readonly<Record<string, unknown>>): number {
  if (typeof backlogLimit === 'number' && Number.isInteger(backlogLimit) && backlogLimit > 0)
    return backlogLimit
  throw new TasksError(
    'TASKS_CONFIG_INVALID',
    `resultBackendTransportOptions.backlogLimit must be a whole number of at least 1, found ${JSON.stringify(backlogLimit)}`,
  )
}

function refuse<T>(what: string): Promise<T> {
  return Promise.reject(
    new TasksError(
      'TASKS_NOT_SUPPORTED',
      `the result backend 'rpc' cannot ${what}: results go to their sender and are kept nowhere; use redis://, a database, sqlite:// or cache+memcached://`,
    ),
  )
}
