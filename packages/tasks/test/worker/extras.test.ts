/** What others do not have: workflows explained before they are sent, steps that are undone. */
import { afterEach, describe, expect, it } from '@jest/globals'
import { chain, chord, explain, group, saga, undoable, type Celeriac } from '@celeriac/tasks'
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
    sum: app.task('sum', (xs: readonly number[]) => xs.length),
    quiet: app.task('quiet', { ignoreResult: true }, (x: number) => x),
    boom: app.task('boom', (_x: number): number => {
      throw new Error('boom')
    }),
    undo: app.task('undo', (...what: unknown[]) => void undone.push(...what)),
  }
}
const undone: unknown[] = []

async function started(options: Parameters<typeof setup>[1] = {}) {
  let made!: ReturnType<typeof tasks>
  undone.length = 0
  bench = await setup((app) => (made = tasks(app)), options)
  return made
}

describe('explain', () => {
  it('tells parts, messages, bytes and joins, and sends nothing', async () => {
    const { add, sum } = await started()
    const whole = chain(add.s(1, 1), group(add.s(1), add.s(2), add.s(3)), sum.s(), add.s(1))
    const told = await explain(whole)

    expect(told.messages).toEqual({ now: 1, all: 6 })
    expect(told.joins).toBe(1)
    expect([...told.tasks]).toEqual([
      ['add', 5],
      ['sum', 1],
    ])
    expect(told.warnings).toEqual([])
    expect(String(told)).toMatch(
      /^chain\n {2}add\n {2}chord\n {4}header\n {6}add × 3\n {4}body\n {6}chain\n {8}sum\n {8}add\n1 message now \(\d+ bytes\), 6 in all \(\d+ bytes\), the largest of \d+ bytes; joins: 1$/,
    )
    expect(await bench!.waiting()).toBe(0)
    expect(told.bytes.all).toBeGreaterThan(told.bytes.now)
  })

  it('counts what is sent for real', async () => {
    const { add, sum } = await started()
    let messages = 0
    bench!.app.signals.on('afterTaskPublish', () => messages++)
    await bench!.worker.start()
    const whole = chord([chain(add.s(1, 1), add.s(2)), add.s(1, 1)], sum.s())
    const told = await explain(whole)
    await (await whole.delay()).get({ timeout })

    expect(told.messages.all).toBe(messages)
  })

  it('warns of what will not work, or not well', async () => {
    const { add, sum, quiet } = await started({ backend: 'disabled' })
    const unknown = bench!.app.remote<(x: number) => number>('elsewhere')
    const steps = Array.from({ length: 200 }, () => add.s('x'.repeat(500) as unknown as number))
    const long = await explain(chain(add.s(1, 1), ...(steps as [(typeof steps)[0]])))
    const { warnings } = await explain(chord([quiet.s(1), unknown.s(2)], sum.s()))

    expect(warnings).toEqual([
      expect.stringContaining("no task 'elsewhere' is registered here"),
      expect.stringContaining("'quiet' ignores its result"),
      expect.stringContaining('cannot join'),
    ])
    expect(long.warnings.join()).toMatch(/largest message has \d+ bytes.*bytes on average/)
  })
})

describe('saga', () => {
  it('gives what its last step gives', async () => {
    const { add, undo } = await started()
    await bench!.worker.start()
    const both = saga(undoable(add.s(1, 1), undo.si('a')), undoable(add.s(2), undo.si('b')))

    expect(await (await both.delay()).get({ timeout })).toBe(4)
    expect(undone).toEqual([])
  })

  it('undoes what was done, last one first, when a step fails', async () => {
    const { add, boom, undo } = await started()
    await bench!.worker.start()
    const all = saga(
      undoable(add.s(1, 1), undo.si('a')),
      add.s(1),
      undoable(add.s(2), undo.si('b')),
      undoable(boom.s(), undo.si('never')),
      undoable(add.s(2), undo.si('never either')),
    )

    await expect((await all.delay()).get({ timeout })).rejects.toThrow('boom')
    for (let i = 0; i < 100 && undone.length < 2; i++) await new Promise((r) => setTimeout(r, 10))
    expect(undone).toEqual(['b', 'a'])
  })
})
