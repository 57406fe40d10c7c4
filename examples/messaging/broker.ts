// Which broker an example talks to, and names on it that no other run uses.
import { randomUUID } from 'node:crypto'

/** The first argument, else `BROKER_URL`, else a broker in this process. */
export const url = process.argv[2] ?? process.env['BROKER_URL'] ?? 'memory://examples'

const run = randomUUID().slice(0, 8)

/** Brokers are shared: each run has queues and exchanges of its own, and removes them in the end. */
export const own = (name: string): string => `example.${name}.${run}`

/** A broker in this process keeps it alive no more than a promise does; a socket would. */
export async function awake<T>(work: () => Promise<T>): Promise<T> {
  const timer = setInterval(() => undefined, 1000)
  try {
    return await work()
  } finally {
    clearInterval(timer)
  }
}
