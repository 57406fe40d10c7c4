/** At most one task of a kind, in every mode. */
import { afterEach, describe, expect, it } from '@jest/globals'
import { group, type Celeriac, type UniqueOptions } from '@celeriac/tasks'
import { setup, type Bench } from './setup.ts'

let bench: Bench | undefined
afterEach(async () => {
  await bench?.end()
  bench = undefined
})

const timeout = 10
const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

/** A task that notes its argument, and takes as long as it is told. */
async function made(unique: UniqueOptions, ms = 0) {
  const ran: number[] = []
  const whos = new Set<string>()
  let running = 0
  let most = 0
  const define = (app: Celeriac) =>
    app.task('once', { unique: { key: ['who'], ...unique } }, async (who: string, n: number) => {
      whos.add(who)
      most = Math.max(most, ++running)
      ran.push(n)
      await pause(ms)
      running--
      return n
    })
  let once!: ReturnType<typeof define>
  bench = await setup((app) => void (once = define(app)))
  return { once, ran, most: () => most }
}

const settle = (sends: readonly Promise<{ id: string }>[]) =>
  Promise.all(
    sends.map((send) =>
      send.then(
        ({ id }) => id,
        (error: Error & { code: string }) => error.code,
      ),
    ),
  )

describe('unique tasks', () => {
  it('reject: others are refused until it has ended, those of other keys are not', async () => {
    const { once, ran } = await made({ mode: 'reject' })
    const answers = await settle(Array.from({ length: 50 }, (_, i) => once.delay('ann', i)))
    const other = await once.delay('bob', 1)

    expect(answers.filter((one) => one === 'TASKS_DUPLICATE')).toHaveLength(49)
    await bench!.worker.start()
    expect(await other.get({ timeout })).toBe(1)
    const first = answers.find((one) => one !== 'TASKS_DUPLICATE')!
    await (await bench!.app.result(first)).get({ timeout })
    await pause(20)

    expect(await (await once.delay('ann', 99)).get({ timeout })).toBe(99)
    expect(ran.toSorted((a, b) => a - b)).toEqual([0, 1, 99])
  })

  it('reject: tells who has the key, and a workflow gives back what it had taken', async () => {
    const { once } = await made({ mode: 'reject' })
    const { id } = await once.delay('ann', 1)

    await expect(once.delay('ann', 2)).rejects.toMatchObject({
      code: 'TASKS_DUPLICATE',
      holder: id,
    })
    await expect(group(once.s('new', 1), once.s('ann', 3)).delay()).rejects.toMatchObject({
      holder: id,
    })
    await expect(once.delay('new', 1)).resolves.toBeDefined()
  })

  it('throttle: one in a time; the others get its handle', async () => {
    const { once, ran } = await made({ mode: 'throttle', for: 0.3 })
    await bench!.worker.start()
    const answers = await settle(Array.from({ length: 50 }, (_, i) => once.delay('ann', i)))

    expect(new Set(answers).size).toBe(1)
    await pause(350)
    await (await once.delay('ann', 77)).get({ timeout })
    expect(ran).toEqual([0, 77])
  })

  it('debounce: the last of a burst, when it is over', async () => {
    const { once, ran } = await made({ mode: 'debounce', for: 0.2 })
    await bench!.worker.start()
    const results = []
    for (let i = 0; i < 20; i++) results.push(await once.delay('ann', i))

    expect(ran).toEqual([])
    expect(await results.at(-1)!.get({ timeout })).toBe(19)
    await expect(results[0]!.get({ timeout })).rejects.toMatchObject({ reason: 'superseded' })
    expect(ran).toEqual([19])
  })

  it('replace: the newest of those that wait', async () => {
    const { once, ran } = await made({ mode: 'replace' })
    const results = []
    for (let i = 0; i < 20; i++) results.push(await once.delay('ann', i))
    await bench!.worker.start()

    expect(await results.at(-1)!.get({ timeout })).toBe(19)
    await expect(results[0]!.get({ timeout })).rejects.toMatchObject({ code: 'TASKS_REVOKED' })
    expect(ran).toEqual([19])
  })

  it('keep-last: one runs, the newest waits and is the last', async () => {
    const { once, ran, most } = await made({ mode: 'keep-last' }, 100)
    await bench!.worker.start()
    const first = await once.delay('ann', 0)
    await pause(30)
    const rest = []
    for (let i = 1; i <= 20; i++) rest.push(await once.delay('ann', i))

    expect(await rest.at(-1)!.get({ timeout })).toBe(20)
    expect(await first.get({ timeout })).toBe(0)
    expect(ran[0]).toBe(0)
    expect(ran.at(-1)).toBe(20)
    expect(most()).toBe(1)
  })

  it('keep their key over retries', async () => {
    let runs = 0
    let shaky!: ReturnType<typeof define>
    const define = (app: Celeriac) =>
      app.task('shaky', { unique: {}, maxRetries: 5 }, function () {
        if (++runs < 3) throw this.retry({ countdown: 0.05 })
        return runs
      })
    bench = await setup((app) => void (shaky = define(app)))
    await bench.worker.start()
    const result = await shaky.delay()
    await pause(20)

    await expect(shaky.delay()).rejects.toMatchObject({ code: 'TASKS_DUPLICATE' })
    expect(await result.get({ timeout })).toBe(3)
    await pause(20)
    await expect(shaky.delay()).resolves.toBeDefined()
  })

  it('are refused where the store cannot keep keys, and windows must be given', async () => {
    let once!: ReturnType<typeof define>
    const define = (app: Celeriac) => app.task('once', { unique: {} }, () => 1)
    bench = await setup((app) => void (once = define(app)), { backend: 'disabled' })

    await expect(once.delay()).rejects.toMatchObject({ code: 'TASKS_NOT_SUPPORTED' })
    expect(() => bench!.app.task('bad', { unique: { mode: 'throttle' } }, () => 1)).toThrow(
      /number of seconds above 0/,
    )
    expect(() => bench!.app.task('bad', { unique: { key: ['y'] } }, (x: number) => x)).toThrow(
      /unique by 'y', but its parameters are \(x\)/,
    )
  })
})
