/** What a task can be declared with and can do with itself, on a worker with an in-process broker. */
import { afterEach, describe, expect, it } from '@jest/globals'
import { type } from 'arktype'
import * as v from 'valibot'
import { z } from 'zod'
import {
  chain,
  chord,
  currentTask,
  group,
  kw,
  RemoteError,
  TasksError,
  type AsyncResult,
  type Celeriac,
  type Kw,
  type TaskContext,
} from '@celeriac/tasks'
import { setup, type Bench } from './setup.ts'

let bench: Bench | undefined
afterEach(async () => {
  await bench?.end()
  bench = undefined
})

const timeout = 5

async function started<T>(
  define: (app: Celeriac) => T,
  options: Parameters<typeof setup>[1] = {},
): Promise<T> {
  let made!: T
  bench = await setup((app) => void (made = define(app)), options)
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

describe('hooks of a task', () => {
  it('are called around success, retry and failure, with the context', async () => {
    const told: unknown[] = []
    const tell = (what: string) =>
      function (this: TaskContext, value: unknown): void {
        told.push([what, value instanceof Error ? value.message : value, this.request.retries])
      }
    const { good, shaky } = await started((app) => {
      const hooks = {
        before: function (this: TaskContext) {
          told.push(['before', currentTask()?.request.id === this.request.id, this.request.retries])
        },
        onSuccess: tell('onSuccess'),
        onRetry: tell('onRetry'),
        onFailure: tell('onFailure'),
        after: function (this: TaskContext, { state }: { state: string }) {
          told.push(['after', state, this.request.retries])
        },
      }
      return {
        good: app.task('good', hooks, (x: number) => x + 1),
        shaky: app.task('shaky', { ...hooks, maxRetries: 1 }, function (): number {
          throw this.retry({ countdown: 0, cause: new Error('not yet') })
        }),
      }
    })

    expect(await (await good.delay(1)).get({ timeout })).toBe(2)
    await until(() => told.length === 3)
    expect(told.splice(0)).toEqual([
      ['before', true, 0],
      ['onSuccess', 2, 0],
      ['after', 'SUCCESS', 0],
    ])

    await expect((await shaky.delay()).get({ timeout })).rejects.toThrow('not yet')
    await until(() => told.length === 6)
    // The next attempt may begin while the hooks of this one still run.
    const of = (attempt: number) => told.filter((one) => (one as unknown[]).at(-1) === attempt)
    expect(of(0)).toEqual([
      ['before', true, 0],
      ['onRetry', 'not yet', 0],
      ['after', 'RETRY', 0],
    ])
    expect(of(1)).toEqual([
      ['before', true, 1],
      ['onFailure', 'not yet', 1],
      ['after', 'FAILURE', 1],
    ])
  })

  it('that throw fail the task before it, and harm nothing after it', async () => {
    const { early, late } = await started((app) => ({
      early: app.task(
        'early',
        {
          before: () => {
            throw new RangeError('not today')
          },
        },
        () => 1,
      ),
      late: app.task(
        'late',
        {
          onSuccess: () => {
            throw new Error('too late')
          },
        },
        () => 1,
      ),
    }))

    await expect((await early.delay()).get({ timeout })).rejects.toThrow('not today')
    expect(await (await late.delay()).get({ timeout })).toBe(1)
  })
})

describe('schemas', () => {
  it.each([
    ['zod', z.tuple([z.number(), z.string().transform((text) => text.length)])],
    [
      'valibot',
      v.tuple([
        v.number(),
        v.pipe(
          v.string(),
          v.transform((text) => text.length),
        ),
      ]),
    ],
    ['arktype', type(['number', type('string').pipe((text) => text.length)])],
  ] as const)(
    'of %s check arguments on both sides, and what they make is used',
    async (_, args) => {
      const { task, app } = await started((app) => ({
        app,
        task: app.task(
          'checked',
          { args: args as z.ZodType<[number, number], [number, string]> },
          (n, length) => n + length,
        ),
      }))

      expect(await (await task.delay(1, 'four')).get({ timeout })).toBe(5)
      await expect(task.delay(1, 2 as never)).rejects.toMatchObject({
        code: 'TASKS_ARGUMENTS_INVALID',
        message: expect.stringMatching(/^checked refuses its arguments: 1/),
      })

      // A caller that checks nothing, such as one in Python.
      const sent = await app.sendTask('checked', ['x', 'four'])
      await expect(sent.get({ timeout })).rejects.toMatchObject({ excType: 'InvalidTaskError' })
      let parked: Awaited<ReturnType<Bench['parked']>> = []
      for (let i = 0; i < 100 && parked.length === 0; i++) {
        await new Promise((resolve) => setTimeout(resolve, 10))
        parked = await bench!.parked()
      }
      expect(parked[0]!.message.headers).toMatchObject({ 'x-parked-reason': 'invalid-arguments' })
    },
  )

  it('check what a task gives', async () => {
    const { task } = await started((app) => ({
      task: app.task('gives', { result: z.number() }, (x: unknown) => x as number),
    }))

    expect(await (await task.delay(1)).get({ timeout })).toBe(1)
    await expect((await task.delay('x')).get({ timeout })).rejects.toThrow(/gave what it must not/)
  })
})

describe('calls', () => {
  it('are refused where they are made when they cannot work', async () => {
    const { add, scaled, loose } = await started((app) => ({
      add: app.task('add', { typing: true }, (x: number, y: number) => x + y),
      scaled: app.task('scaled', (x: number, o: Kw<{ unit: string }>) => `${x}${o?.unit}`),
      loose: app.task('loose', { typing: false }, (x: number) => x),
    }))
    const untyped = (task: { readonly delay: unknown }) =>
      task.delay as (...args: unknown[]) => Promise<AsyncResult>
    const refused = { code: 'TASKS_ARGUMENTS_INVALID' }

    await expect(untyped(add)(1, 2, 3)).rejects.toMatchObject(refused)
    await expect(untyped(add)(1)).rejects.toThrow('add(x, y): y is missing')
    expect(await (await add.applyAsync([1, 2])).get({ timeout })).toBe(3)
    expect(await (await scaled.delay(1, kw({ unit: 'm' }))).get({ timeout })).toBe('1m')
    expect(await (await untyped(loose)(1, 2, 3)).get({ timeout })).toBe(1)
  })

  it('leave many at once, in order', async () => {
    const { add } = await started((app) => ({
      add: app.task('add', (x: number, y: number) => x + y),
    }))

    const results = await add.applyAsyncMany(
      Array.from({ length: 300 }, (_, i) => [i, 1] as [number, number]),
    )

    expect(await Promise.all(results.map((result) => result.get({ timeout })))).toEqual(
      Array.from({ length: 300 }, (_, i) => i + 1),
    )
    expect(await add.applyAsyncMany([])).toEqual([])
  })

  it('hide what is marked as secret in headers and logs, and give it to the task', async () => {
    const sent: Record<string, unknown>[] = []
    const reports: string[] = []
    const { login } = await started((app) => {
      app.signals.on('beforeTaskPublish', ({ headers }) => sent.push(headers))
      app.signals.on('taskPostrun', ({ report }) => reports.push(report.summary))
      return {
        login: app.task(
          'login',
          { redact: { args: ['word'], result: true } },
          (user: string, word: string) => `${user}:${word}`,
        ),
      }
    })

    expect(await (await login.delay('ann', 'tulip')).get({ timeout })).toBe('ann:tulip')
    await until(() => reports.length === 1)

    expect(sent[0]).toMatchObject({ argsrepr: "('ann', '***')" })
    expect(reports[0]).toBe("'***'")
    expect(JSON.stringify([sent, reports])).not.toContain('tulip')
  })

  it('carry what a listener adds to their headers', async () => {
    const { seen } = await started((app) => {
      app.signals.on('beforeTaskPublish', ({ headers }) => (headers['tenant'] = 'blue'))
      return {
        seen: app.task('seen', function () {
          return this.request.headers['tenant']
        }),
      }
    })

    expect(await (await seen.delay()).get({ timeout })).toBe('blue')
  })
})

describe('a running task', () => {
  it('knows its request', async () => {
    const { ask } = await started(
      (app) => ({
        ask: app.task('ask', function (_x: number) {
          const { properties: _, ...request } = this.request
          return JSON.parse(JSON.stringify(request)) as Record<string, unknown>
        }),
      }),
      { resultExtended: true },
    )
    const options = { shadow: 'asked', priority: 3, headers: { own: 'x' }, timeLimit: 9 }
    const result = await ask.applyAsync([1], { ...options, rootId: 'the-root', parentId: 'above' })

    expect(await result.get({ timeout })).toMatchObject({
      id: result.id,
      task: 'ask',
      args: [1],
      lang: 'js',
      shadow: 'asked',
      priority: 3,
      rootId: 'the-root',
      parentId: 'above',
      headers: { own: 'x' },
      timeLimit: [9, null],
      argsRepr: '(1,)',
      isEager: false,
      calledDirectly: false,
      chain: null,
      chord: null,
    })
  })

  it('is replaced by a task, a chain, a group or a chord, wherever it stands', async () => {
    const { outer, add, sum, list } = await started((app) => {
      const add = app.task('add', (x: number, y: number) => x + y)
      const sum = app.task('sum', (xs: readonly number[]) => xs.reduce((a, b) => a + b, 0))
      const list = app.task('list', (...all: unknown[]) => all)
      const outer = app.task('outer', function (n: number, how: string): number {
        const parts = {
          task: add.s(n, 1),
          chain: chain(add.s(n, 1), add.s(10)),
          group: group(add.s(n, 1), add.s(n, 2)),
          chord: chord([add.s(n, 1), add.s(n, 2)], sum.s()),
        }
        throw this.replace(parts[how as keyof typeof parts])
      })
      return { outer, add, sum, list }
    })

    const alone = await outer.delay(1, 'task')
    expect(await alone.get({ timeout })).toBe(2)
    expect(await (await outer.delay(1, 'chain')).get({ timeout })).toBe(12)
    expect(await (await outer.delay(1, 'group')).get({ timeout })).toEqual([2, 3])
    expect(await (await outer.delay(1, 'chord')).get({ timeout })).toBe(5)
    expect(await (await chain(outer.s(1, 'chain'), add.s(100)).delay()).get({ timeout })).toBe(112)
    expect(
      await (await chain(outer.s(1, 'group'), list.s('end')).delay()).get({ timeout }),
    ).toEqual([[2, 3], 'end'])
    const header = [outer.s(1, 'task'), outer.s(2, 'chain'), outer.s(3, 'chord'), add.s(0, 0)]
    expect(await (await chord(header, sum.s()).delay()).get({ timeout })).toBe(2 + 13 + 9 + 0)
  })

  it('adds members to the chord it is a part of', async () => {
    const { grow, sum } = await started((app) => {
      const leaf = app.task('leaf', (n: number) => n)
      const sum = app.task('sum', (xs: readonly number[]) => xs.reduce((a, b) => a + b, 0))
      const grow = app.task('grow', async function (n: number) {
        await this.addToChord(leaf.s(100 * n))
        return n
      })
      return { grow, sum }
    })

    expect(await (await chord([grow.s(1), grow.s(2)], sum.s()).delay()).get({ timeout })).toBe(303)
    await expect((await grow.delay(1)).get({ timeout })).rejects.toThrow(/not in the header/)
  })

  it('sends events about itself', async () => {
    const { busy } = await started((app) => ({
      busy: app.task('busy', async function () {
        await this.sendEvent('task-progress', { done: 3 })
        return this.request.id
      }),
    }))
    const channel = await bench!.connection.channel()
    await channel.declareExchange({
      name: 'celeryev',
      type: 'topic',
      durable: true,
      autoDelete: false,
      arguments: {},
    } as never)
    await channel.declareQueue({
      name: 'watch',
      durable: false,
      exclusive: false,
      autoDelete: false,
      arguments: {},
      bindings: [],
    } as never)
    await channel.bind({
      exchange: 'celeryev',
      routingKey: 'task.#',
      queue: 'watch',
      arguments: {},
    } as never)
    const id = await (await busy.delay()).get({ timeout })

    const told = await channel.get('watch', { noAck: true })

    expect(JSON.parse(Buffer.from(told!.message.body).toString())).toMatchObject({
      type: 'task-progress',
      uuid: id,
      done: 3,
      hostname: bench!.worker.hostname,
    })
  })

  it('hands its priority down where the setting says so', async () => {
    const { outer } = await started(
      (app) => {
        const inner = app.task('inner', function () {
          return this.request.priority ?? null
        })
        return {
          outer: app.task('outer', async () => {
            const own = await inner.applyAsync([], { priority: 1 })
            return [(await inner.delay()).id, own.id]
          }),
        }
      },
      { taskInheritParentPriority: true },
    )
    const ids = await (await outer.applyAsync([], { priority: 7 })).get({ timeout })
    const found = await Promise.all(
      ids.map(async (id) => await (await bench!.app.result(id)).get({ timeout })),
    )

    expect(found).toEqual([7, 1])
  })

  it('keeps no children without a trail', async () => {
    const { quiet } = await started((app) => {
      const inner = app.task('inner', () => 1)
      return {
        quiet: app.task('quiet', { trail: false }, async () => void (await inner.delay())),
      }
    })
    const result = await quiet.delay()
    await result.get({ timeout })

    expect(await result.children()).toEqual([])
  })

  it('ends in its error when it is called directly and wants to retry', async () => {
    const { again } = await started((app) => ({
      again: app.task('again', function (): number {
        throw this.retry({ cause: new RangeError('direct') })
      }),
    }))

    expect(() => again()).toThrow(new RangeError('direct'))
    await expect((async () => await again.app.result('x'))()).resolves.toBeDefined()
  })

  it('fails as its own error does, and not as a TasksError', async () => {
    const { bad } = await started((app) => ({
      bad: app.task('bad', (): number => {
        throw new RangeError('no')
      }),
    }))
    const error: unknown = await (await bad.delay()).get({ timeout }).catch((one: unknown) => one)

    expect(error).toBeInstanceOf(RemoteError)
    expect(TasksError.is(error)).toBe(false)
  })
})
