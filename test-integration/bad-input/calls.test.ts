// What a caller does wrong: arguments that cannot be sent, settings and options that do not exist, URLs that
// lead nowhere. Each is said at once, with a stable code and words that help.
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { Connection, silentLogger } from '@celeriac/messaging'
import { createWorker, kw, type AppOptions, type Celeriac } from '@celeriac/tasks'
import { quietApp } from '../fixtures/clients.ts'
import { rawRedis } from '../fixtures/raw-redis.ts'
import {
  describeWith,
  startPrivateRedis,
  urlOf,
  type ControlledServer,
} from '../services/brokers.ts'

const closedPort = 'redis://127.0.0.1:1'

describe('an argument that cannot be sent', () => {
  let app: Celeriac

  beforeAll(() => {
    app = quietApp({ broker: 'memory://calls' })
  })

  afterAll(() => app.close())

  const circle: { name: string; self?: unknown } = { name: 'circle' }
  circle.self = circle

  const hopeless: readonly (readonly [string, unknown[], RegExp])[] = [
    ['a function', [1, { on: { done: () => 1 } }], /\[1\]\.on\.done/],
    ['a circle', [{ list: [circle] }], /\[0\]\.list\[0\]\.self/],
    ['a symbol', [Symbol('s')], /\[0\]/],
    ['a class of its own', [[new URLSearchParams('a=1')]], /\[0\]\[0\]/],
    ['an invalid date', [{ at: new Date(NaN) }], /\[0\]\.at/],
    ['undefined in a list', [[1, undefined]], /\[1\]/],
    ['a keyword argument', [kw({ callback: () => 1 })], /callback/],
  ]

  it.each(hopeless)('as %s rejects with the path to it', async (_name, args, path) => {
    const task = app.remote<(...args: unknown[]) => void>('calls.any')

    const failure = task.delay(...args)

    await expect(failure).rejects.toMatchObject({
      code: 'TASKS_ARGUMENTS_INVALID',
      message: expect.stringMatching(path),
    })
    await expect(failure).rejects.toThrow(/calls\.any/)
  })

  it.each([
    ['a countdown of text', { countdown: 'soon' }],
    ['an eta that is no date', { eta: new Date(NaN) }],
    ['an expires that is no time', { expires: 'never' }],
    ['a serializer nobody has', { serializer: 'jsn' }],
    ['a compression nobody has', { compression: 'gzp' }],
  ])('with %s rejects before anything is sent', async (_name, options) => {
    const task = app.remote<(x: number) => void>('calls.any')

    await expect(task.applyAsync([1], options as never)).rejects.toMatchObject({
      code: 'TASKS_ARGUMENTS_INVALID',
    })
  })
})

describe('a setting or an option that does not exist', () => {
  it.each<[Record<string, unknown>, RegExp]>([
    [{ taskDefaultQeue: 'x' }, /taskDefaultQeue.*Did you mean.*taskDefaultQueue/],
    [{ task_default_qeue: 'x' }, /task_default_qeue.*Did you mean/],
    [{ resultExpire: 1 }, /Did you mean.*resultExpires/],
  ])('%j is refused with a suggestion', (settings, words) => {
    const make = () => quietApp({ broker: 'memory://', ...settings } as AppOptions)

    expect(make).toThrow(expect.objectContaining({ code: 'TASKS_CONFIG_UNKNOWN' }))
    expect(make).toThrow(words)
  })

  it.each<[Record<string, unknown>, RegExp]>([
    [{ taskDefaultQueue: 7 }, /taskDefaultQueue.*7/],
    [{ workerConcurrency: 0 }, /workerConcurrency/],
    [{ resultExpires: 'a day' }, /resultExpires.*a day/],
  ])('%j is refused with what was expected', (settings, words) => {
    const make = () => quietApp({ broker: 'memory://', ...settings } as AppOptions)

    expect(make).toThrow(expect.objectContaining({ code: 'TASKS_CONFIG_INVALID' }))
    expect(make).toThrow(words)
  })

  it('of a task is refused with a suggestion', () => {
    const app = quietApp({ broker: 'memory://' })

    const make = () => app.task('calls.x', { maxRetrys: 3 } as never, () => 1)

    expect(make).toThrow(expect.objectContaining({ code: 'TASKS_ARGUMENTS_INVALID' }))
    expect(make).toThrow(/maxRetrys.*Did you mean.*maxRetries/)
  })

  it('of a connection is refused with a suggestion', () => {
    const make = () => new Connection('memory://', { hartbeat: 1 } as never)

    expect(make).toThrow(expect.objectContaining({ code: 'MESSAGING_OPTION_INVALID' }))
    expect(make).toThrow(/hartbeat.*Did you mean.*heartbeat/)
  })

  it('as a pool is refused with a suggestion', async () => {
    await using app = quietApp({ broker: 'memory://' })

    await expect(createWorker(app, { pool: 'proceses' })).rejects.toMatchObject({
      code: 'TASKS_POOL_FAILED',
      message: expect.stringMatching(/proceses.*Did you mean.*processes/),
    })
  })
})

