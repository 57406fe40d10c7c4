/** What every result backend must do, as a suite that any test runner can drive. */
import assert from 'node:assert/strict'
import type { Runner } from '@celeriac/messaging/testing'
import { countdownTests } from './countdown.ts'
import { record, withBackend, type BackendHarness } from './harness.ts'

export type { BackendHarness } from './harness.ts'

export function backendSuite(runner: Runner, harness: BackendHarness): void {
  runner.describe(`result backend: ${harness.name}`, () => {
    storeTests(runner, harness)
    subscribeTests(runner, harness)
    groupTests(runner, harness)
    countdownTests(runner, harness)
  })
}

function storeTests({ it }: Runner, harness: BackendHarness): void {
  const put = (id: string, state: string, result: unknown = null) => ({
    id,
    state,
    text: record(id, state, result),
  })

  it(
    'reads what was stored, and nothing for an unknown id',
    withBackend(harness, async (backend) => {
      const [a, b, unknown] = [harness.unique(), harness.unique(), harness.unique()]
      await backend.store([put(a, 'SUCCESS', { x: 'é' }), put(b, 'FAILURE', 1)])

      const found = await backend.read([b, unknown, a])

      assert.deepEqual(found, [
        record(b, 'FAILURE', 1),
        undefined,
        record(a, 'SUCCESS', { x: 'é' }),
      ])
    }),
  )

  it(
    'replaces a record by a later one, in the order of the batch',
    withBackend(harness, async (backend) => {
      const id = harness.unique()
      await backend.store([put(id, 'STARTED'), put(id, 'RETRY')])
      await backend.store([put(id, 'FAILURE', 7)])

      assert.deepEqual(await backend.read([id]), [record(id, 'FAILURE', 7)])
    }),
  )

  it(
    'never replaces a success',
    withBackend(harness, async (backend) => {
      const id = harness.unique()
      await backend.store([put(id, 'SUCCESS', 1), put(id, 'FAILURE', 2)])
      await backend.store([put(id, 'RETRY', 3)])

      assert.deepEqual(await backend.read([id]), [record(id, 'SUCCESS', 1)])
    }),
  )

  it(
    'forgets, also what it never knew',
    withBackend(harness, async (backend) => {
      const id = harness.unique()
      await backend.store([put(id, 'SUCCESS')])

      await backend.forget([id, harness.unique()])

      assert.deepEqual(await backend.read([id]), [undefined])
    }),
  )

  it(
    'stores many at once',
    withBackend(harness, async (backend) => {
      const ids = Array.from({ length: 1500 }, () => harness.unique())
      await backend.store(ids.map((id, i) => put(id, 'SUCCESS', i)))

      const texts = await backend.read(ids)

      assert.deepEqual(
        texts,
        ids.map((id, i) => record(id, 'SUCCESS', i)),
      )
    }),
  )

  it('drops a record when its time is over', async () => {
    const backend = harness.open({ expiresSeconds: 1 })
    await backend.open()
    try {
      const id = harness.unique()
      await backend.store([put(id, 'SUCCESS')])
      assert.notEqual((await backend.read([id]))[0], undefined)

      await new Promise((resolve) => setTimeout(resolve, 1200))

      assert.deepEqual(await backend.read([id]), [undefined])
    } finally {
      await backend.close()
    }
  })

  it('opens and closes twice', async () => {
    const backend = harness.open()
    await Promise.all([backend.open(), backend.open()])
    await Promise.all([backend.close(), backend.close()])
  })
}

function subscribeTests({ it }: Runner, harness: BackendHarness): void {
  it(
    'tells a subscriber of each record from now on, and nobody after the end',
    withBackend(harness, async (backend) => {
      const id = harness.unique()
      const texts: string[] = []
      let tell: () => void = () => undefined
      const end = await backend.subscribe(id, (text) => {
        texts.push(text)
        tell()
      })
      const next = (): Promise<void> => new Promise((resolve) => (tell = resolve))

      const first = next()
      await backend.store([{ id, state: 'STARTED', text: record(id, 'STARTED', 1) }])
      await first
      const second = next()
      await backend.store([{ id, state: 'SUCCESS', text: record(id, 'SUCCESS', 2) }])
      await second
      end()
      await backend.store([{ id, state: 'FAILURE', text: record(id, 'FAILURE', 3) }])
      await new Promise((resolve) => setTimeout(resolve, 50))

      assert.deepEqual(texts, [record(id, 'STARTED', 1), record(id, 'SUCCESS', 2)])
    }),
  )

  it(
    'tells two subscribers of one id, and each id its own',
    withBackend(harness, async (backend) => {
      const [a, b] = [harness.unique(), harness.unique()]
      const seen: string[] = []
      const done = new Promise<void>((resolve) => {
        const note = (who: string) => (): void => {
          seen.push(who)
          if (seen.length === 3) resolve()
        }
        void Promise.all([
          backend.subscribe(a, note('a1')),
          backend.subscribe(a, note('a2')),
          backend.subscribe(b, note('b')),
        ]).then(() =>
          backend.store([
            { id: a, state: 'SUCCESS', text: record(a, 'SUCCESS', 1) },
            { id: b, state: 'SUCCESS', text: record(b, 'SUCCESS', 1) },
          ]),
        )
      })
      await done

      assert.deepEqual(seen.toSorted(), ['a1', 'a2', 'b'])
    }),
  )
}

function groupTests({ it }: Runner, harness: BackendHarness): void {
  it(
    'keeps and forgets a group',
    withBackend(harness, async (backend) => {
      const id = harness.unique()
      assert.equal(await backend.readGroup(id), undefined)

      await backend.storeGroup(id, '{"result": []}')
      assert.equal(await backend.readGroup(id), '{"result": []}')
      await backend.forgetGroup(id)

      assert.equal(await backend.readGroup(id), undefined)
    }),
  )
}
