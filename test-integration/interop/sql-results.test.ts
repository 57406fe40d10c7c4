// Python Celery and we on the same tables of results: whoever makes them, each reads what the other wrote.
import { randomUUID } from 'node:crypto'
import { afterAll, afterEach, beforeAll, expect, it } from '@jest/globals'
import { RemoteError, type Celeriac } from '@celeriac/tasks'
import { quietApp, removeQueues } from '../fixtures/clients.ts'
import { databases, type DatabasePlace } from '../fixtures/databases.ts'
import { PythonClient, PythonWorker, type PyOutcome } from '../fixtures/python.ts'
import { describeWith, startPrivatePostgres, uniqueName, urlOf } from '../services/brokers.ts'

type ResultBackend = Awaited<ReturnType<Celeriac['backend']>>
type ResultRecord = ReturnType<ResultBackend['decode']>

/** What Python sees of a result. */
interface Look {
  readonly state: string
  readonly info: unknown
  readonly infoType: string
  readonly name: string | null
  readonly args: readonly unknown[] | null
  readonly kwargs: object | null
  readonly worker: string | null
  readonly retries: number | null
  readonly queue: string | null
  readonly dateDone: string | null
}

const extended = {
  name: 'shop.pay',
  args: [1, 'é'],
  kwargs: { z: null },
  worker: 'w@h',
  retries: 2,
  queue: 'orders',
}

function record(status: string, result: unknown, more: Partial<ResultRecord> = {}): ResultRecord {
  const dateDone = status === 'STARTED' ? null : '2026-01-02T03:04:05.678901+00:00'
  return {
    taskId: randomUUID(),
    status,
    result,
    traceback: null,
    children: [],
    dateDone,
    ...more,
  }
}

async function store(backend: ResultBackend, one: ResultRecord): Promise<string> {
  await backend.store([{ id: one.taskId, state: one.status, data: backend.encode(one) }])
  return one.taskId
}

type Who = 'we' | 'Python'

const places = [
  ['postgres', 'we', true],
  ['postgres', 'we', false],
  ['postgres', 'Python', true],
  ['postgres', 'Python', false],
  ['mariadb', 'we', true],
  ['mariadb', 'Python', false],
  ['sqlite', 'we', false],
  ['sqlite', 'Python', true],
] as const satisfies readonly (readonly [keyof typeof databases, Who, boolean])[]

