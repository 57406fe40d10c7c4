/** What every result backend must do, as a suite that any test runner can drive. */
import assert from 'node:assert/strict'
import type { Runner } from '@celeriac/messaging/testing'
import type { ResultBackend } from '../../backend/backend.ts'
import type { ResultRecord } from '../../backend/result-record.ts'
import { TasksError } from '../../kernel/errors.ts'
import { countdownTests } from './countdown.ts'
import { read, record, stored, withBackend, type BackendHarness } from './harness.ts'

export {
  backendOptions,
  counting,
  jsonResults,
  type BackendHarness,
  type OpenOptions,
} from './harness.ts'

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

export function backendSuite(runner: Runner, harness: BackendHarness): void {
  runner.describe(`result backend: ${harness.name}`, () => {
    storeTests(runner, harness)
    codecTests(runner, harness)
    expiryTests(runner, harness)
    subscribeTests(runner, harness)
    groupTests(runner, harness)
    countdownTests(runner, harness)
  })
}

type Put = (backend: ResultBackend, ...records: ResultRecord[]) => Promise<void>

const putter =
  (harness: BackendHarness): Put =>
  (backend, ...records) =>
    backend.store(records.map((one) => stored(backend, harness, one)))

function storeTests({ it }: Runner, harness: BackendHarness): void {
  const put = putter(harness)
  const test = (name: string, body: (backend: ResultBackend) => Promise<void>): void => {
    it(name, withBackend(harness, body))
  }

  test('reads what was stored, and nothing for an unknown id', async (backend) => {
    const [a, b, unknown] = [harness.unique(), harness.unique(), harness.unique()]
    await put(
      backend,
      record(a, 'SUCCESS', { x: 'é', list: [1, 2.5, null] }),
      record(b, 'FAILURE', 1),
    )

    assert.deepEqual(await read(backend, [b, unknown, a]), [
      ['FAILURE', 1],
      undefined,
      ['SUCCESS', { x: 'é', list: [1, 2.5, null] }],
    ])
  })

  test('keeps every field it has a place for', async (backend) => {
    const id = harness.unique()
    const exception = { exc_type: 'KeyError', exc_message: ['x'], exc_module: 'builtins' }
    const full = record(id, 'FAILURE', exception, {
      traceback: 'Traceback …\nKeyError: x\n',
      children: [[['child', null], null]],
      dateDone: '2026-01-02T03:04:05.678901+00:00',
      groupId: 'the-group',
      parentId: 'the-parent',
      extended: {
        name: 'proj.add',
        args: [1, 'é'],
        kwargs: { z: null },
        worker: 'w@h',
        retries: 2,
        queue: 'celery',
      },
    })
    await put(backend, full)

    const [data] = await backend.read([id])
    const found = backend.decode(data!)

    const expected: Record<string, unknown> = { ...full }
    const actual: Record<string, unknown> = { ...found }
    for (const field of harness.lacks ?? []) {
      delete expected[field]
      delete actual[field]
    }
    // How exact the time is and how its zone is written is the store's.
    delete expected['dateDone']
    delete actual['dateDone']
    assert.deepEqual(actual, expected)
    assert.match(String(found.dateDone), /^2026-01-02T03:04:05/)
  })

  test('replaces a record by a later one, in the order of the batch', async (backend) => {
    const id = harness.unique()
    await put(backend, record(id, 'STARTED'), record(id, 'RETRY'))
    await put(backend, record(id, 'FAILURE', 7))

    assert.deepEqual(await read(backend, [id]), [['FAILURE', 7]])
  })

  test('never replaces a success', async (backend) => {
    const id = harness.unique()
    await put(backend, record(id, 'SUCCESS', 1), record(id, 'FAILURE', 2))
    await put(backend, record(id, 'RETRY', 3))

    assert.deepEqual(await read(backend, [id]), [['SUCCESS', 1]])
  })

  test('forgets, also what it never knew', async (backend) => {
    const id = harness.unique()
    await put(backend, record(id, 'SUCCESS'))

    await backend.forget([id, harness.unique()])
    await backend.forget([])

    assert.deepEqual(await read(backend, [id]), [undefined])
  })

  test('stores many at once', async (backend) => {
    const ids = Array.from({ length: 1500 }, () => harness.unique())
    await put(backend, ...ids.map((id, i) => record(id, 'SUCCESS', i)))

    const found = await read(backend, ids)

    assert.deepEqual(
      found,
      ids.map((_, i) => ['SUCCESS', i]),
    )
    assert.deepEqual(await backend.read([]), [])
  })

  test('refuses a value that cannot be carried, and says so before anything is stored', async (backend) => {
    const circle: Record<string, unknown> = {}
    circle['self'] = circle

    assert.throws(() => backend.encode(record(harness.unique(), 'SUCCESS', circle)))
  })

  test('keeps ids, texts and large values as they are', async (backend) => {
    const odd = `${harness.unique()}:é %*`
    const text = `${'x'.repeat(300_000)}\n"'\\ \u2028 😀`
    await put(backend, record(odd, 'SUCCESS', text))

    assert.deepEqual(await read(backend, [odd]), [['SUCCESS', text]])
  })

  it('opens and closes twice, and refuses work after', async () => {
    const backend = harness.open()
    await Promise.all([backend.open(), backend.open()])
    await Promise.all([backend.close(), backend.close()])
  })

  if (harness.replyTo === undefined) {
    it('lets two of one store see the same', async () => {
      const [one, other] = [harness.open(), harness.open()]
      await Promise.all([one.open(), other.open()])
      try {
        const id = harness.unique()
        await put(one, record(id, 'SUCCESS', 5))
        assert.deepEqual(await read(other, [id]), [['SUCCESS', 5]])
      } finally {
        await Promise.all([one.close(), other.close()])
      }
    })
  }
}

