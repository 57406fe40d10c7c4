/** Results on Redis as Celery lays them out: Python clients and workers read and write the same keys. */
import type { Ambient } from '@celeriac/messaging'
import { loadRedisClients, parseUrl, type RedisClient } from '@celeriac/messaging/internal'
import type {
  BackendOptions,
  CountdownPart,
  CountdownStep,
  ResultBackend,
  StoredResult,
} from '../../backend/backend.ts'
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
  readonly capabilities = { persistent: true, shared: true, notifies: true, countdowns: true }
  readonly #target: ReturnType<typeof parseUrl>
  readonly #ambient: Ambient
  readonly #keys: ResultKeys
  readonly #notices: Notices
  readonly #ttl: number
  #link: Promise<Link> | undefined
  #closing: Promise<void> | undefined

  constructor(options: BackendOptions, ambient: Ambient) {
    this.#ambient = ambient
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

  async store(results: readonly StoredResult[]): Promise<void> {
    await this.#guard(async ({ call, cork }) => {
      cork.hold()
      const calls: Promise<unknown>[] = []
      for (let i = 0; i < results.length; i += chunkSize) {
        const chunk = results.slice(i, i + chunkSize)
        const keys = chunk.map(({ id }) => this.#keys.record(id))
        calls.push(call('store', keys, [this.#ttl, ...chunk.map(({ text }) => text)]))
      }
      await Promise.all(calls)
    })
  }

  async read(ids: readonly string[]): Promise<readonly (string | undefined)[]> {
    if (ids.length === 0) return []
    return await this.#guard(async ({ client, cork }) => {
      cork.hold()
      const chunks: Promise<(string | null)[]>[] = []
      for (let i = 0; i < ids.length; i += chunkSize)
        chunks.push(client.mget(ids.slice(i, i + chunkSize).map((id) => this.#keys.record(id))))
      return (await Promise.all(chunks)).flat().map((text) => text ?? undefined)
    })
  }

  async subscribe(id: string, onText: (text: string) => void): Promise<() => void> {
    try {
      return await this.#notices.subscribe(this.#keys.record(id), onText)
    } catch (error) {
      throw this.#failed(error)
    }
  }

  async forget(ids: readonly string[]): Promise<void> {
    if (ids.length === 0) return
    await this.#guard(({ client }) => client.del(...ids.map((id) => this.#keys.record(id))))
  }

  async startCountdown(groupId: string, size: number): Promise<void> {
    const key = this.#keys.size(groupId)
    await this.#guard(({ client }) =>
      this.#ttl > 0 ? client.setex(key, this.#ttl, size) : client.set(key, size),
    )
  }

  async extendCountdown(groupId: string, by: number): Promise<void> {
    await this.#guard(({ client }) => client.incrby(this.#keys.extra(groupId), by))
  }

  async stepCountdown(part: CountdownPart): Promise<CountdownStep> {
    const { groupId, taskId, state, index, resultText } = part
    const member = `[1, ${JSON.stringify(taskId)}, ${JSON.stringify(state)}, ${resultText}]`
    const found = await this.#guard(({ call }) =>
      call(
        'step',
        [
          this.#keys.parts(groupId),
          this.#keys.extra(groupId),
          this.#keys.size(groupId),
          this.#keys.counted(groupId),
        ],
        [index ?? '+inf', member, taskId, this.#ttl],
      ),
    )
    const members = found as string[]
    if (members.length === 0) return { kind: 'waiting' }
    return { kind: 'complete', parts: members.map(readMember) }
  }

  async endCountdown(groupId: string): Promise<void> {
    await this.#guard(({ client }) =>
      client.del(
        this.#keys.group(groupId),
        this.#keys.size(groupId),
        this.#keys.extra(groupId),
        this.#keys.parts(groupId),
        this.#keys.counted(groupId),
      ),
    )
  }

  async storeGroup(groupId: string, text: string): Promise<void> {
    const key = this.#keys.group(groupId)
    await this.#guard(({ client }) =>
      this.#ttl > 0 ? client.setex(key, this.#ttl, text) : client.set(key, text),
    )
  }

  async readGroup(groupId: string): Promise<string | undefined> {
    return (await this.#guard(({ client }) => client.get(this.#keys.group(groupId)))) ?? undefined
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

/** `[1, task id, state, result]`, written by us or by Python. */
function readMember(member: string): { taskId: string; state: string; resultText: string } {
  const found = /^\[1, ?("(?:[^"\\]|\\.)*"), ?("(?:[^"\\]|\\.)*"), ?([\s\S]*)\]$/.exec(member)
  if (!found) {
    throw new TasksError('TASKS_RESULT_INVALID', 'a counted part of a chord cannot be read')
  }
  return {
    taskId: JSON.parse(found[1]!) as string,
    state: JSON.parse(found[2]!) as string,
    resultText: found[3]!,
  }
}
