/** One server, the master that sentinels name, or the masters of a cluster: where a key lies is found here. */
import {
  loadRedisClients,
  loadRedisTopology,
  slotOf,
  type ClusterLinks,
  type ConnectOptions,
  type MasterWatch,
  type RedisClient,
} from '@celeriac/messaging/internal'
import { chunksOf } from '../batches.ts'
import { Member } from './member.ts'
import type { RedisSettings } from './settings.ts'

/** Keys of one command. */
const chunkSize = 500

export interface RedisLinks {
  readonly isOver: boolean
  /** Resolves when it is over. */
  readonly over: Promise<unknown>
  /** Runs `work` where the key lies. */
  at<T>(key: string, work: (member: Member) => Promise<T>): Promise<T>
  /** Places of keys that may stand in one command. */
  groups(keys: readonly string[]): number[][]
  /** What is asked in this turn of the event loop leaves together. */
  hold(): void
  /** Ends all when what was sent before is answered. */
  quit(): Promise<void>
}

class OneMaster implements RedisLinks {
  readonly over: Promise<unknown>
  readonly #member: Member
  readonly #watch: MasterWatch | undefined

  constructor(member: Member, watch?: MasterWatch) {
    this.#member = member
    this.#watch = watch
    this.over = member.closed.then(() => watch?.end())
  }

  get isOver(): boolean {
    return this.#member.isOver
  }

  at<T>(_: string, work: (member: Member) => Promise<T>): Promise<T> {
    return work(this.#member)
  }

  groups(keys: readonly string[]): number[][] {
    return chunksOf([...keys.keys()], chunkSize)
  }

  hold(): void {
    this.#member.hold()
  }

  async quit(): Promise<void> {
    this.#watch?.end()
    await this.#member.quit()
  }
}

class Cluster implements RedisLinks {
  readonly over: Promise<unknown>
  readonly #links: ClusterLinks<Member>

  constructor(links: ClusterLinks<Member>) {
    this.#links = links
    this.over = links.closed
  }

  get isOver(): boolean {
    return this.#links.isOver
  }

  at<T>(key: string, work: (member: Member) => Promise<T>): Promise<T> {
    return this.#links.at(key, work)
  }

  groups(keys: readonly string[]): number[][] {
    const slots = new Map<number, number[]>()
    for (const [place, key] of keys.entries()) {
      const slot = slotOf(key)
      const places = slots.get(slot)
      if (places) places.push(place)
      else slots.set(slot, [place])
    }
    return [...slots.values()].flatMap((places) => chunksOf(places, chunkSize))
  }

  hold(): void {
    this.#links.hold()
  }

  async quit(): Promise<void> {
    await Promise.all(this.#links.links.map((link) => link.quit()))
    this.#links.end(new Error('it was closed'))
  }
}

/** Rejects with a typed error whose fault says whether to try again. */
export async function openLinks(
  options: ConnectOptions,
  kind: RedisSettings['kind'],
): Promise<RedisLinks> {
  if (kind === 'single') return new OneMaster(await Member.open(options))
  const { ClusterLinks, findMaster } = await loadRedisTopology()
  if (kind === 'cluster')
    return new Cluster(await ClusterLinks.connect(options, (place) => Member.open(place, true)))
  const master = await findMaster(options)
  let member: Member | undefined
  const watch = master.watch(() => member?.end())
  try {
    member = await watch.unlessMoved(Member.open(master.options), (late) => late.end())
    await master.confirm(member.client)
    return new OneMaster(member, watch)
  } catch (error) {
    watch.end()
    member?.end()
    const { redisError } = await loadRedisClients()
    throw redisError(error, `connecting to ${options.target.masked}`, true)
  }
}

/** A socket for notices: at the master, or at any server of a cluster, which tells of all. */
export async function openNotices(
  options: ConnectOptions,
  kind: RedisSettings['kind'],
): Promise<RedisClient> {
  const { openRedis } = await loadRedisClients()
  if (kind === 'single') return await openRedis(options)
  if (kind === 'sentinel') {
    const { findMaster } = await loadRedisTopology()
    return await openRedis((await findMaster(options)).options)
  }
  const { hosts = [options.target] } = options.target
  // Not always the same: it may be the one that is frozen.
  const { host, port } = hosts[Math.floor(options.ambient.random() * hosts.length)]!
  return await openRedis({ ...options, target: { ...options.target, host, port } })
}
