/** Results on Redis as Celery lays them out: Python clients and workers read and write the same keys. */
import type { Ambient } from '@celeriac/messaging'
import { loadRedisClients, parseUrl, type RedisClient } from '@celeriac/messaging/internal'
import type {
  BackendOptions,
  CountdownPart,
  CountdownStep,
  ResultBackend,
  StoredData,
  StoredResult,
} from '../../backend/backend.ts'
import type { Encoded, ResultCodec } from '../../backend/result-codec.ts'
import type { ResultRecord } from '../../backend/result-record.ts'
import { readTree, type ResultTree } from '../../canvas/result-tree.ts'
import { TasksError } from '../../kernel/errors.ts'
import { resultKeys, type ResultKeys } from './keys.ts'
import { Notices } from './notices.ts'
import { defineScripts, type CallScript } from './scripts.ts'

const chunkSize = 500

interface Link {
  readonly client: RedisClient
  readonly cork: { hold(): void }
  readonly call: CallScript
}

export class RedisBackend implements ResultBackend {
  readonly name = 'redis'
  readonly capabilities = {
    persistent: true,
    shared: true,
    notifies: true,
    joins: 'count',
    groups: true,
    expires: true,
  } as const
  readonly #target: ReturnType<typeof parseUrl>
  readonly #ambient: Ambient
  readonly #codec: ResultCodec
  readonly #keys: ResultKeys
  readonly #notices: Notices
  readonly #ttl: number
  #link: Promise<Link> | undefined
  #closing: Promise<void> | undefined

  constructor(options: BackendOptions, ambient: Ambient) {
    this.#ambient = ambient
    this.#codec = options.codec
    this.#ttl = Math.round(options.expiresSeconds)
    this.#target = parseUrl(
      options.url,
      ['redis', 'rediss', 'redis+socket'],
      options.options,
      () => 6379,
    )
    const prefix = this.#target.options['globalKeyprefix']
    this.#keys = resultKeys(typeof prefix === 'string' ? prefix : '')
    this.#notices = new Notices(
      ambient.clock,
      options.codec.isText,
      () => this.#connect(),
      (channels) => this.read(channels.map(this.#keys.idOf)),
    )
  }

  /** Channels subscribed now; what nobody awaits must not be among them. */
  get subscriptions(): number {
    return this.#notices.size
  }

  async open(): Promise<void> {
    await this.#guard(async () => void (await this.#connected()))
  }

  close(): Promise<void> {
    return (this.#closing ??= this.#close())
  }

  async #close(): Promise<void> {
    await this.#notices.close()
    const link = await this.#link?.catch(() => undefined)
    // `quit` waits for the answers of what was sent before.
    if (link?.client.status === 'ready') await link.client.quit().catch(() => undefined)
    link?.client.disconnect()
  }

  encode(record: ResultRecord): Encoded {
    return this.#codec.encodeRecord(record)
  }

  decode(data: StoredData): ResultRecord {
    return this.#codec.decodeRecord(data as Encoded)
  }

