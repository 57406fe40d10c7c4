/** Joins: every part counts once, and exactly one step sees the end. */
import assert from 'node:assert/strict'
import type { Runner } from '@celeriac/messaging/testing'
import type { CountdownPart, CountdownStep } from '../../backend/backend.ts'
import { withBackend, type BackendHarness } from './harness.ts'

export function countdownTests({ it }: Runner, harness: BackendHarness): void {
  const part = (groupId: string, index: number, result: unknown = index): CountdownPart => ({
    groupId,
    taskId: `${groupId}-${index}`,
    index,
    state: 'SUCCESS',
    resultText: JSON.stringify(result),
  })
  const texts = (step: CountdownStep): string[] | undefined =>
    step.kind === 'complete' ? step.parts.map(({ resultText }) => resultText) : undefined

  it(
    'is complete with the last part, in the order of the group',
    withBackend(harness, async (backend) => {
      const id = harness.unique()
      await backend.startCountdown(id, 3)

      assert.equal(texts(await backend.stepCountdown(part(id, 2))), undefined)
      assert.equal(texts(await backend.stepCountdown(part(id, 0))), undefined)
      assert.deepEqual(texts(await backend.stepCountdown(part(id, 1))), ['0', '1', '2'])
    }),
  )

  it(
    'counts a part once, however often it comes and whatever it says',
    withBackend(harness, async (backend) => {
      const id = harness.unique()
      await backend.startCountdown(id, 2)

      assert.equal(texts(await backend.stepCountdown(part(id, 0, 'first'))), undefined)
      assert.equal(texts(await backend.stepCountdown(part(id, 0, 'first'))), undefined)
      assert.equal(texts(await backend.stepCountdown(part(id, 0, 'again'))), undefined)
      assert.deepEqual(texts(await backend.stepCountdown(part(id, 1))), ['"again"', '1'])
    }),
  )

  it(
    'waits for the announcement when a part is faster',
    withBackend(harness, async (backend) => {
      const id = harness.unique()
      assert.equal(texts(await backend.stepCountdown(part(id, 0))), undefined)

      await backend.startCountdown(id, 2)

      assert.deepEqual(texts(await backend.stepCountdown(part(id, 1))), ['0', '1'])
    }),
  )

  it(
    'waits for parts that were added',
    withBackend(harness, async (backend) => {
      const id = harness.unique()
      await backend.startCountdown(id, 1)
      await backend.extendCountdown(id, 1)

      assert.equal(texts(await backend.stepCountdown(part(id, 0))), undefined)
      assert.deepEqual(texts(await backend.stepCountdown(part(id, 1))), ['0', '1'])
    }),
  )

  it(
    'keeps states and odd texts of its parts',
    withBackend(harness, async (backend) => {
      const id = harness.unique()
      await backend.startCountdown(id, 1)
      const odd = { exc_type: 'X', exc_message: ['"] , [1'], exc_module: 'é\n' }

      const step = await backend.stepCountdown({ ...part(id, 0, odd), state: 'FAILURE' })

      assert.equal(step.kind, 'complete')
      assert.deepEqual(
        step.kind === 'complete' && step.parts.map(({ state, resultText }) => [state, resultText]),
        [['FAILURE', JSON.stringify(odd)]],
      )
    }),
  )

  it(
    'lets exactly one of many simultaneous parts complete it',
    withBackend(harness, async (backend) => {
      const id = harness.unique()
      await backend.startCountdown(id, 50)

      const steps = await Promise.all(
        Array.from({ length: 50 }, (_, index) => backend.stepCountdown(part(id, index))),
      )

      assert.equal(steps.filter(({ kind }) => kind === 'complete').length, 1)
    }),
  )

  it(
    'begins anew after its end',
    withBackend(harness, async (backend) => {
      const id = harness.unique()
      await backend.startCountdown(id, 1)
      assert.notEqual(texts(await backend.stepCountdown(part(id, 0))), undefined)

      await backend.endCountdown(id)

      // A header that is delivered once more after the join finds nothing to join.
      assert.equal(texts(await backend.stepCountdown(part(id, 0))), undefined)
    }),
  )
}
