/** What sending resolves with is what the types say: each value here has the type of its signature. */
import { afterAll, beforeAll, expect, it } from '@jest/globals'
import {
  AsyncResult,
  chain,
  chainOf,
  chord,
  group,
  GroupResult,
  type Celeriac,
  type ResultHandle,
} from '@celeriac/tasks'
import { setup, type Bench } from './setup.ts'

function tasks(app: Celeriac) {
  return {
    add: app.task('add', (x: number, y: number) => x + y),
    show: app.task('show', (n: number) => `<${n}>`),
    list: app.task('list', (n: number) => [n]),
    sum: app.task('sum', (xs: readonly number[]) => xs.reduce((a, b) => a + b, 0)),
    count: app.task('count', (xs: readonly unknown[]) => xs.length),
    half: app.task('half', (n: number): number | undefined => (n > 1 ? n / 2 : undefined)),
    nothing: app.task('nothing', (): void => {}),
    isNull: app.task('isNull', (x: unknown) => x === null),
  }
}

let bench: Bench
let made: ReturnType<typeof tasks>
beforeAll(async () => {
  bench = await setup((app) => (made = tasks(app)))
  await bench.worker.start()
})
afterAll(() => bench.end())

interface Delayed<Handle> {
  delay(): Promise<Handle>
}
type Row = readonly [name: string, kind: unknown, () => Delayed<ResultHandle>, value: unknown]

function one<R>(name: string, signature: () => Delayed<AsyncResult<R>>, value: R): Row {
  return [name, AsyncResult, signature, value]
}
function many<R extends readonly unknown[]>(
  name: string,
  signature: () => Delayed<GroupResult<R>>,
  value: R,
): Row {
  return [name, GroupResult, signature, value]
}

const two = () => group(made.add.s(10), made.show.s())

it.each<Row>([
  many('a group after a step', () => chain(made.add.s(1, 1), two()), [12, '<2>']),
  many('pipe into a group', () => made.add.s(1, 1).pipe(two()), [12, '<2>']),
  one('pipe from a group', () => group(made.add.s(1, 1), made.add.s(2, 2)).pipe(made.sum.s()), 6),
  one('a group of one after a step', () => chain(made.add.s(1, 1), group(made.show.s())), '<2>'),
  one('a group of one list', () => chain(made.add.s(1, 1), group(made.list.s())), [2]),
  one('a group of one alone', () => chain(group(made.add.s(1, 1))), 2),
  one('a group of one in front', () => chain(group(made.add.s(1, 1)), made.sum.s()), 2),
  many(
    'a chain in a chain that ends in a group',
    () => {
      return chain(made.add.s(1, 2), chain(made.add.s(1), two()))
    },
    [14, '<4>'],
  ),
  many(
    'a chord with a group as its body',
    () => {
      return chord([made.add.s(1, 1)], group(made.sum.s(), made.count.s()))
    },
    [2, 1],
  ),
  one(
    'a header that is a chain which ends in a group',
    () => {
      return chord(chain(made.add.s(1, 1), group(made.add.s(1), made.add.s(2))), made.count.s())
    },
    1,
  ),
  many(
    'groups in groups',
    () => {
      return group(made.add.s(1, 2), group(made.add.s(3, 4), made.show.s(1)))
    },
    [3, 7, '<1>'],
  ),
  many(
    'chunks',
    () =>
      made.add.chunks(
        [
          [1, 2],
          [3, 4],
          [5, 6],
        ],
        2,
      ),
    [[3, 7], [11]],
  ),
  many('a skewed group', () => group(made.add.s(1, 2), made.show.s(1)).skew(0, 0), [3, '<1>']),
  one('map', () => made.show.map([1, 2]), ['<1>', '<2>']),
  one(
    'a chain made at run time',
    () => {
      return chain(made.add.s(1, 2), chainOf([1, 2].map((n) => made.add.s(n))), made.show.s())
    },
    '<6>',
  ),
  one('a clone', () => made.add.s().clone([2]).clone([1]), 3),
  one('a step made immutable', () => chain(made.show.s(1), made.add.s(1, 2).asImmutable()), 3),
  one('undefined arrives as null', () => made.half.s(1), null),
  one('undefined is handed on as null', () => chain(made.half.s(1), made.isNull.s()), true),
  one('nothing is handed on as null', () => chain(made.nothing.s(), made.isNull.s()), true),
])('%s', async (_name, kind, signature, value) => {
  const sent = await signature().delay()

  expect(sent).toBeInstanceOf(kind)
  expect(await sent.get({ timeout: 5 })).toEqual(value)
})