for (const [kind, first, isExtended] of places) {
  const needed =
    kind === 'sqlite' ? (['redis', 'python'] as const) : ([kind, 'redis', 'python'] as const)
  const title = `results on ${kind} in tables that ${first} made first, ${isExtended ? '' : 'not '}extended`
  describeWith(needed, title, () => {
    let place: DatabasePlace
    let app: Celeriac
    let backend: ResultBackend
    let python: PythonClient
    let worker: PythonWorker
    let queue: string

    beforeAll(async () => {
      place = await databases[kind]()
      queue = uniqueName('sql-results')
      const { url, schema } = place
      const schemas = schema === undefined ? undefined : { task: schema, group: schema }
      const common = { broker: urlOf('redis'), backend: url, queue }
      const settings = {
        result_extended: isExtended,
        ...(schemas && { database_table_schemas: schemas }),
      }
      app = quietApp({
        broker: common.broker,
        backend: url,
        taskDefaultQueue: queue,
        resultExtended: isExtended,
        ...(schemas && { databaseTableSchemas: schemas }),
      })
      backend = await app.backend()
      if (first === 'we') await backend.open()
      ;[worker, python] = await Promise.all([
        PythonWorker.start({ ...common, settings, pool: 'solo' }),
        PythonClient.start({ ...common, settings }),
      ])
      if (first === 'Python') await look(randomUUID())
    }, 60_000)

    afterAll(async () => {
      await Promise.all([worker?.stop(), python?.stop()])
      await app?.close()
      await removeQueues(urlOf('redis'), [queue])
      await place?.remove()
    })

    const look = (id: string): Promise<Look> => python.call('look', { id })

    it.each([
      ['a mapping', { x: 'é 😀', list: [1, 2.5, null, true], 1: {} }],
      ['a text', 'hello \u2028'],
      ['nothing', null],
      ['a large integer', 2n ** 70n],
    ])('Python reads our success: %s', async (_name, value) => {
      const id = await store(backend, record('SUCCESS', value))

      const seen = await look(id)
      expect(seen).toMatchObject({ state: 'SUCCESS', name: null, args: null, queue: null })
      // Python prints all digits of an integer, of which JSON.parse keeps the first.
      expect(seen.info).toEqual(typeof value === 'bigint' ? Number(value) : value)
      expect(seen.dateDone).toMatch(/^2026-01-02T03:04:05/)
      await python.call<PyOutcome>('get', { id })
    })

    it('Python raises our failure, with its traceback, and sees states that go on', async () => {
      const exception = { exc_type: 'KeyError', exc_message: ['x', 1], exc_module: 'builtins' }
      const traceback = 'Traceback …\nKeyError: x\n'
      const failed = await store(backend, record('FAILURE', exception, { traceback }))
      const running = await store(backend, record('STARTED', { pid: 1, hostname: 'w@h' }))
      const custom = await store(backend, record('PROGRESS', { done: 3 }))

      expect(await python.call('get', { id: failed })).toMatchObject({
        state: 'FAILURE',
        traceback,
        error: { type: 'KeyError', module: 'builtins', args: ['x', 1] },
      })
      expect(await look(running)).toMatchObject({ state: 'STARTED', info: { pid: 1 } })
      expect(await look(custom)).toMatchObject({ state: 'PROGRESS', info: { done: 3 } })
    })

    it('Python reads what resultExtended adds, and we read it back', async () => {
      const id = await store(backend, record('SUCCESS', 1, { extended }))

      expect(backend.decode((await backend.read([id]))[0]!).extended).toEqual(extended)
      // A Python without result_extended does not look there.
      const nothing = { name: null, args: null, worker: null, queue: null }
      expect(await look(id)).toMatchObject(isExtended ? extended : nothing)
    })

    it('we read what Python wrote: values, failures, states', async () => {
      const py = { add: app.remote<(x: number, y: number) => number>('py.add') }
      const echo = app.remote<(value: unknown) => unknown>('py.echo')
      const fail = app.remote<(kind: string, message: string) => number>('py.fail')
      const value = { x: ['é', 1.5, null, { y: [] }] }
      const sum = await py.add.delay(2, 3)

      expect(await sum.get({ timeout: 20 })).toBe(5)
      expect(await (await echo.delay(value)).get({ timeout: 20 })).toEqual(value)
      const failed = await fail.delay('ValueError', 'no')
      const error = await failed.get({ timeout: 20 }).catch((reason: unknown) => reason)
      expect(error).toBeInstanceOf(RemoteError)
      expect(error).toMatchObject({ excType: 'ValueError', excModule: 'builtins', args: ['no'] })
      expect(await failed.traceback()).toContain('ValueError: no')
      const found = await sum.info()
      expect(Math.abs(Date.parse(found!.dateDone!) - Date.now())).toBeLessThan(60_000)
      const { name, args } = found!.extended ?? {}
      expect([name, args]).toEqual(isExtended ? ['py.add', [2, 3]] : [undefined, undefined])
    })

    it('a success of ours stays when we store again, and Python overwrites what is not final', async () => {
      const id = await store(backend, record('STARTED', null))
      await store(backend, record('SUCCESS', 7, { taskId: id }))
      await store(backend, record('FAILURE', 1, { taskId: id }))

      expect(await look(id)).toMatchObject({ state: 'SUCCESS', info: 7 })
      expect(await python.call('forget', { id })).toBe('PENDING')
      expect(await backend.read([id])).toEqual([undefined])
    })

    it('a group that we saved is restored by Python, and the other way round', async () => {
      const ids = await Promise.all([1, 2].map((one) => store(backend, record('SUCCESS', one))))
      const group = uniqueName('group')
      await backend.storeGroup(group, [
        [group, [['before', null], null]],
        ids.map((id) => [[id, [['earlier', null], null]], null] as const),
      ])

      expect(await python.call('group_restored', { id: group })).toEqual({
        values: [1, 2],
        completed: 2,
        ids,
      })

      const add = (x: number) => ({ task: 'py.add', args: [x, 1] })
      const saved = await python.call<string>('group_saved', {
        signature: { group: [add(1), { chain: [add(2), { task: 'py.add', args: [1] }] }] },
        queue,
      })
      const restored = await app.restoreGroup(saved)
      expect(restored?.id).toBe(saved)
      expect(await restored!.get({ timeout: 20 })).toEqual([2, 4])
      expect(restored!.results[1]!.parent).toBeDefined()
      expect(await app.restoreGroup(randomUUID())).toBeUndefined()
    })
  })
}

