/** What must not compile. Each line is one mistake. */
import { chain, chord, group, groupOf, kw } from './front.ts'
import { add, legacy, maybe, notify, opaque, ping, pow, scaled, show, sum, upper } from './tasks.ts'

export function calls(): void {
  // @ts-expect-error text is no number
  add.s('two')
  // @ts-expect-error too many arguments
  add.s(1, 2, 3)
  // @ts-expect-error an argument is missing
  void add.delay(1)
  // @ts-expect-error an argument is still missing
  void add.s(2).delay()
  // @ts-expect-error text is no number
  void add.s(2).delay('one')
  // @ts-expect-error an immutable call must be whole
  add.si(1)
}

export function chains(): void {
  // @ts-expect-error number is not text
  chain(add.s(1, 2), upper.s())
  // @ts-expect-error the third step wants numbers
  chain(add.s(1, 2), show.s(), sum.s(), upper.s())
  // @ts-expect-error the step is full
  chain(add.s(1, 2), upper.s('x'))
  // @ts-expect-error the step before gives nothing
  chain(notify.s('x'), upper.s())
  // @ts-expect-error a task without parameters takes no result
  chain(add.s(1, 2), ping.s())
  // @ts-expect-error number | string is not number
  chain(maybe.s(1), pow.s())
  // @ts-expect-error an unknown result has to be narrowed
  chain(opaque.s(1), upper.s())
  // @ts-expect-error two mistakes are refused as well
  chain(add.s(1, 2), upper.s(), sum.s())
  // @ts-expect-error a chain must have a step
  chain()
  // @ts-expect-error what comes after "any" is checked again
  chain(legacy.s(1), show.s(), pow.s())
}

export function groups(): void {
  // @ts-expect-error one member does not take the result
  chain(add.s(1, 2), group(show.s(), upper.s()))
  // @ts-expect-error the body wants numbers
  chord(group(add.s(1, 1), upper.s('x')), sum.s())
  // @ts-expect-error the body wants numbers
  chord([add.s(1, 1), upper.s('x')], sum.s())
  // @ts-expect-error the body wants numbers
  chord(groupOf([upper.s('a')]), sum.s())
  // @ts-expect-error one of the inner chains gives text
  chain(add.s(1, 1), group(chain(add.s(1), show.s()), add.s(2)), sum.s())
  // @ts-expect-error a group of one after a step is no list
  chain(add.s(1, 1), group(add.s(2)), sum.s())
  // @ts-expect-error members take no such argument
  void group(add.s(10), show.s()).delay('x')
}

export function keywords(): void {
  // @ts-expect-error a required keyword is missing
  scaled.s(1, kw({ scale: 2 }))
  // @ts-expect-error a keyword of that name does not exist
  scaled.s(1, kw({ unit: 'm', scael: 2 }))
  // @ts-expect-error keywords have to be marked
  scaled.s(1, { unit: 'm' })
  // @ts-expect-error the task has no keywords
  add.s(1, kw({ unit: 'm' }))
}

export function fluent(): void {
  // @ts-expect-error number is not text
  add.s(1, 2).pipe(upper.s())
  // @ts-expect-error number is not text
  add.s(1, 2).link(upper.s())
}

export async function results(): Promise<void> {
  const result = await chain(add.s(1, 2), show.s()).delay()
  const text = await result.get()
  // @ts-expect-error the result is text
  text.toFixed()
}
