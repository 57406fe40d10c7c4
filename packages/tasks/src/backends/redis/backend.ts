/**
 * Results on Redis as Celery lays them out: Python clients and workers read and write the same keys. One
 * server, the master that sentinels name, or a cluster, on which the keys of a join lie together.
 */
import type { Ambient } from '@celeriac/messaging'
import { TurnBatch, type ConnectOptions } from '@celeriac/messaging/internal'
import type {
  BackendOptions,
  CountdownPart,
  CountdownStep,
  CountingBackend,
  StoredData,
  StoredResult,
} from '../../backend/backend.ts'
import type { Encoded, ResultCodec } from '../../backend/result-codec.ts'
import type { ResultRecord } from '../../backend/result-record.ts'
import { readTree, type ResultTree } from '../../canvas/result-tree.ts'
import { lastOfEach } from '../batches.ts'
import { backendFailed } from '../failures.ts'
import { Relink } from '../relink.ts'
import { resultKeys, type ResultKeys } from './keys.ts'
import { openLinks, openNotices, type RedisLinks } from './links.ts'
import type { Member } from './member.ts'
import { Notices } from './notices.ts'
import { redisSettings, type RedisSettings } from './settings.ts'

/** Rounds in which a record may be changed by others before this gives up. */
const patience = 20
/** Parts of chords one script counts: others are served between two. */
const mostTogether = 100