for (const kind of ['postgres', 'mariadb'] as const) {
  describeWith([kind, 'python'], `tables of results on ${kind}`, () => {
    const cleanups: (() => Promise<unknown>)[] = []
    afterEach(async () => {
      for (const cleanup of cleanups.splice(0).toReversed()) await cleanup()
    })

    async function newPlace() {
      const place = await databases[kind]()
      cleanups.push(() => place.remove())
      const { url, schema } = place
      const schemas = schema === undefined ? undefined : { task: schema, group: schema }
      const python = async () => {
        const settings = { ...(schemas && { database_table_schemas: schemas }) }
        const client = await PythonClient.start({
          broker: 'memory://',
          backend: url,
          queue: 'q',
          settings,
        })
        cleanups.push(() => client.stop())
        return client
      }
      const ours = async () => {
        const app = quietApp({
          broker: 'memory://',
          backend: url,
          ...(schemas && { databaseTableSchemas: schemas }),
        })
        cleanups.push(() => app.close())
        return await app.backend()
      }
      const looks = kind === 'postgres' ? postgresTables(schema!) : mariadbTables
      const tables = async () => {
        const found = []
        for (const sql of looks) found.push(await place.query(sql))
        return found
      }
      return { python, ours, tables }
    }

    const postgresTables = (schema: string) => [
      `SELECT table_name, column_name, data_type, character_maximum_length, is_nullable, column_default
       FROM information_schema.columns WHERE table_schema = '${schema}' ORDER BY 1, ordinal_position`,
      `SELECT indexname, replace(indexdef, '${schema}', '') AS def FROM pg_indexes
       WHERE schemaname = '${schema}' ORDER BY 1`,
      `SELECT sequencename, data_type, start_value, increment_by, cycle FROM pg_sequences
       WHERE schemaname = '${schema}' ORDER BY 1`,
    ]

    // Ours hold more than 64 kB of bytes and of text.
    const mariadbTables = [
      `SELECT table_name, column_name, replace(column_type, 'long', '') AS type, is_nullable,
         column_default, column_key, extra
       FROM information_schema.columns WHERE table_schema = database() ORDER BY 1, ordinal_position`,
      `SELECT table_name, index_name, column_name, non_unique
       FROM information_schema.statistics WHERE table_schema = database() ORDER BY 1, 2`,
    ]

    it('are the same whoever makes them', async () => {
      const [one, other] = [await newPlace(), await newPlace()]
      await (await one.ours()).open()
      await (await other.python()).call('look', { id: 'a' })

      const tables = await one.tables()
      expect(tables[0]!.length).toBeGreaterThanOrEqual(16)
      expect(tables).toEqual(await other.tables())
    })

    it('are made when Python and many of us come first at the same time', async () => {
      const place = await newPlace()
      const python = await place.python()
      const backends = await Promise.all(Array.from({ length: 6 }, () => place.ours()))

      await Promise.all([
        python.call('look', { id: 'a' }),
        ...backends.map(async (backend) => await backend.open()),
      ])

      const ids = await Promise.all(
        backends.map((backend, i) => store(backend, record('SUCCESS', i))),
      )
      const seen = await Promise.all(ids.map((id) => python.call<Look>('look', { id })))
      expect(seen.map(({ info }) => info)).toEqual([0, 1, 2, 3, 4, 5])
    })
  })
}

