import { afterEach, describe, expect, it } from '@jest/globals'
import {
  chain,
  chord,
  group,
  groupOf,
  RemoteError,
  type AsyncResult,
  type Celeriac,
} from '@celeriac/tasks'
import { setup, type Bench } from './setup.ts'

let bench: Bench | undefined
afterEach(async () => {
  await bench?.end()
  bench = undefined
})

const timeout = 5

function tasks(app: Celeriac) {
  return {
    add: app.task('add', (x: number, y: number) => x + y),
    sum: app.task('sum', (xs: readonly number[]) => xs.reduce((a, b) => a + b, 0)),
    text: app.task('text', (n: number) => `<${n}>`),
    boom: app.task('boom', (_n: number): number => {
      throw new RangeError('boom')
    }),
    note: app.task('note', (...given: unknown[]) => void noted.push(given)),
  }
}
const noted: unknown[][] = []

async function started() {
  let made!: ReturnType<typeof tasks>
  noted.length = 0
  bench = await setup((app) => (made = tasks(app)))
  await bench.worker.start()
  return made
}

const until = async (done: () => boolean): Promise<void> => {
  const end = Date.now() + 5000
  while (!done()) {
    if (Date.now() > end) throw new Error('not in time')
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}

describe('workflows on a worker', () => {
  it('run chains, also from partials', async () => {
    const { add, text } = await started()
    const steps = await chain(add.s(1, 2), add.s(4), text.s()).delay()
    const partial = await chain(add.s(2), text.s()).delay(40)

    expect(await steps.get({ timeout })).toBe('<7>')
    expect(await partial.get({ timeout })).toBe('<42>')
    expect(await steps.parent?.get({ timeout })).toBe(7)
  })

  it('run groups, and nested ones in order', async () => {
    const { add, text } = await started()
    const flat = await group(add.s(1, 1), text.s(2)).delay()
    const nested = await group(add.s(1, 1), group(add.s(2, 2), add.s(3, 3))).delay()

    expect(await flat.get({ timeout })).toEqual([2, '<2>'])
    expect(await nested.get({ timeout })).toEqual([2, 4, 6])
    expect(await flat.successful()).toBe(true)
    expect(await flat.completedCount()).toBe(2)
  })

  it('join chords in the order of the header', async () => {
    const { add, sum } = await started()
    const header = Array.from({ length: 20 }, (_, i) => add.s(i, i))

    expect(await (await chord(groupOf(header), sum.s()).delay()).get({ timeout })).toBe(380)
    expect(await (await chord([], sum.s()).delay()).get({ timeout })).toBe(0)
  })

  it('put chords into chains and chains into chords', async () => {
    const { add, sum, text } = await started()
    const inChain = chain(add.s(1, 1), group(add.s(10), add.s(20)), sum.s(), text.s())
    const inChord = chord([chain(add.s(1, 1), add.s(1)), add.s(2, 2)], sum.s())
    const twice = chord([chord([add.s(1, 1), add.s(2, 2)], sum.s()), add.s(3, 3)], sum.s())

    const sent = await inChain.delay()
    expect(await sent.get({ timeout })).toBe('<34>')
    expect(await sent.parent?.parent?.get()).toEqual([12, 22])
    expect(await (await inChord.delay()).get({ timeout })).toBe(7)
    expect(await (await twice.delay()).get({ timeout })).toBe(12)
  })

  it('map, starmap and chunk', async () => {
    const { add, text } = await started()

    expect(await (await text.map([1, 2]).delay()).get({ timeout })).toEqual(['<1>', '<2>'])
    const pairs = [1, 2, 3].map((n): [number, number] => [n, n])
    expect(await (await add.starmap(pairs).delay()).get({ timeout })).toEqual([2, 4, 6])
    expect(await (await add.chunks(pairs, 2).delay()).get({ timeout })).toEqual([[2, 4], [6]])
  })

  it('fail the rest of a chain with its first failure', async () => {
    const { add, boom, text } = await started()
    const result = await chain(add.s(1, 1), boom.s(), text.s()).delay()

    await expect(result.get({ timeout })).rejects.toThrow(RemoteError)
    await expect(result.get({ timeout })).rejects.toThrow('boom')
    expect(await result.parent?.failed()).toBe(true)
  })

  it('fail a chord whose header fails, and name the member', async () => {
    const { add, boom, sum } = await started()
    const result = await chord([add.s(1, 1), boom.s(1)], sum.s()).delay()

    await expect(result.get({ timeout })).rejects.toMatchObject({
      excType: 'ChordError',
      message: expect.stringMatching(/Dependency .* raised ValueError\('boom'\)/),
    })
  })

  it('call back after success and after failure', async () => {
    const { add, boom, note } = await started()
    await add.s(1, 2).link(note.s('ok')).delay()
    const failed = await boom.s(1).linkError(note.si('failed')).delay()
    await until(() => noted.length === 2)

    expect(noted).toContainEqual([3, 'ok'])
    expect(noted).toContainEqual(['failed'])
    expect(await failed.failed()).toBe(true)
  })

  it('keep a group for later', async () => {
    const { add } = await started()
    const sent = await group(add.s(1, 1), add.s(2, 2)).delay()
    await sent.save()

    const found = await bench!.app.restoreGroup(sent.id)

    expect(await found?.get({ timeout })).toEqual([2, 4])
    expect(await bench!.app.restoreGroup('unknown')).toBeUndefined()
  })

  it('list what a task sent as its children', async () => {
    bench = await setup((app) => {
      const child = app.task('child', (n: number) => n)
      app.task('parent', async () => (await child.delay(1)).id)
    })
    await bench.worker.start()
    const parent = await bench.app.sendTask('parent')
    const id = await parent.get({ timeout })
    const [child] = await parent.children()

    expect(child?.id).toBe(id)
    expect((await (child as AsyncResult | undefined)?.info())?.parentId).toBe(parent.id)
    expect(await child?.get({ timeout })).toBe(1)
  })
})