describe('a broker URL that leads nowhere', () => {
  /** Both ways in: connecting, and sending without having connected. */
  async function failures(broker: string) {
    const connection = new Connection(broker, { connectTimeout: 2, ambient: { log: silentLogger } })
    const connecting = connection.connect().then(
      () => undefined,
      (error: unknown) => error,
    )
    await using app = quietApp({ broker, publishTimeout: 1 })
    const sending = app.sendTask('calls.any').then(
      () => undefined,
      (error: unknown) => error,
    )
    const found = { connecting: await connecting, sending: await sending }
    await connection.close()
    return found
  }

  it.each([
    ['reddis://localhost', /reddis.*Did you mean.*redis/],
    ['localhost:6379', /localhost/],
    ['redis://localhost:port', /./],
    ['', /./],
  ])('%j is refused when it is written', (url, words) => {
    const make = () => new Connection(url)

    expect(make).toThrow(expect.objectContaining({ code: 'MESSAGING_URL_INVALID' }))
    expect(make).toThrow(words)
  })

  it.each([closedPort, 'amqp://127.0.0.1:1'])('%s rejects: nobody listens there', async (url) => {
    const { connecting, sending } = await failures(url)

    expect(connecting).toMatchObject({
      code: 'MESSAGING_CONNECT_FAILED',
      fault: 'connection',
      message: expect.stringContaining('127.0.0.1:1'),
    })
    expect(sending).toMatchObject({
      code: 'TASKS_SEND_FAILED',
      cause: { code: expect.stringMatching(/^MESSAGING_/) },
    })
  })

  describeWith('redis', 'on Redis', () => {
    let server: ControlledServer

    beforeAll(async () => {
      server = await startPrivateRedis()
    })

    afterAll(() => server?.dispose())

    it('a database that is not there is named', async () => {
      const { connecting, sending } = await failures(`${server.url}/4711`)

      expect(connecting).toMatchObject({ code: 'MESSAGING_URL_INVALID', fault: 'fatal' })
      expect(sending).toMatchObject({ cause: { code: 'MESSAGING_URL_INVALID' } })
    })

    it('a missing or wrong password is told so, and never shown', async () => {
      const redis = await rawRedis(server.url)
      await redis.config('SET', 'requirepass', 'right-word')
      const wrong = server.url.replace('redis://', 'redis://:s3cret-word@')

      try {
        for (const url of [server.url, wrong]) {
          const { connecting, sending } = await failures(url)
          expect(connecting).toMatchObject({
            code: 'MESSAGING_AUTHENTICATION_FAILED',
            fault: 'fatal',
            message: expect.not.stringContaining('s3cret-word'),
          })
          expect(sending).toMatchObject({ cause: { code: 'MESSAGING_AUTHENTICATION_FAILED' } })
        }
        const right = await failures(server.url.replace('redis://', 'redis://:right-word@'))
        expect(right).toEqual({ connecting: undefined, sending: undefined })
      } finally {
        await redis.config('SET', 'requirepass', '')
        redis.disconnect()
      }
    })

    it('a database that is no number is named', async () => {
      const { connecting } = await failures(`${server.url}/orders`)

      expect(connecting).toMatchObject({
        code: 'MESSAGING_URL_INVALID',
        message: expect.stringContaining('orders'),
      })
    })
  })

  describeWith('rabbitmq', 'on RabbitMQ', () => {
    it('a wrong user is told so, and never shows the password', async () => {
      const url = new URL(urlOf('rabbitmq'))
      url.username = 'nobody'
      url.password = 's3cret-word'

      const { connecting, sending } = await failures(url.href)

      expect(connecting).toMatchObject({ code: 'MESSAGING_AUTHENTICATION_FAILED', fault: 'fatal' })
      expect(String((connecting as Error).message)).not.toContain('s3cret-word')
      expect(sending).toMatchObject({ cause: { code: 'MESSAGING_AUTHENTICATION_FAILED' } })
    })

    it('a virtual host that is not there is named', async () => {
      const { connecting } = await failures(`${urlOf('rabbitmq').replace(/\/$/, '')}/no-such-vhost`)

      expect(connecting).toMatchObject({
        code: expect.stringMatching(/^MESSAGING_/),
        fault: 'fatal',
        message: expect.stringContaining('no-such-vhost'),
      })
    })
  })
})