function codecTests({ it }: Runner, harness: BackendHarness): void {
  const put = putter(harness)
  for (const codec of harness.codecs ?? []) {
    it(
      `keeps what ${codec.serializer} writes, and its successes`,
      withBackend(
        harness,
        async (backend) => {
          const id = harness.unique()
          await put(backend, record(id, 'STARTED', { pid: 1 }))
          assert.deepEqual(await read(backend, [id]), [['STARTED', { pid: 1 }]])

          await put(backend, record(id, 'SUCCESS', ['é', 1.5]), record(id, 'FAILURE', 1))
          await put(backend, record(id, 'RETRY', 1))

          assert.deepEqual(await read(backend, [id]), [['SUCCESS', ['é', 1.5]]])
        },
        { codec },
      ),
    )
  }
}

function expiryTests({ it }: Runner, harness: BackendHarness): void {
  const { shortestSeconds = 1 } = harness
  it(
    'drops a record when its time is over',
    withBackend(
      harness,
      async (backend) => {
        const id = harness.unique()
        await putter(harness)(
          backend,
          record(id, 'SUCCESS', null, { dateDone: new Date().toISOString() }),
        )
        assert.notEqual((await backend.read([id]))[0], undefined)

        await pause(shortestSeconds * 1000 + 300)
        await backend.cleanup?.()

        assert.deepEqual(await backend.read([id]), [undefined])
      },
      { expiresSeconds: shortestSeconds },
    ),
  )
}

function subscribeTests({ it }: Runner, harness: BackendHarness): void {
  const put = putter(harness)

  it(
    'tells a subscriber of what is stored from now on, to the last, and nobody after the end',
    withBackend(harness, async (backend) => {
      const id = harness.unique()
      const states: string[] = []
      let tell: () => void = () => undefined
      const end = await backend.subscribe(id, (data) => {
        states.push(backend.decode(data).status)
        tell()
      })
      const next = (): Promise<void> => new Promise((resolve) => (tell = resolve))

      const first = next()
      await put(backend, record(id, 'STARTED', 1))
      await first
      const second = next()
      await put(backend, record(id, 'SUCCESS', 2))
      await second
      end()
      await put(backend, record(id, 'FAILURE', 3))
      await pause(50)

      assert.deepEqual(states, ['STARTED', 'SUCCESS'])
    }),
  )

  it(
    'tells two subscribers of one id, and each id its own',
    withBackend(harness, async (backend) => {
      const [a, b] = [harness.unique(), harness.unique()]
      const seen: string[] = []
      let finish!: () => void
      const done = new Promise<void>((resolve) => (finish = resolve))
      const note = (who: string) => (): void => {
        seen.push(who)
        if (seen.length === 3) finish()
      }
      const ends = await Promise.all([
        backend.subscribe(a, note('a1')),
        backend.subscribe(a, note('a2')),
        backend.subscribe(b, note('b')),
      ])
      await put(backend, record(a, 'SUCCESS', 1), record(b, 'SUCCESS', 1))
      await done
      for (const end of ends) end()

      assert.deepEqual(seen.toSorted(), ['a1', 'a2', 'b'])
    }),
  )
}

function groupTests({ it }: Runner, harness: BackendHarness): void {
  it(
    'keeps and forgets a group, or refuses to',
    withBackend(harness, async (backend) => {
      const id = harness.unique()
      const tree = [[id, null], [[['a', null], null]]] as const
      if (!backend.capabilities.groups) {
        await assert.rejects(
          backend.storeGroup(id, tree),
          (error) => TasksError.is(error) && /DISABLED|NOT_SUPPORTED/.test(error.code),
        )
        return
      }
      assert.equal(await backend.readGroup(id), undefined)

      await backend.storeGroup(id, tree)
      assert.deepEqual(await backend.readGroup(id), tree)
      await backend.storeGroup(id, [[id, null], []])
      assert.deepEqual(await backend.readGroup(id), [[id, null], []])
      await backend.forgetGroup(id)
      await backend.forgetGroup(id)

      assert.equal(await backend.readGroup(id), undefined)
    }),
  )
}
