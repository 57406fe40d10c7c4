/** What an entry of the `unacked` hash says about where its message belongs. Pure. */
import { markRedelivered } from '../../virtual/envelope.ts'

export interface Restoration {
  readonly text: string
  readonly exchange: string
  readonly routingKey: string
  readonly priority: number | undefined
}

/** Exchange and routing key at the end of an entry. */
const tail = /, ?"(?:[^"\\]|\\.)*", ?"(?:[^"\\]|\\.)*"\]$/

/** Reads `[envelope, exchange, routing key]`; undefined when it is not that. */
export function restoration(value: string, countAttempt: boolean): Restoration | undefined {
  try {
    const [envelope, exchange, routingKey] = JSON.parse(value) as [
      { properties?: { priority?: unknown } },
      unknown,
      unknown,
    ]
    if (typeof envelope !== 'object' || envelope === null) return undefined
    if (typeof routingKey !== 'string') return undefined
    const priority = envelope.properties?.priority
    // Around the very text, which is worth keeping byte by byte: numbers would not all survive.
    const end = tail.exec(value)?.index
    const text = end === undefined ? JSON.stringify(envelope) : value.slice(1, end)
    return {
      text: markRedelivered(text, countAttempt),
      exchange: typeof exchange === 'string' ? exchange : '',
      routingKey,
      priority: typeof priority === 'number' ? priority : undefined,
    }
  } catch {
    return undefined
  }
}
