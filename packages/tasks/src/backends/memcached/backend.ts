/** Results on Memcached as Celery keeps them: what one side stores, the other reads. Waiting polls. */
import type { Ambient } from '@celeriac/messaging'
import type {
  BackendOptions,
  CountdownPart,
  CountdownStep,
  CountingBackend,
  StoredData,
  StoredResult,
} from '../../backend/backend.ts'
import { Polling } from '../../backend/polling.ts'
import type { Encoded, ResultCodec } from '../../backend/result-codec.ts'
import type { ResultRecord } from '../../backend/result-record.ts'
import type { ResultTree } from '../../canvas/result-tree.ts'
import { lastOfEach } from '../batches.ts'
import { celeryKeys, keyPrefix, type CeleryKeys } from '../celery-keys.ts'
import { backendFailed, camelOptions } from '../failures.ts'
import { Joins } from './join.ts'
import { placeOf, Servers } from './servers.ts'
import { Store } from './store.ts'

export class MemcachedBackend implements CountingBackend {
  readonly name = 'memcached'
  readonly capabilities = {
    persistent: false,
    shared: true,
    notifies: false,
    joins: 'count',
    groups: true,
    expires: true,
  } as const
  readonly #servers: Servers
  readonly #store: Store
  readonly #keys: CeleryKeys
  readonly #joins: Joins
  readonly #codec: ResultCodec
  readonly #polling: Polling

  constructor({ url, expiresSeconds, codec, options, config }: BackendOptions, ambient: Ambient) {
    const place = placeOf(url, {
      ...camelOptions(config.cacheBackendOptions ?? {}),
      ...camelOptions(options),
    })
    this.#servers = new Servers(place, ambient)
    const seconds = Math.max(Math.round(expiresSeconds), expiresSeconds > 0 ? 1 : 0)
    this.#store = new Store(this.#servers, seconds, () => ambient.clock.now())
    this.#keys = celeryKeys(keyPrefix(place.options))
    this.#codec = codec
    this.#joins = new Joins(this.#store, this.#keys, codec)
    this.#polling = new Polling((ids) => this.read(ids), ambient.clock)
  }

  async open(): Promise<void> {
    await guard(() => this.#servers.open())
  }

  async close(): Promise<void> {
    this.#polling.close()
    await this.#servers.close()
  }

  encode(record: ResultRecord): Encoded {
    return this.#codec.encodeRecord(record)
  }

  decode(data: StoredData): ResultRecord {
    return this.#codec.decodeRecord(data as Encoded)
  }

  async store(results: readonly StoredResult[]): Promise<void> {
    await guard(() => this.#store.each(lastOfEach(results), (one) => this.#put(one)))
  }

  async #put({ id, data }: StoredResult): Promise<void> {
    const key = this.#keys.record(id)
    const value = Buffer.from(data as Encoded)
    // Most records are the first of their task.
    if (await this.#store.add(key, value)) return
    await this.#store.update(key, (found) =>
      found && this.#codec.isSuccess(found) ? undefined : value,
    )
  }

  async read(ids: readonly string[]): Promise<readonly (StoredData | undefined)[]> {
    const found = await guard(() => this.#store.getMany(ids.map((id) => this.#keys.record(id))))
    return this.#codec.isText ? found.map((data) => data?.toString()) : found
  }

  async subscribe(id: string, onData: (data: StoredData) => void): Promise<() => void> {
    await this.open()
    return this.#polling.subscribe(id, onData)
  }

  async forget(ids: readonly string[]): Promise<void> {
    await guard(() => this.#store.delete(ids.map((id) => this.#keys.record(id))))
  }

  async startCountdown(groupId: string, members: readonly ResultTree[]): Promise<void> {
    await guard(() => this.#joins.start(groupId, members))
  }

  async extendCountdown(groupId: string, taskId: string): Promise<void> {
    await guard(() => this.#joins.extend(groupId, taskId))
  }

  async stepCountdown(part: CountdownPart): Promise<CountdownStep> {
    return await guard(() => this.#joins.step(part))
  }

  async endCountdown(groupId: string): Promise<void> {
    await guard(() => this.#joins.end(groupId))
  }

  async storeGroup(groupId: string, tree: ResultTree): Promise<void> {
    await guard(() => this.#joins.saveGroup(groupId, tree))
  }

  async readGroup(groupId: string): Promise<ResultTree | undefined> {
    return await guard(() => this.#joins.group(groupId))
  }

  async forgetGroup(groupId: string): Promise<void> {
    await guard(() => this.#store.delete([this.#keys.group(groupId)]))
  }
}

async function guard<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    throw backendFailed('on Memcached', error)
  }
}