export class RedisBackend implements CountingBackend {
  readonly name = 'redis'
  readonly capabilities = {
    persistent: true,
    shared: true,
    notifies: true,
    joins: 'count',
    groups: true,
    expires: true,
  } as const
  readonly #settings: RedisSettings
  readonly #codec: ResultCodec
  readonly #keys: ResultKeys
  readonly #links: Relink<RedisLinks>
  readonly #notices: Notices
  readonly #ttl: number
  readonly #steps = new TurnBatch<CountdownPart, readonly Promise<CountdownStep>[]>(
    async (parts) => this.#stepAll(parts),
    mostTogether,
  )

  constructor(options: BackendOptions, ambient: Ambient) {
    const settings = redisSettings(options)
    const { target, kind, timeoutMs, connectMs, checkMs, clientName, prefix } = settings
    this.#settings = settings
    this.#codec = options.codec
    this.#ttl = Math.round(options.expiresSeconds)
    this.#keys = resultKeys(prefix, kind === 'cluster')
    const { clock } = ambient
    const place: ConnectOptions = {
      target,
      ambient,
      timeoutMs: connectMs,
      heartbeatSeconds: timeoutMs / 1000,
      clientName,
    }
    this.#links = new Relink({
      open: async () => {
        const links = await openLinks(place, kind)
        void links.over.then(() => this.#moved())
        return links
      },
      isOver: (links) => links.isOver,
      close: (links) => links.quit(),
      clock,
      timeoutMs,
    })
    this.#notices = new Notices({
      clock,
      isText: options.codec.isText,
      checkMs,
      timeoutMs,
      open: () => openNotices(place, kind),
      read: (channels) => this.read(channels.map((channel) => this.#keys.idOf(channel))),
    })
  }

  /** Channels subscribed now; what nobody awaits must not be among them. */
  get subscriptions(): number {
    return this.#notices.size
  }

  async open(): Promise<void> {
    await this.#guard(() => this.#links.open())
  }

  async close(): Promise<void> {
    await Promise.all([this.#notices.close(), this.#links.close()])
  }

  encode(record: ResultRecord): Encoded {
    return this.#codec.encodeRecord(record)
  }

  decode(data: StoredData): ResultRecord {
    return this.#codec.decodeRecord(data as Encoded)
  }

  async store(results: readonly StoredResult[]): Promise<void> {
    const left = lastOfEach(results)
    if (!this.#codec.isText) return await this.#swap(left)
    const keys = left.map(({ id }) => this.#keys.record(id))
    await this.#each(keys, async (links, places) => {
      const some = places.map((place) => keys[place]!)
      const args = [this.#ttl, ...places.map((place) => argument(left[place]!.data))]
      await links.at(some[0]!, (member) => member.script('store', some, args))
    })
  }

  /** The script knows a success by its JSON; of others what was read is compared with what is there. */
  async #swap(results: readonly StoredResult[]): Promise<void> {
    let left = results
    for (let round = 0; left.length > 0 && round < patience; round++) {
      const before = await this.read(left.map(({ id }) => id))
      const open = left
        .map((one, i) => ({ ...one, before: before[i] }))
        .filter((one) => one.before === undefined || !this.#codec.isSuccess(one.before))
      const keys = open.map(({ id }) => this.#keys.record(id))
      const isDone = new Set<number>()
      await this.#each(keys, async (links, places) => {
        const some = places.map((place) => keys[place]!)
        const pairs = places.flatMap((place) => {
          const one = open[place]!
          return [argument(one.before ?? ''), argument(one.data)]
        })
        const done = await links.at(some[0]!, (member) =>
          member.script('swap', some, [this.#ttl, ...pairs]),
        )
        for (const [i, place] of places.entries())
          if ((done as number[])[i] === 1) isDone.add(place)
      })
      left = open.filter((_, place) => !isDone.has(place))
    }
    if (left.length > 0)
      throw backendFailed('on Redis', `the record of ${left[0]!.id} is changed all the time`)
  }

  async read(ids: readonly string[]): Promise<readonly (Encoded | undefined)[]> {
    const keys = ids.map((id) => this.#keys.record(id))
    const values = Array.from<Encoded | undefined>({ length: ids.length })
    await this.#each(keys, async (links, places) => {
      const some = places.map((place) => keys[place]!)
      const found = await links.at(some[0]!, (member) => member.values(some, !this.#codec.isText))
      for (const [i, place] of places.entries()) values[place] = found[i] ?? undefined
    })
    return values
  }

  async subscribe(id: string, onData: (data: StoredData) => void): Promise<() => void> {
    return await this.#guard(() => this.#notices.subscribe(this.#keys.record(id), onData))
  }

  async forget(ids: readonly string[]): Promise<void> {
    await this.#remove(ids.map((id) => this.#keys.record(id)))
  }

  async startCountdown(groupId: string, members: readonly ResultTree[]): Promise<void> {
    await this.#put(this.#keys.size(groupId), members.length)
  }

  async extendCountdown(groupId: string, taskId: string): Promise<void> {
    const keys = [this.#keys.added(groupId), this.#keys.extra(groupId)]
    await this.#at(keys[0]!, (member) => member.script('extend', keys, [taskId, this.#ttl]))
  }

  async stepCountdown(part: CountdownPart): Promise<CountdownStep> {
    const { done, index } = this.#steps.add(part)
    const steps = await done
    return await steps[index]!
  }

  /** Parts of one chord that end together are counted together. */
  #stepAll(parts: readonly CountdownPart[]): Promise<CountdownStep>[] {
    const ofGroups = new Map<string, CountdownPart[]>()
    for (const part of parts) {
      const others = ofGroups.get(part.groupId)
      if (others) others.push(part)
      else ofGroups.set(part.groupId, [part])
    }
    const steps = new Map<CountdownPart, Promise<CountdownStep>>()
    for (const [groupId, some] of ofGroups) {
      const counting = this.#step(groupId, some)
      for (const [i, part] of some.entries())
        steps.set(
          part,
          counting.then((answers) => answers[i]!),
        )
    }
    return parts.map((part) => steps.get(part)!)
  }

  async #step(groupId: string, some: readonly CountdownPart[]): Promise<CountdownStep[]> {
    const keys = [
      this.#keys.parts(groupId),
      this.#keys.extra(groupId),
      this.#keys.size(groupId),
      this.#keys.counted(groupId),
    ]
    const args: (string | number | Buffer)[] = [this.#ttl]
    for (const { taskId, index, data } of some) args.push(index ?? '+inf', argument(data), taskId)
    const script = this.#settings.isOrdered ? 'step' : 'stepList'
    const found = await this.#at(keys[0]!, (member) =>
      member.script(script, keys, args, !this.#codec.isText),
    )
    const [answers, parts] = found as [number[], Encoded[]]
    return answers.map((answer) =>
      answer === 2 ? { kind: 'complete', parts } : { kind: answer === 1 ? 'late' : 'waiting' },
    )
  }

  async endCountdown(groupId: string): Promise<void> {
    const { group, size, extra, parts, counted, added } = this.#keys
    await this.#remove([group, size, extra, parts, counted, added].map((key) => key(groupId)))
  }

  async storeGroup(groupId: string, tree: ResultTree): Promise<void> {
    await this.#put(this.#keys.group(groupId), argument(this.#codec.encode({ result: tree })))
  }

  async readGroup(groupId: string): Promise<ResultTree | undefined> {
    const key = this.#keys.group(groupId)
    const [found] = await this.#at(key, (member) => member.values([key], true))
    if (!found) return undefined
    return readTree((this.#codec.decode(found) as { result?: unknown } | null)?.result)
  }

  async forgetGroup(groupId: string): Promise<void> {
    await this.#remove([this.#keys.group(groupId)])
  }

  async swap(
    name: string,
    expected: string | null | undefined,
    next: string | null,
    ttlMs: number,
  ): Promise<{ swapped: boolean; before: string | undefined }> {
    const key = this.#keys.own(name)
    const how = expected === undefined ? '*' : expected === null ? '-' : '='
    const args = [
      how,
      expected ?? '',
      next === null ? 0 : Math.max(1, Math.ceil(ttlMs)),
      next ?? '',
    ]
    const found = await this.#at(key, (member) => member.script('own', [key], args))
    const [swapped, before] = found as [number, string | null]
    return { swapped: swapped === 1, before: before ?? undefined }
  }

  /** The link for commands is over: who waits may listen to a server that is no master any more. */
  #moved(): void {
    if (this.#settings.kind !== 'single') this.#notices.renew()
  }

  async #put(key: string, value: string | number | Buffer): Promise<void> {
    await this.#at(key, (member) =>
      member.run('SET', (client) =>
        this.#ttl > 0 ? client.setex(key, this.#ttl, value) : client.set(key, value),
      ),
    )
  }

  async #remove(keys: readonly string[]): Promise<void> {
    await this.#each(keys, async (links, places) => {
      const some = places.map((place) => keys[place]!)
      await links.at(some[0]!, (member) => member.run('DEL', (client) => client.del(...some)))
    })
  }

  /** For each part of the keys that one command may have, all at once. */
  async #each(
    keys: readonly string[],
    work: (links: RedisLinks, places: readonly number[]) => Promise<void>,
  ): Promise<void> {
    if (keys.length === 0) return
    await this.#guard(() =>
      this.#links.run(async (links) => {
        const groups = links.groups(keys)
        // One alone leaves at once: the server is to work on it while this process goes on.
        if (groups.length > 1) links.hold()
        await Promise.all(groups.map((places) => work(links, places)))
      }),
    )
  }

  #at<T>(key: string, work: (member: Member) => Promise<T>): Promise<T> {
    return this.#guard(() => this.#links.run((links) => links.at(key, work)))
  }

  async #guard<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work()
    } catch (error) {
      throw backendFailed('on Redis', error)
    }
  }
}

/** What a command takes: ioredis knows buffers, no other arrays of bytes. */
function argument(data: StoredData): string | Buffer {
  if (typeof data === 'string') return data
  const { buffer, byteOffset, byteLength } = data as Uint8Array
  return Buffer.from(buffer, byteOffset, byteLength)
}
