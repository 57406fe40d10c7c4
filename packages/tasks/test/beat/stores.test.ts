import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterAll, describe, expect, it } from '@jest/globals'
import { open as openFile } from '../../src/beat/stores/file.ts'
import { scheduleStores } from '../../src/beat/stores/index.ts'
import { open as openMemory } from '../../src/beat/stores/memory.ts'
import {
  scheduleStoreSuite,
  type ScheduleStoreHarness,
} from '../../src/testing/schedule-store-suite.ts'

const made: string[] = []
afterAll(() => Promise.all(made.map((one) => rm(one, { recursive: true }))))

async function directory(): Promise<string> {
  const at = await mkdtemp(path.join(tmpdir(), 'celeriac-beat-'))
  made.push(at)
  return at
}

const refuseWarnings = (message: string): void => {
  throw new Error(message)
}

let last = ''
const harnesses: Record<keyof typeof scheduleStores, Omit<ScheduleStoreHarness, 'name'>> = {
  memory: { fresh: async () => openMemory() },
  file: {
    async fresh() {
      last = path.join(await directory(), 'deep', 'celerybeat-schedule')
      return openFile({ file: last, onWarning: refuseWarnings })
    },
    again: async () => openFile({ file: last, onWarning: refuseWarnings }),
  },
}

for (const [name, harness] of Object.entries(harnesses)) {
  scheduleStoreSuite({ describe, it }, { name, ...harness })
}

describe('the shelf', () => {
  it.each(Object.entries(scheduleStores))('%s can be loaded', async (name, entry) => {
    const { open } = await entry.load()

    expect(open({ file: 'unused', onWarning: refuseWarnings }).name).toBe(name)
  })
})

describe('file store', () => {
  const record = { name: 'a', lastTickMs: 1, totalRunCount: 0, schedule: '{}' }

  it.each<[string, string]>([
    ['a Python shelve', '\u0013W\u009a\u00ce'],
    ['half a file', '{"version": 1, "entries": [{"name"'],
    ['nothing', ''],
    ['another version', '{"version": 9, "entries": []}'],
    ['a damaged record', '{"version": 1, "entries": [{"name": "a"}]}'],
  ])('keeps %s aside and starts anew', async (_, text) => {
    const file = path.join(await directory(), 'schedule')
    await writeFile(file, text)
    const warnings: string[] = []
    const store = openFile({ file, onWarning: (message) => void warnings.push(message) })
    await store.open()

    expect(await store.load()).toEqual([])
    await store.save([record])

    expect(await readFile(`${file}.damaged`, 'utf8')).toBe(text)
    expect(warnings).toEqual([`the schedule file ${file} is damaged; it is now ${file}.damaged`])
    expect(await store.load()).toEqual([record])
  })

  it('leaves no other files', async () => {
    const at = await directory()
    const store = openFile({ file: path.join(at, 'schedule'), onWarning: refuseWarnings })
    await store.open()
    await store.save([record])
    await store.save([])

    expect(await readdir(at)).toEqual(['schedule'])
  })

  it('says which file cannot be written, and works once it can', async () => {
    const at = await directory()
    const file = path.join(at, 'gone', 'schedule')
    const store = openFile({ file, onWarning: refuseWarnings })

    await expect(store.save([record])).rejects.toThrow(
      expect.objectContaining({
        code: 'TASKS_STORE_FAILED',
        message: expect.stringContaining(`the schedule file ${file} cannot be written`),
      }),
    )
    await store.open()
    await store.save([record])

    expect(await store.load()).toEqual([record])
  })
})
