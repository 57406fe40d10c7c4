import { describe, expect, it } from '@jest/globals'
import { systemClock } from '@celeriac/messaging'
import type { CountdownStep, ResultBackend } from '../../src/backend/backend.ts'
import { jsonResults } from '../../src/backend/result-codec.ts'
import { Recorder } from '../../src/execution/record.ts'

const part = { groupId: 'g', groupIndex: 0, taskId: 'a', state: 'SUCCESS', value: 1 }

/** Counts a part on a backend that answers these one after the other. */
async function counted(...answers: readonly CountdownStep[]) {
  const asked: number[] = []
  const backend = {
    capabilities: { joins: 'count' },
    stepCountdown: async () => answers[asked.push(performance.now()) - 1],
  } as unknown as ResultBackend
  const recorder = new Recorder({ backend: async () => backend, codec: async () => jsonResults })
  const parts = await recorder.count(part, { clock: systemClock, timeoutMs: 60 })
  return { parts, pauses: asked.slice(1).map((at, i) => at - asked[i]!) }
}

describe('a part that comes late', () => {
  const text = '[1, "a", "SUCCESS", 1]'

  it('is counted again after a while, and joins when nobody has', async () => {
    const { parts, pauses } = await counted({ kind: 'late' }, { kind: 'complete', parts: [text] })

    expect(parts).toEqual([{ taskId: 'a', state: 'SUCCESS', value: 1 }])
    expect(pauses).toHaveLength(1)
    expect(pauses[0]).toBeGreaterThanOrEqual(55)
  })

  it('joins nothing when somebody has', async () => {
    const { parts, pauses } = await counted({ kind: 'late' }, { kind: 'waiting' })

    expect(parts).toBeUndefined()
    expect(pauses).toHaveLength(1)
  })
})
