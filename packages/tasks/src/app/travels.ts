/**
 * Which types can travel: what a handler takes and gives is written as JSON with Kombu's typed values, and what
 * cannot be written, or arrives as something else, is refused where the task is defined. Types only.
 */
import type { Decimal, LocalDate, LocalTime, Uuid } from '@celeriac/messaging'

type List = readonly unknown[]

/** Values that arrive as they were sent, and are not looked into. */
type Carried =
  | string
  | number
  | bigint
  | boolean
  | null
  | undefined
  | void
  | Date
  | Decimal
  | LocalDate
  | LocalTime
  | Uuid

// Nothing is looked for deeper than this: recursive types have no end.
type Deepest = 5
type Deeper<D extends List> = [...D, 0]

/** What is wrong with T itself, never where nothing is; `look` where its parts decide. */
type Wrong<T> = 0 extends 1 & T
  ? never
  : unknown extends T
    ? never
    : T extends Carried
      ? never
      : T extends symbol
        ? 'a symbol'
        : T extends (...args: never) => unknown
          ? 'a function'
          : T extends abstract new (...args: never) => unknown
            ? 'a class'
            : T extends Buffer
              ? 'a Buffer, which arrives as a Uint8Array'
              : T extends Uint8Array
                ? never
                : T extends List
                  ? 'look'
                  : T extends ReadonlyMap<unknown, unknown>
                    ? 'a Map; use Object.fromEntries(map) or [...map]'
                    : T extends ReadonlySet<unknown>
                      ? 'a Set; use [...set]'
                      : T extends PromiseLike<unknown>
                        ? 'a promise; await it first'
                        : T extends { toJSON(...args: never): unknown }
                          ? 'an object with toJSON; declare what that gives'
                          : 'look'

/** True where something in T cannot travel, else never. Without the place, so that types are looked at once. */
type Bad<T, D extends List = []> = D['length'] extends Deepest
  ? never
  : T extends unknown
    ? Wrong<T> extends infer W
      ? [W] extends [never]
        ? never
        : 'look' extends W
          ? T extends List
            ? Bad<T[number], Deeper<D>>
            : { [K in keyof T]-?: Bad<T[K], Deeper<D>> }[keyof T]
          : true
      : never
    : never

type Step<K> = K extends string | number ? `.${K}` : '[a symbol]'

/** Where it is, and what. */
type Place<T, At extends string, D extends List = []> = [Bad<T, D>] extends [never]
  ? never
  : T extends unknown
    ? Wrong<T> extends infer W extends string
      ? 'look' extends W
        ? T extends List
          ? Place<T[number], `${At}[]`, Deeper<D>>
          : { [K in keyof T]-?: Place<T[K], `${At}${Step<K>}`, Deeper<D>> }[keyof T]
        : `${At} is ${W}`
      : never
    : never

type ArgumentPlaces<P extends List> = number extends P['length']
  ? Place<P[number], 'args[]'>
  : {
      [K in keyof P]: [P[K]] extends [never]
        ? `args[${K & string}] has no type`
        : Place<P[K], `args[${K & string}]`>
    }[number]

/** True where a parameter has the type never, as one without a type has here; else false. */
type LacksType<P extends List> = [P] extends [never]
  ? false
  : true extends { [K in keyof P]: [P[K]] extends [never] ? true : false }[number]
    ? true
    : false

/** What is wrong with a handler of these arguments and this result, in words; never where nothing is. */
export type TravelProblems<P extends List, R> = [Bad<P> | Bad<Awaited<R>>] extends [never]
  ? LacksType<P> extends true
    ? ArgumentPlaces<P>
    : never
  : ArgumentPlaces<P> | Place<Awaited<R>, 'result'>
