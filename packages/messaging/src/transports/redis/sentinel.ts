/**
 * Finds the master that sentinels watch, anew for each link: all of them are asked at once, so that one that
 * is frozen costs nothing, and the answer of the latest epoch counts. While a link stands, one sentinel
 * tells when another server becomes the master: a frozen one would be noticed by its silence only.
 */
import { hangUp, openRedis, redisEnded, redisError, type RedisClient } from '../../clients/redis.ts'
import { sleep } from '../../kernel/clock.ts'
import { withDeadline } from '../../kernel/deadline.ts'
import { MessagingError, messageOf } from '../../kernel/errors.ts'
import type { ConnectOptions, Target } from '../../transport/transport.ts'
import { redisOptions } from './options.ts'

const pauseMs = 1000
const switched = '+switch-master'

export interface Master {
  /** As given, with the master's address and no sentinel's. */
  readonly options: ConnectOptions
  /** Rejects when the server does not say itself that it is the master. */
  confirm(client: RedisClient): Promise<void>
  /** Calls back once when another server has become the master. */
  watch(onSwitch: (error: Error) => void): MasterWatch
}

export interface MasterWatch {
  /** As `work`, but rejects when the master changes first; `onLate` gets what comes about all the same. */
  unlessMoved<T>(work: Promise<T>, onLate: (value: T) => void): Promise<T>
  end(): void
}

interface Answer {
  readonly host: string
  readonly port: number
  readonly epoch: number
}

/** Rejects with `MESSAGING_CONNECT_FAILED` when no sentinel knows the master, and says what each answered. */
export async function findMaster(options: ConnectOptions): Promise<Master> {
  const { target } = options
  const { masterName } = redisOptions(target)
  if (masterName === undefined || masterName === '')
    throw new MessagingError(
      'MESSAGING_OPTION_INVALID',
      'fatal',
      `the transport option masterName is missing: which master do the sentinels of ${target.masked} watch?`,
    )
  const sentinels = sentinelsOf(target).map((address) => atSentinel(options, address))
  const asked = await Promise.allSettled(sentinels.map((one) => ask(one, masterName)))
  const answers = asked.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []))
  const [best] = answers.toSorted((a, b) => b.epoch - a.epoch)
  if (!best) {
    const reasons = asked.map((one) => (one.status === 'rejected' ? messageOf(one.reason) : ''))
    throw new MessagingError(
      'MESSAGING_CONNECT_FAILED',
      'connection',
      `no sentinel of ${target.masked} knows the master '${masterName}': ${reasons.join('; ')}`,
    )
  }
  const { host, port } = best
  return {
    options: { ...options, target: { ...target, scheme: 'redis', host, port } },
    confirm: (client) => confirm(client, `${host}:${port}`),
    watch: (onSwitch) => watch(options, sentinels, masterName, best, onSwitch),
  }
}

function sentinelsOf({ hosts, host, port }: Target): readonly Address[] {
  return hosts ?? [{ host, port }]
}

interface Address {
  readonly host: string
  readonly port: number | undefined
}

/** The options for a link to one sentinel: its own login, no database, and less time than the whole has. */
function atSentinel(options: ConnectOptions, { host, port }: Address): ConnectOptions {
  const { username, password } = redisOptions(options.target).sentinelLogin
  return {
    ...options,
    timeoutMs: Math.min(options.timeoutMs / 2, 1000),
    target: {
      ...options.target,
      scheme: 'redis',
      host,
      port: port ?? 26379,
      path: '',
      username,
      password,
      masked: `sentinel://${host}:${port ?? 26379}`,
    },
  }
}

async function ask(sentinel: ConnectOptions, name: string): Promise<Answer> {
  const client = await openRedis(sentinel)
  try {
    const { timeoutMs, target, ambient } = sentinel
    const asking = client.call('SENTINEL', 'MASTER', name) as Promise<string[]>
    const flat = await withDeadline(asking, timeoutMs, ambient.clock, `asking ${target.masked}`)
    const facts = new Map<string, string>()
    for (let i = 0; i + 1 < flat.length; i += 2) facts.set(flat[i]!, flat[i + 1]!)
    const { minOtherSentinels } = redisOptions(target)
    // It is about to be replaced: an attempt to reach it would only take time.
    if (/[so]_down/.test(facts.get('flags') ?? ''))
      throw refused(`${target.masked} holds the master '${name}' for down`)
    const others = Number(facts.get('num-other-sentinels') ?? 0)
    if (others < minOtherSentinels)
      throw refused(`${target.masked} knows ${others} other sentinels, not ${minOtherSentinels}`)
    return {
      host: facts.get('ip')!,
      port: Number(facts.get('port')),
      epoch: Number(facts.get('config-epoch') ?? 0),
    }
  } catch (error) {
    throw redisError(error, sentinel.target.masked, true)
  } finally {
    hangUp(client)
  }
}

/** An old master that comes back calls itself one for a moment; it must at least do that. */
async function confirm(client: RedisClient, address: string): Promise<void> {
  const [role] = (await client.call('ROLE')) as [string]
  if (role !== 'master') throw refused(`${address} is a ${role}, no master`)
}

function watch(
  options: ConnectOptions,
  sentinels: readonly ConnectOptions[],
  name: string,
  current: Answer,
  onSwitch: (error: Error) => void,
): MasterWatch {
  const ended = new AbortController()
  let tell!: (error: Error) => void
  const moved = new Promise<Error>((resolve) => (tell = resolve))
  void moved.then(onSwitch)
  const { clock } = options.ambient
  let client: RedisClient | undefined
  const hear = async (sentinel: ConnectOptions): Promise<void> => {
    const opened = await openRedis(sentinel)
    client = opened
    if (ended.signal.aborted) return hangUp(opened)
    opened.on('message', (_channel: string, text: string) => {
      const [master, , , host, port] = text.split(' ')
      if (master !== name || (host === current.host && Number(port) === current.port)) return
      tell(new Error(`the sentinels made ${host}:${port} the master`))
    })
    await opened.subscribe(switched)
    // It may have been told before this one was listened to.
    const { host, port } = await ask(sentinel, name)
    if (host !== current.host || port !== current.port)
      tell(new Error(`${host}:${port} is the master now`))
    await redisEnded(opened)
  }
  const run = async (): Promise<void> => {
    for (let i = 0; !ended.signal.aborted; i = (i + 1) % sentinels.length) {
      try {
        await hear(sentinels[i]!)
      } catch {
        // This one is away: the next.
      }
      if (client) hangUp(client)
      await sleep(clock, pauseMs, ended.signal, { background: true })
    }
  }
  void run().catch(() => undefined)
  return {
    async unlessMoved(work, onLate) {
      const first = await Promise.race([work, moved])
      if (!(first instanceof Error)) return first
      work.then(onLate, () => undefined)
      throw first
    },
    end() {
      ended.abort()
      if (client) hangUp(client)
    },
  }
}

function refused(why: string): MessagingError {
  return new MessagingError('MESSAGING_CONNECT_FAILED', 'connection', why)
}
