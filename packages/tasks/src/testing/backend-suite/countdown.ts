/** Joins: every part counts once, and exactly one step sees the end. */
import assert from 'node:assert/strict'
import type { Runner } from '@celeriac/messaging/testing'
import {
  canCount,
  type CountdownPart,
  type CountdownStep,
  type CountingBackend,
  type ResultBackend,
} from '../../backend/backend.ts'
import { jsonResults } from '../../backend/result-codec.ts'
import type { ResultTree } from '../../canvas/result-tree.ts'
import { record, stored, withBackend, type BackendHarness } from './harness.ts'

const idOf = (groupId: string, index: number): string => `${groupId}-${index}`

/** Handles of the members of a header. */
function members(groupId: string, size: number): ResultTree[] {
  return Array.from({ length: size }, (_, index) => [[idOf(groupId, index), null], null])
}

/** Stores the member's record, as the worker does before it counts, and counts it. */
function stepper(backend: CountingBackend, harness: BackendHarness, groupId: string) {
  return async (
    index: number,
    value: unknown = index,
    state = 'SUCCESS',
  ): Promise<CountdownStep> => {
    const taskId = idOf(groupId, index)
    await backend.store([stored(backend, harness, record(taskId, state, value))])
    const part: CountdownPart = {
      groupId,
      taskId,
      index,
      data: jsonResults.encode([1, taskId, state, value]),
    }
    return await backend.stepCountdown(part)
  }
}

/** State and value of each part of a complete step, from its texts or from the members' records. */
async function values(
  backend: ResultBackend,
  groupId: string,
  step: CountdownStep,
): Promise<unknown[] | undefined> {
  if (step.kind !== 'complete') return undefined
  if (step.parts) return step.parts.map((part) => (jsonResults.decode(part) as unknown[]).slice(2))
  const tree = await backend.readGroup(groupId)
  const found = await backend.read(tree![1]!.map(([[id]]) => id))
  return found.map((data) => {
    const { status, result } = backend.decode(data!)
    return [status, result]
  })
}

export function countdownTests({ it }: Runner, harness: BackendHarness): void {
  const test = (name: string, body: (backend: CountingBackend) => Promise<void>): void => {
    it(
      name,
      withBackend(harness, async (backend) => {
        if (canCount(backend)) return await body(backend)
        // Nothing that looks as if it counted.
        for (const verb of ['start', 'extend', 'step', 'end'])
          assert.equal(`${verb}Countdown` in backend, false)
      }),
    )
  }

  test('is complete with the last part, in the order of the group', async (backend) => {
    const id = harness.unique()
    const step = stepper(backend, harness, id)
    await backend.startCountdown(id, members(id, 3))

    assert.equal((await step(2)).kind, 'waiting')
    assert.equal((await step(0)).kind, 'waiting')
    assert.deepEqual(await values(backend, id, await step(1)), [
      ['SUCCESS', 0],
      ['SUCCESS', 1],
      ['SUCCESS', 2],
    ])
  })

  test('counts a part once, however often it comes', async (backend) => {
    const id = harness.unique()
    const step = stepper(backend, harness, id)
    await backend.startCountdown(id, members(id, 3))

    for (let i = 0; i < 4; i++) assert.equal((await step(0, 'same')).kind, 'waiting')
    assert.equal((await step(1)).kind, 'waiting')
    assert.equal((await step(1)).kind, 'waiting')
    assert.deepEqual(await values(backend, id, await step(2)), [
      ['SUCCESS', 'same'],
      ['SUCCESS', 1],
      ['SUCCESS', 2],
    ])
  })

  test('counts a part once that comes with another outcome', async (backend) => {
    const id = harness.unique()
    const step = stepper(backend, harness, id)
    await backend.startCountdown(id, members(id, 2))

    assert.equal((await step(0, 1, 'FAILURE')).kind, 'waiting')
    assert.equal((await step(0, 'again')).kind, 'waiting')
    assert.deepEqual(await values(backend, id, await step(1)), [
      ['SUCCESS', 'again'],
      ['SUCCESS', 1],
    ])
  })

  test('waits for parts that were added, each once', async (backend) => {
    const id = harness.unique()
    const step = stepper(backend, harness, id)
    await backend.startCountdown(id, members(id, 1))
    await backend.extendCountdown(id, idOf(id, 1))
    await backend.extendCountdown(id, idOf(id, 1))

    assert.equal((await step(0)).kind, 'waiting')
    assert.equal((await step(1)).kind, 'complete')
  })

  test('keeps states and odd texts of its parts', async (backend) => {
    const id = harness.unique()
    const odd = { exc_type: 'X', exc_message: ['"] , [1'], exc_module: 'é\n' }
    await backend.startCountdown(id, members(id, 1))

    const step = await stepper(backend, harness, id)(0, odd, 'FAILURE')

    assert.deepEqual(await values(backend, id, step), [['FAILURE', odd]])
  })

  test('lets exactly one of many simultaneous parts complete it', async (backend) => {
    const id = harness.unique()
    const step = stepper(backend, harness, id)
    await backend.startCountdown(id, members(id, 50))

    const steps = await Promise.all(Array.from({ length: 50 }, (_, index) => step(index)))

    assert.equal(steps.filter(({ kind }) => kind === 'complete').length, 1)
  })

  test('is complete again for a part that comes again before the end', async (backend) => {
    const id = harness.unique()
    const step = stepper(backend, harness, id)
    await backend.startCountdown(id, members(id, 2))
    await step(0)
    assert.equal((await step(1)).kind, 'complete')

    // Its worker died before the body was sent: whoever gets the part now must send it.
    assert.equal((await step(1)).kind, 'complete')
  })

  test('knows nothing after its end', async (backend) => {
    const id = harness.unique()
    const step = stepper(backend, harness, id)
    await backend.startCountdown(id, members(id, 1))
    assert.equal((await step(0)).kind, 'complete')

    await backend.endCountdown(id)

    // A header that is delivered once more after the join finds nothing to join.
    assert.equal((await step(0)).kind, 'waiting')
  })

  test('keeps two joins apart', async (backend) => {
    const [one, other] = [harness.unique(), harness.unique()]
    await backend.startCountdown(one, members(one, 2))
    await backend.startCountdown(other, members(other, 1))

    assert.equal((await stepper(backend, harness, one)(0)).kind, 'waiting')
    assert.equal((await stepper(backend, harness, other)(0)).kind, 'complete')
  })
}
