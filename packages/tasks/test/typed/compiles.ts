/** What must compile, and to which types. */
import type { Follow, StepMismatch } from '../../src/canvas/types.ts'
import { chain, chord, group, groupOf, kw, same, type Result, type Results } from './front.ts'
import {
  add,
  both,
  bound,
  legacy,
  len,
  maybe,
  notify,
  pair,
  ping,
  pow,
  report,
  same2,
  scaled,
  show,
  sum,
  total,
  train,
  upper,
} from './tasks.ts'

type Sent<S extends { delay(...args: never): Promise<unknown> }> = Awaited<ReturnType<S['delay']>>

export function calls(): void {
  const sent = add.delay(1, 2)
  same<Awaited<typeof sent>, Result<number>>()
  same<Parameters<typeof pow.delay>, [x: number, e?: number | undefined]>()
}

export function partials(): void {
  // What is given is the tail; the rest comes in front of it.
  void add.s(2).delay(1)
  void add.s().delay(1, 2)
  void add.s(1, 2).delay()
  // With an optional parameter the given one may be the first or the second.
  void show.s(3).delay()
  void show.s(3).delay(10)
  void show.s().delay(1)
  void show.s().delay(1, 2)
  void pow.delay(3)
  void total.s(1, 2, 3).delay()
  void total.s().delay(9, 9)
  void bound.s('x').delay()
}

export function chains(): void {
  const texts = chain(add.s(1, 2), show.s(), upper.s())
  same<Sent<typeof texts>, Result<string>>()
  void chain(add.s(2), show.s()).delay(40)
  void chain(add.s(1, 2), show.s(4), upper.s()).delay()
  void chain(add.s(1, 2), pow.s()).delay()
  void chain(add.s(1, 2), pow.s(3)).delay()
  void chain(add.s(1, 2), total.s(5)).delay()
  void chain(upper.s('x'), bound.s()).delay()
  void chain(maybe.s(1), both.s()).delay()
  void chain(legacy.s(1), upper.s(), legacy.s()).delay()
  const trained = chain(train.s('mnist', 3), report.s())
  same<Sent<typeof trained>, Result<number>>()
}

export function immutables(): void {
  const answered = chain(notify.s('x'), ping.si(), upper.s())
  same<Sent<typeof answered>, Result<string>>()
}

export function groups(): void {
  const three = group(add.s(1, 2), upper.s('a'), ping.si())
  same<Sent<typeof three>, Results<[number, string, 'pong']>>()
  const list = [add.s(1, 1), add.s(2, 2)]
  const many = group(...list)
  same<Sent<typeof many>, Results<number[]>>()
  const listed = groupOf([1, 2].map((i) => add.s(i, i)))
  same<Sent<typeof listed>, Results<number[]>>()
  // Groups in groups are sent flat.
  const nested = group(add.s(1, 2), group(upper.s('a'), add.s(1, 1)), ping.si())
  same<Sent<typeof nested>, Results<[number, string, number, 'pong']>>()
  const nestedMany = groupOf([group(add.s(1, 2), upper.s('a'))])
  same<Sent<typeof nestedMany>, Results<(number | string)[]>>()
  // What all members take in front.
  void group(add.s(10), show.s(), ping.si()).delay(1)
}

export function groupsInChains(): void {
  const fanned = chain(add.s(1, 1), group(add.s(10), show.s(), ping.si()))
  same<Sent<typeof fanned>, Results<[number, string, 'pong']>>()
  const joined = chain(group(add.s(1, 1), add.s(2, 2)), sum.s(), show.s())
  same<Sent<typeof joined>, Result<string>>()
  const deep = chain(
    chain(add.s(1, 1), pow.s()),
    group(chain(add.s(1), pow.s()), add.s(2)),
    sum.s(),
    group(pow.s(), pow.s(4)),
    len.s(),
  )
  same<Sent<typeof deep>, Result<number>>()
  // A group of one is a list at the beginning of a chain, and that one after another step.
  const listed = chain(group(add.s(1, 1)), sum.s())
  same<Sent<typeof listed>, Result<number>>()
  const unrolled = chain(add.s(1, 1), group(show.s()), upper.s())
  same<Sent<typeof unrolled>, Result<string>>()
  void chain(group(...([add.s(1, 1), add.s(2, 2)] as const)), sum.s()).delay()
}

export function chords(): void {
  const paired = chord(group(add.s(1, 1), upper.s('x')), pair.s())
  same<Sent<typeof paired>, Result<string>>()
  const summed = chord(groupOf([1, 2, 3].map((i) => add.s(i, i))), sum.s())
  same<Sent<typeof summed>, Result<number>>()
  const members = chord([add.s(1, 1), upper.s('x')], pair.s())
  same<Sent<typeof members>, Result<string>>()
  const mapped = chord(
    [1, 2].map((i) => add.s(i, i)),
    sum.s(),
  )
  same<Sent<typeof mapped>, Result<number>>()
  void chord(group(add.s(1), add.s(2)), sum.s()).delay(5)
  void chord(add.s(1, 1), sum.s()).delay()
}

export function lists(): void {
  void chain(upper.map(['a', 'b']), len.s()).delay()
  void add.starmap([[1, 2]]).delay()
  const chunked = add.chunks([[1, 2]], 2)
  same<Sent<typeof chunked>, Results<number[][]>>()
  void chain(chunked, len.s()).delay()
  void chord(chunked, len.s()).delay()
}

export function keywords(): void {
  void scaled(1, { unit: 'm' })
  void scaled.s(4, kw({ unit: 'm', scale: 2 })).delay()
  void chain(add.s(1, 2), scaled.s(kw({ unit: 'm' }))).delay()
}

export function fluent(): void {
  const texts = add.s(1, 2).pipe(show.s()).pipe(upper.s())
  same<Sent<typeof texts>, Result<string>>()
  add.s(1, 2).link(pow.s())
}

export function messages(): void {
  // What the compiler shows names the task, its parameter and what it was given.
  const wantsText = upper.s()
  same<
    Follow<typeof wantsText, number>,
    StepMismatch<'tasks.upper', { expects: [text: string]; given: number }>
  >()
  same<
    Follow<typeof wantsText, void>,
    StepMismatch<
      'tasks.upper',
      { hint: 'the step before gives nothing: use .si()'; expects: [text: string] }
    >
  >()
  same<Follow<typeof wantsText, string>, typeof wantsText>()
}

export function limits(): void {
  // The type parameter of a generic handler is lost: its result is unknown.
  const generic = same2.delay(3)
  same<Awaited<typeof generic>, Result<unknown>>()
}