  async store(results: readonly StoredResult[]): Promise<void> {
    // The script knows a success by its JSON; of others the records must be read first, as Celery does.
    const open = this.#codec.isText ? results : await this.#unfinished(results)
    await this.#guard(async ({ call, cork }) => {
      cork.hold()
      const calls: Promise<unknown>[] = []
      for (let i = 0; i < open.length; i += chunkSize) {
        const chunk = open.slice(i, i + chunkSize)
        const keys = chunk.map(({ id }) => this.#keys.record(id))
        calls.push(call('store', keys, [this.#ttl, ...chunk.map(({ data }) => argument(data))]))
      }
      await Promise.all(calls)
    })
  }

  async #unfinished(results: readonly StoredResult[]): Promise<StoredResult[]> {
    const before = await this.read(results.map(({ id }) => id))
    const done = new Set<string>()
    for (const [i, { id }] of results.entries())
      if (before[i] !== undefined && this.#codec.isSuccess(before[i])) done.add(id)
    return results.filter(({ id, state }) => {
      if (done.has(id)) return false
      if (state === 'SUCCESS') done.add(id)
      return true
    })
  }

  async read(ids: readonly string[]): Promise<readonly (Encoded | undefined)[]> {
    if (ids.length === 0) return []
    return await this.#guard(async ({ client, cork }) => {
      cork.hold()
      const chunks: Promise<readonly (Encoded | null)[]>[] = []
      for (let i = 0; i < ids.length; i += chunkSize) {
        const keys = ids.slice(i, i + chunkSize).map((id) => this.#keys.record(id))
        chunks.push(this.#codec.isText ? client.mget(keys) : client.mgetBuffer(keys))
      }
      return (await Promise.all(chunks)).flat().map((data) => data ?? undefined)
    })
  }

  async subscribe(id: string, onData: (data: StoredData) => void): Promise<() => void> {
    try {
      return await this.#notices.subscribe(this.#keys.record(id), onData)
    } catch (error) {
      throw this.#failed(error)
    }
  }

  async forget(ids: readonly string[]): Promise<void> {
    if (ids.length === 0) return
    await this.#guard(({ client }) => client.del(...ids.map((id) => this.#keys.record(id))))
  }

  async startCountdown(groupId: string, members: readonly ResultTree[]): Promise<void> {
    const key = this.#keys.size(groupId)
    await this.#guard(({ client }) =>
      this.#ttl > 0
        ? client.setex(key, this.#ttl, members.length)
        : client.set(key, members.length),
    )
  }

  async extendCountdown(groupId: string, taskId: string): Promise<void> {
    const keys = [this.#keys.added(groupId), this.#keys.extra(groupId)]
    await this.#guard(({ call }) => call('extend', keys, [taskId, this.#ttl]))
  }

  async stepCountdown(part: CountdownPart): Promise<CountdownStep> {
    const { groupId, taskId, index, data } = part
    const keys = [
      this.#keys.parts(groupId),
      this.#keys.extra(groupId),
      this.#keys.size(groupId),
      this.#keys.counted(groupId),
    ]
    const score = index ?? '+inf'
    const found = await this.#guard(({ call }) =>
      call('step', keys, [score, argument(data), taskId, this.#ttl], !this.#codec.isText),
    )
    const parts = found as Encoded[]
    return parts.length === 0 ? { kind: 'waiting' } : { kind: 'complete', parts }
  }

  async endCountdown(groupId: string): Promise<void> {
    await this.#guard(({ client }) =>
      client.del(
        this.#keys.group(groupId),
        this.#keys.size(groupId),
        this.#keys.extra(groupId),
        this.#keys.parts(groupId),
        this.#keys.counted(groupId),
        this.#keys.added(groupId),
      ),
    )
  }

  async storeGroup(groupId: string, tree: ResultTree): Promise<void> {
    const key = this.#keys.group(groupId)
    const text = argument(this.#codec.encode({ result: tree }))
    await this.#guard(({ client }) =>
      this.#ttl > 0 ? client.setex(key, this.#ttl, text) : client.set(key, text),
    )
  }

  async readGroup(groupId: string): Promise<ResultTree | undefined> {
    const found = await this.#guard(({ client }) => client.getBuffer(this.#keys.group(groupId)))
    if (found === null) return undefined
    return readTree((this.#codec.decode(found) as { result?: unknown } | null)?.result)
  }

  async forgetGroup(groupId: string): Promise<void> {
    await this.#guard(({ client }) => client.del(this.#keys.group(groupId)))
  }

  async #guard<T>(work: (link: Link) => Promise<T>): Promise<T> {
    try {
      return await work(await this.#connected())
    } catch (error) {
      throw this.#failed(error)
    }
  }

  #failed(error: unknown): TasksError {
    if (TasksError.is(error)) return error
    const why = error instanceof Error ? error.message : String(error)
    return new TasksError('TASKS_BACKEND_FAILED', `the result backend on Redis: ${why}`, {
      cause: error,
    })
  }

  #connected(): Promise<Link> {
    this.#link ??= this.#openLink().catch((error: unknown) => {
      this.#link = undefined
      throw error
    })
    return this.#link
  }

  async #openLink(): Promise<Link> {
    const { Cork } = await loadRedisClients()
    const client = await this.#connect()
    return { client, cork: new Cork(client), call: defineScripts(client) }
  }

  async #connect(): Promise<RedisClient> {
    const { openRedis } = await loadRedisClients()
    if (this.#closing) {
      throw new TasksError('TASKS_STOPPED', 'the result backend is closed')
    }
    return await openRedis(
      {
        target: this.#target,
        ambient: this.#ambient,
        timeoutMs: 4000,
        heartbeatSeconds: 10,
        clientName: 'celeriac-results',
      },
      { reconnect: true },
    )
  }
}

/** What a command takes: ioredis knows buffers, no other arrays of bytes. */
function argument(data: StoredData): string | Buffer {
  if (typeof data === 'string') return data
  const { buffer, byteOffset, byteLength } = data as Uint8Array
  return Buffer.from(buffer, byteOffset, byteLength)
}
