/**
 * What becomes of a message that was dropped, has expired or was crowded out: it goes to the dead-letter
 * exchange of its queue with its history in `x-death`, as RabbitMQ has it, or it is gone.
 */
import type { Clock } from '../kernel/clock.ts'
import type { Headers, HeaderValue } from '../message/message.ts'
import type { Queue } from '../topology/queue.ts'
import type { Publication } from '../transport/channel.ts'
import type { Envelope } from './envelope.ts'

export type CauseOfDeath = 'rejected' | 'expired' | 'maxlen'

type Death = Readonly<Record<string, HeaderValue>>

/** What to publish for a dead message; undefined when its queue wants none, or when it goes in circles. */
export function deadLetter(
  { message, exchange: from, routingKey }: Envelope,
  name: string,
  queue: Queue | undefined,
  cause: CauseOfDeath,
  clock: Clock,
): Publication | undefined {
  const exchange = queue?.arguments['x-dead-letter-exchange']
  if (typeof exchange !== 'string') return undefined
  const deaths = deathsOf(message.headers)
  const before = deaths.find((d) => d['queue'] === name && d['reason'] === cause)
  // Crowded out where it was crowded out before, and refused by nobody since then: nothing slows this
  // circle down. The latest death comes first.
  if (before && cause === 'maxlen') {
    const since = deaths.slice(0, deaths.indexOf(before))
    if (!since.some(({ reason }) => reason === 'rejected')) return undefined
  }
  const { expirationMs, ...properties } = message.properties
  const death: Death = {
    count: countOf(before) + 1,
    reason: cause,
    queue: name,
    time: Math.floor(clock.now() / 1000),
    exchange: from,
    'routing-keys': [routingKey],
    ...(expirationMs !== undefined && { 'original-expiration': String(expirationMs) }),
  }
  const { redelivered: _, 'x-delivery-count': __, ...headers } = message.headers
  const key = queue?.arguments['x-dead-letter-routing-key']
  return {
    exchange,
    routingKey: typeof key === 'string' ? key : routingKey,
    message: {
      body: message.body,
      headers: {
        'x-first-death-exchange': from,
        'x-first-death-queue': name,
        'x-first-death-reason': cause,
        ...headers,
        'x-death': [death, ...deaths.filter((other) => other !== before)],
      },
      properties,
    },
  }
}

function deathsOf(headers: Headers): Death[] {
  const deaths = headers['x-death']
  // Written by whoever published it: anything may stand there.
  return Array.isArray(deaths) ? (deaths as unknown[]).filter(isDeath) : []
}

function isDeath(value: unknown): value is Death {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function countOf(death: Death | undefined): number {
  const count = death?.['count']
  return typeof count === 'bigint' || typeof count === 'number' ? Number(count) : 0
}
