/** What every schedule store must do: keep what was saved last, whole, and live through double calls. */
import assert from 'node:assert/strict'
import type { Runner } from '@celeriac/messaging/testing'
import type { EntryRecord } from '../beat/entry.ts'
import type { ScheduleStore } from '../beat/store.ts'

export interface ScheduleStoreHarness {
  readonly name: string
  /** A store that nobody has saved to. */
  readonly fresh: () => Promise<ScheduleStore>
  /** Another store over the same data, for stores that outlive their process. */
  readonly again?: (first: ScheduleStore) => Promise<ScheduleStore>
}

const record = (name: string, lastTickMs = 1_700_000_000_000.5): EntryRecord => ({
  name,
  lastTickMs,
  totalRunCount: 3,
  schedule: '{"kind":"interval","every":30}',
})

export function scheduleStoreSuite({ describe, it }: Runner, harness: ScheduleStoreHarness): void {
  describe(`schedule store: ${harness.name}`, () => {
    it('is empty at first', async () => {
      const store = await harness.fresh()
      await store.open()

      assert.deepEqual(await store.load(), [])
      await store.close()
    })

    it('keeps what was saved last, and nothing older', async () => {
      const store = await harness.fresh()
      await store.open()
      await store.save([record('a'), record('gone')])
      await store.save([record('a', 5), record('nämé "quoted"')])

      assert.deepEqual(await store.load(), [record('a', 5), record('nämé "quoted"')])
      await store.close()
    })

    it('ends with the last of several saves at once', async () => {
      const store = await harness.fresh()
      await store.open()
      const saves = Array.from({ length: 20 }, (_, i) => store.save([record('a', i)]))
      await Promise.all(saves)

      assert.deepEqual(await store.load(), [record('a', 19)])
      await store.close()
    })

    it('does not change with the records it was given', async () => {
      const store = await harness.fresh()
      await store.open()
      const mine = [{ ...record('a') }]
      await store.save(mine)
      mine[0]!.name = 'changed'

      assert.deepEqual(await store.load(), [record('a')])
      await store.close()
    })

    it('can be opened and closed twice, and opened again', async () => {
      const store = await harness.fresh()
      await store.open()
      await store.open()
      await store.save([record('a')])
      await store.close()
      await store.close()
      await store.open()

      assert.equal((await store.load()).length, 1)
      await store.close()
    })

    const { again } = harness
    if (again) {
      it('outlives its process', async () => {
        const store = await harness.fresh()
        await store.open()
        await store.save([record('a')])
        await store.close()
        const other = await again(store)
        await other.open()

        assert.deepEqual(await other.load(), [record('a')])
        await other.close()
      })
    }
  })
}
