// Every workflow of the table on every broker and store of results, its tasks run by us, by Python, and by both in
// turn; sent by us and, as they travel, by Python.
import { isDeepStrictEqual } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { canvasCases, type CanvasCase } from '@celeriac/tasks/testing'
import {
  expected,
  mixed,
  onlyBy,
  sentByUs,
  written,
  type Casting,
  type Ending,
} from '../canvas/casting.ts'
import { serversFor, Stage, stores, type Joins } from '../canvas/stages.ts'
import { PythonClient, PythonWorker } from '../fixtures/python.ts'
import { describeWith } from '../services/brokers.ts'

type Client = 'us' | 'Python'

const castings = {
  'run by us': onlyBy('js'),
  'run by Python': onlyBy('py'),
  mixed: mixed(false),
  'mixed the other way round': mixed(true),
} as const satisfies Record<string, Casting>

type CastName = keyof typeof castings

/** What Celery itself does not do, who is to send or run it then, and what comes instead. */
interface Cannot {
  readonly reason: string
  readonly sentBy: Client
  readonly cast: readonly CastName[]
  readonly joins: readonly Joins[]
  readonly instead: Ending
  /** It depends on which part ends first, so that it may succeed. */
  readonly sometimes?: true
}

const handle = [[expect.any(String), null], null]

const pythonCannot: Readonly<Record<string, Cannot>> = {
  chunks: {
    reason:
      'chunks that have travelled are a plain call of celery.chunks for Celery: it gives the handle of the group',
    sentBy: 'Python',
    cast: ['run by us', 'run by Python', 'mixed', 'mixed the other way round'],
    joins: ['counted', 'polled', 'none'],
    instead: {
      value: [
        [expect.any(String), null],
        [handle, handle],
      ],
    },
  },
  'a chord in a header fails': {
    reason:
      'where parts are counted, a Python worker that joins a chord whose header failed fails its body, but does not ' +
      'count that body for the chord around it, which never ends',
    sentBy: 'us',
    cast: ['run by Python', 'mixed the other way round'],
    joins: ['counted'],
    instead: { error: 'TASKS_TIMEOUT' },
  },
  'a chain that ends in a group in a header': {
    reason:
      'where parts are counted, a Python worker that sends a group in a header makes the size of the whole that of the ' +
      'group; when more parts than that have ended by then, and Python counts the last, nobody joins them',
    sentBy: 'Python',
    cast: ['run by Python', 'mixed', 'mixed the other way round'],
    joins: ['counted'],
    instead: { error: 'TimeoutError' },
    sometimes: true,
  },
}

const cannot = (name: string, client: Client, cast: CastName, joins: Joins): Cannot | undefined => {
  const one = pythonCannot[name]
  const applies = one?.sentBy === client && one.cast.includes(cast) && one.joins.includes(joins)
  return applies ? one : undefined
}

/** What must come of the cases: of those that Celery cannot do, what it does instead. */
function endings(
  cases: readonly CanvasCase[],
  ...how: readonly [Client, CastName, Joins]
): Record<string, Ending> {
  const usual = expected(cases)
  const instead = cases.flatMap(({ name }) => {
    const one = cannot(name, ...how)
    if (!one) return []
    return [[name, one.sometimes ? oneOf(one.instead, usual[name]!) : one.instead] as const]
  })
  return { ...usual, ...Object.fromEntries(instead) }
}

/** For `toEqual`: any of these. */
function oneOf(...endings: readonly Ending[]): Ending {
  const either = {
    asymmetricMatch: (found: unknown) => endings.some((one) => isDeepStrictEqual(found, one)),
    toString: () => 'oneOf',
    toAsymmetricMatcher: () => endings.map((one) => JSON.stringify(one)).join(' or '),
  }
  return either as unknown as Ending
}

const seconds = 40
/** For what cannot be. */
const fewSeconds = 3
const limit = seconds * 1000 + 20_000

for (const broker of ['redis', 'rabbitmq'] as const)
  for (const store of ['redis', 'postgres', 'rpc'] as const) {
    describeWith(
      [...serversFor(broker, store), 'python'],
      `workflows on ${broker} with results on ${store}`,
      () => {
        const { joins } = stores[store]
        const cases: readonly CanvasCase[] =
          joins === 'none' ? canvasCases.filter((one) => !one.joins) : canvasCases
        const stage = new Stage(broker, store)
        let theirs: PythonWorker
        let python: PythonClient

        beforeAll(async () => {
          const options = await stage.python()
          const starts = [
            stage.start(),
            PythonWorker.start(options).then((worker) => (theirs = worker)),
            PythonClient.start(options).then((client) => (python = client)),
          ]
          await Promise.all(starts)
        }, 90_000)

        afterAll(async () => {
          await Promise.all([theirs?.stop(), python?.kill9()])
          await stage.end()
        }, 60_000)

        const names = Object.keys(castings) as CastName[]

        it.each(names)(
          'sent by us, %s',
          async (cast) => {
            const timeout = (name: string): number =>
              cannot(name, 'us', cast, joins) ? fewSeconds : seconds
            const found = await sentByUs(cases, stage.app, stage.queues, castings[cast], timeout)

            expect(found).toEqual(endings(cases, 'us', cast, joins))
          },
          limit,
        )

        it.each(names)(
          'sent by Python, %s',
          async (cast) => {
            const given = written(cases, stage.app, stage.queues, castings[cast])
            for (const [name, one] of Object.entries(given))
              if (cannot(name, 'Python', cast, joins))
                Object.assign(one, { timeout: 2 * fewSeconds })
            const found = await python.call('workflows', { given, timeout: seconds }, limit)

            expect(found).toEqual(endings(cases, 'Python', cast, joins))
          },
          limit,
        )
      },
    )
  }

describe('with results on more stores', () => {
  for (const store of ['mongodb', 'memcached', 'filesystem', 'sqlite', 'mariadb'] as const) {
    describeWith(serversFor('redis', store), `workflows on redis with results on ${store}`, () => {
      const stage = new Stage('redis', store)
      beforeAll(() => stage.start(), 90_000)
      afterAll(() => stage.end(), 60_000)

      it(
        'sent by us, run by us',
        async () => {
          const { app, queues } = stage
          const found = await sentByUs(canvasCases, app, queues, onlyBy('js'), () => seconds)

          expect(found).toEqual(expected(canvasCases))
        },
        limit,
      )
    })
  }
})

for (const broker of ['redis', 'rabbitmq'] as const) {
  describeWith(broker, `workflows with joins on ${broker}, where results are messages`, () => {
    const stage = new Stage(broker, 'rpc')
    afterAll(() => stage.end())

    it('are refused before anything is sent', async () => {
      await stage.open()
      const cases = canvasCases.filter(
        (one) => one.joins && one.name !== 'a chord with an empty header',
      )
      const found = await sentByUs(cases, stage.app, stage.queues, onlyBy('js'), () => 1)

      const refused = { error: 'TASKS_NOT_SUPPORTED' }
      expect(found).toEqual(Object.fromEntries(cases.map(({ name }) => [name, refused])))
    })
  })
}

it('has names that stand in the table among what Celery cannot do', () => {
  const names = canvasCases.map(({ name }) => name)

  expect(names).toEqual(expect.arrayContaining(Object.keys(pythonCannot)))
})