describeWith(['postgres', 'redis', 'python'], 'results that are pickled altogether', () => {
  it('are read by both: values, arguments, exceptions as objects', async () => {
    const place = await databases.postgres()
    const queue = uniqueName('sql-pickles')
    const schemas = { task: place.schema!, group: place.schema! }
    const common = { broker: urlOf('redis'), backend: place.url, queue }
    const settings = {
      result_serializer: 'pickle',
      accept_content: ['json', 'pickle'],
      result_extended: true,
      database_table_schemas: schemas,
    }
    const [worker, python] = await Promise.all([
      PythonWorker.start({ ...common, settings, pool: 'solo' }),
      PythonClient.start({ ...common, settings }),
    ])
    const app = quietApp({
      broker: common.broker,
      backend: common.backend,
      taskDefaultQueue: queue,
      resultSerializer: 'pickle',
      resultExtended: true,
      databaseTableSchemas: schemas,
    })
    try {
      const fail = app.remote<(kind: string, message: string) => number>('py.fail')
      const echo = app.remote<(value: unknown) => unknown>('py.echo')
      const backend = await app.backend()

      const sent = await echo.delay({ a: [1, 'é'] })
      expect(await sent.get({ timeout: 20 })).toEqual({ a: [1, 'é'] })
      expect((await sent.info())!.extended!.args).toEqual([{ a: [1, 'é'] }])
      for (const [kind, module] of [
        ['KeyError', 'builtins'],
        ['PaymentDeclined', 'pyproj'],
      ] as const) {
        const error = await (
          await fail.delay(kind, 'no')
        )
          .get({ timeout: 20 })
          .catch((reason: unknown) => reason)
        expect(error).toMatchObject({ excType: kind, excModule: module, args: ['no'] })
      }

      const exception = { exc_type: 'KeyError', exc_message: ['x'], exc_module: 'builtins' }
      const id = await store(backend, record('FAILURE', exception, { extended }))
      expect(await python.call('get', { id })).toMatchObject({
        error: { type: 'KeyError', module: 'builtins', args: ['x'] },
      })
      expect(await python.call('look', { id })).toMatchObject(extended)
    } finally {
      await Promise.all([worker.stop(), python.stop()])
      await app.close()
      await removeQueues(common.broker, [queue])
      await place.remove()
    }
  }, 60_000)
})

describeWith(['postgres', 'python'], 'times of results on a PostgreSQL that is not in UTC', () => {
  it('are the same for both', async () => {
    const server = await startPrivatePostgres({ settings: { timezone: 'Asia/Tokyo' } })
    const url = server.url.replace(/^\w+:/, 'db+postgresql+psycopg2:')
    const python = await PythonClient.start({ broker: 'memory://', backend: url, queue: 'q' })
    const app = quietApp({ broker: 'memory://', backend: url })
    try {
      const backend = await app.backend()
      const now = new Date().toISOString()
      const ours = await store(backend, record('SUCCESS', 1, { dateDone: now }))
      const theirs = await python.call<string>('stored', { value: 2 })

      const found = await backend.read([ours, theirs])
      const [one, other] = found.map((data) => Date.parse(backend.decode(data!).dateDone!))
      expect(one).toBe(Date.parse(now))
      expect(Math.abs(other! - one!)).toBeLessThan(30_000)
      const seen = await Promise.all([ours, theirs].map((id) => python.call<Look>('look', { id })))
      const [first, second] = seen.map(({ dateDone }) => Date.parse(`${dateDone!}Z`))
      expect(Math.abs(first! - second!)).toBeLessThan(30_000)
    } finally {
      await python.stop()
      await app.close()
      await server.dispose()
    }
  }, 60_000)
})
