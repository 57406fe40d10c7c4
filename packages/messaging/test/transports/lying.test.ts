// The suite finds out a transport that says what it is not: every capability, turned into its opposite,
// makes at least one test fail.
import { describe, expect, it } from '@jest/globals'
import { Connection } from '../../src/connection/connection.ts'
import { transportSuite } from '../../src/testing/index.ts'
import { capabilities } from '../../src/transports/memory/transport.ts'
import type { Capabilities } from '../../src/transport/capabilities.ts'

let count = 0

/** Runs the suite against the memory transport under a claim, and answers the names of what failed. */
async function failuresOf(claimed: Partial<Capabilities>): Promise<string[]> {
  const tests: { name: string; body: () => unknown }[] = []
  const broker = `memory://liar-${++count}`
  transportSuite(
    { describe: (_, body) => body(), it: (name, body) => void tests.push({ name, body }) },
    {
      name: 'a liar',
      capabilities: { ...capabilities, ...claimed },
      connect: () => new Connection(broker),
      unique: (prefix) => `${prefix}-${++count}`,
    },
  )
  // Every test has queues of its own, so they can all run at once.
  const ran = await Promise.allSettled(tests.map(async ({ body }) => await body()))
  return tests.filter((_, i) => ran[i]!.status === 'rejected').map(({ name }) => name)
}

const lies: Partial<Capabilities>[] = [
  { exchangeTypes: ['direct', 'topic', 'fanout'] },
  { exchangeTypes: ['direct'] },
  { priority: 'none' },
  { priority: 'low-first' },
  { delay: false },
  { mandatory: false },
  { messageTtl: false },
  { queueExpiry: false },
  { maxLength: false },
  { deadLetters: false },
  { exchangeBindings: false },
  { consumerPriority: true },
]

describe('the transport suite', () => {
  it('passes for one that tells the truth', async () => {
    expect(await failuresOf({})).toEqual([])
  }, 20_000)

  it.each(lies)(
    'fails for one that says %j',
    async (lie) => {
      expect(await failuresOf(lie)).not.toEqual([])
    },
    20_000,
  )
})
