/**
 * What every transport must do, as a suite that any test runner can drive. Capabilities are tested both
 * ways: what is declared must work, what is not must be refused by name.
 */
import type { Runner } from '../runner.ts'
import { closeTests } from './close.ts'
import { consumeTests } from './consume.ts'
import { deadLetterTests } from './dead-letters.ts'
import { delayTests } from './delays.ts'
import { exchangeTests } from './exchanges.ts'
import type { TransportHarness } from './harness.ts'
import { publishTests } from './publish.ts'
import { queueTests } from './queues.ts'
import { settleTests } from './settle.ts'
import { topologyTests } from './topology.ts'

export type { TransportHarness } from './harness.ts'

export function transportSuite(runner: Runner, harness: TransportHarness): void {
  const checked = withDeviations(runner, harness)
  runner.describe(`transport: ${harness.name}`, () => {
    publishTests(checked, harness)
    delayTests(checked, harness)
    topologyTests(checked, harness)
    exchangeTests(checked, harness)
    queueTests(checked, harness)
    deadLetterTests(checked, harness)
    settleTests(checked, harness)
    consumeTests(checked, harness)
    closeTests(checked, harness)
  })
}

/** A known deviation must fail; one that passes is no deviation any more and has to go from the list. */
function withDeviations(runner: Runner, { deviations = {} }: TransportHarness): Runner {
  return {
    describe: (name, body) => runner.describe(name, body),
    it(name, body) {
      const reason = deviations[name]
      if (reason === undefined) return runner.it(name, body)
      return runner.it(`${name} [deviates: ${reason}]`, async () => {
        try {
          await body()
        } catch {
          return
        }
        throw new Error(`this deviation is over, remove it: ${reason}`)
      })
    },
  }
}
