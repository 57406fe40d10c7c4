/** What a task marks as secret is in no header, log, event, extended result or text of an error. */
import { afterEach, expect, it } from '@jest/globals'
import { chord, type AppOptions, type Celeriac, type TaskOptions } from '@celeriac/tasks'
import { setup, type Bench } from './setup.ts'

let bench: Bench | undefined
afterEach(async () => {
  await bench?.end()
  bench = undefined
})

const secret = 'hunter2'
const timeout = 8
const redact = { args: true, result: true } as const

/** A schema that quotes what it was given, as some libraries do. */
const quoting = {
  '~standard': {
    version: 1,
    vendor: 'test',
    validate: (value: unknown) => ({
      issues: [{ message: `found ${JSON.stringify(value)}`, path: [0] }],
    }),
  },
} as const

async function watched(options: { joins?: 'poll'; settings?: AppOptions } = {}) {
  const seen: string[] = []
  bench = await setup(() => undefined, {
    resultExtended: true,
    resultChordRetryInterval: 0.05,
    ...options.settings,
  })
  const { app, worker } = bench
  app.signals.on('beforeTaskPublish', ({ headers }) => seen.push(JSON.stringify(headers)))
  worker.signals.on('taskEnded', ({ report }) => seen.push(JSON.stringify(report)))
  worker.signals.on('messageParked', (parked) => seen.push(JSON.stringify(parked)))
  const backend = await app.backend()
  const store = backend.store.bind(backend)
  Object.assign(backend, {
    store: async (results: Parameters<typeof store>[0]) => {
      for (const { data } of results) {
        const { args, kwargs, name } = JSON.parse(data as string) as Record<string, unknown>
        seen.push(JSON.stringify([name, args, kwargs]))
      }
      return await store(results)
    },
  })
  if (options.joins) Object.assign(backend.capabilities, { joins: options.joins })
  await worker.start()
  return { app, shown: () => seen.filter((text) => text.includes(secret)) }
}

const login = (app: Celeriac, options: TaskOptions = {}) =>
  app.task('login', { redact, ...options }, (password: string) => password.length)

it('hides the items of tasks that are mapped', async () => {
  const { app, shown } = await watched()
  const task = login(app)
  const mapped = await task.map([secret]).delay()
  const chunked = await task.chunks([[secret], [secret]], 1).delay()

  expect([await mapped.get({ timeout }), await chunked.get({ timeout })]).toEqual([[7], [[7], [7]]])
  expect(shown()).toEqual([])
})

it('hides the arguments of a body that waits for its chord', async () => {
  const { app, shown } = await watched({ joins: 'poll' })
  const one = app.task('one', () => 1)
  const task = login(app)
  const result = await chord([one.s()], task.si(secret)).delay()

  expect(await result.get({ timeout })).toBe(7)
  expect(shown()).toEqual([])
})

it('hides what the texts of a schema quote', async () => {
  const { app, shown } = await watched()
  const task = login(app, { args: quoting as never })
  const refused = await task.delay(secret).catch((error: Error) => error.message)
  const sent = await app.sendTask('login', [secret])

  expect(refused).toBe('login refuses its arguments: 0: is not what it should be')
  await expect(sent.get({ timeout })).rejects.toThrow('0: is not what it should be')
  expect(shown()).toEqual([])
})

it('keeps what is said of a task that lives elsewhere: its secrets, its queue', async () => {
  const { app, shown } = await watched()
  const queues: string[] = []
  app.signals.on('afterTaskPublish', ({ routingKey }) => queues.push(routingKey))
  const remote = app.remote<(password: string) => number>('elsewhere', {
    redact,
    params: ['password'],
    queue: 'far',
  })
  await remote.delay(secret)

  expect(shown()).toEqual([])
  expect(queues).toEqual(['far'])
  expect(() => app.remote('other', { unique: {} })).toThrow('cannot be unique')
})

it('hides what settings mark as secret', async () => {
  const settings = { taskAnnotations: { plain: { redact: { args: true } } } }
  const { app, shown } = await watched({ settings })
  const plain = app.task('plain', (_password: string) => 1)

  expect(await (await plain.delay(secret)).get({ timeout })).toBe(1)
  expect(shown()).toEqual([])
  expect(() => app.registry.annotate({ plain: { unique: {} } })).toThrow('cannot make')
})
