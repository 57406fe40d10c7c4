// What can travel, and what arrives.

//# compiles: texts, numbers, booleans and null
const one = task('t', (a: string, b: number, c: boolean, d: null) => [a, b, c, d])
void one.delay('a', 1, true, null)

//# compiles: lists and tuples
const one = task(
  't',
  (a: number[], b: readonly string[], c: [number, string]) => [a, b, c] as const,
)
void one.delay([1], ['a'], [1, 'a'])
same<Given<ReturnType<typeof one.si>>, readonly [number[], readonly string[], [number, string]]>()

//# compiles: interfaces
interface User {
  readonly id: number
  name: string
  tags?: string[]
  address: { city: string; lines: readonly string[] }
}
const one = task('t', (user: User): User => user)
same<Given<ReturnType<typeof one.si>>, User>()

//# compiles: records
const one = task('t', (counts: Record<string, number>) => Object.keys(counts))
void one.delay({ a: 1 })

//# compiles: dates stay dates
const one = task('t', (at: Date) => new Date(at.getTime() + 1000))
void one.delay(new Date())
same<Given<ReturnType<typeof one.si>>, Date>()

//# compiles: bytes stay bytes
const one = task('t', (bytes: Uint8Array) => bytes.slice(1))
void one.delay(new Uint8Array(3))
void one.delay(Buffer.from('abc'))

//# compiles: large integers
const one = task('t', (n: bigint | number) => n)
void one.delay(2n ** 64n)

//# compiles: string enums and numeric enums
enum Level {
  Low,
  High,
}
const one = task('t', (level: Level) => level)
void one.delay(Level.High)
same<Given<ReturnType<typeof one.si>>, Level>()

//# compiles: literal types and their unions
const one = task('t', (mode: 'fast' | 'slow', n: 1 | 2) => (mode === 'fast' ? n : 0))
void one.delay('fast', 2)
same<Given<ReturnType<typeof one.si>>, 0 | 1 | 2>()

//# compiles: discriminated unions
type Shape = { kind: 'round'; radius: number } | { kind: 'square'; side: number }
const one = task('t', (shape: Shape) => (shape.kind === 'round' ? shape.radius : shape.side))
void one.delay({ kind: 'square', side: 2 })
const made = task('u', (): Shape => ({ kind: 'round', radius: 1 }))
void chain(made.s(), one.s()).delay()

//# compiles: branded texts
type UserId = string & { readonly brand: 'user' }
const one = task('t', (id: UserId) => id)
void one.delay('a' as UserId)

//# compiles: recursive types
type Json = string | number | boolean | null | Json[] | { [key: string]: Json }
const one = task('t', (value: Json): Json => value)
void one.delay({ a: [1, 'two', null] })
interface Tree {
  value: number
  children: Tree[]
}
const two = task('u', (tree: Tree) => tree.children.length)
void two.delay({ value: 1, children: [] })

//# compiles: unknown and any are not looked into
// oxlint-disable-next-line typescript/no-explicit-any
const one = task('t', (a: unknown, b: any) => [a, b])
void one.delay(1, () => 2)

//# compiles: objects without a known shape
const one = task('t', (a: object, b: {}) => [a, b])
void one.delay([], 1)

//# compiles: optional and undefined properties are left out on the way
const one = task('t', (o: { a?: number; b: number | undefined }) => o.b ?? 0)
void one.delay({ b: undefined })

//# compiles: nothing at all
const one = task('t', (): void => {})
same<Given<ReturnType<typeof one.si>>, void>()

//# compiles: null is null
const one = task('t', (): null => null)
same<Given<ReturnType<typeof one.si>>, null>()

//# compiles: undefined alone arrives as null
const one = task('t', (): undefined => undefined)
same<Given<ReturnType<typeof one.si>>, null>()

//# compiles: a result of any
// oxlint-disable-next-line typescript/no-explicit-any
const one = task('t', (): any => 1)
void chain(one.s(), upper.s(), show.si(1)).delay()

//# compiles: a class without methods
class Point {
  x = 1
  y = 2
}
const one = task('t', (p: Point) => p.x)
void one.delay({ x: 1, y: 2 })

//# compiles: Python's decimals, days, times and UUIDs
type Kept = import('@celeriac/messaging').Decimal | import('@celeriac/messaging').LocalDate
const one = task('t', (value: Kept, id: import('@celeriac/messaging').Uuid) => `${value}${id}`)
void one.delay

//# compiles: a schema takes what travels and makes what does not
const one = task('t', { args: z.tuple([z.string().transform((t) => new Set(t))]) }, (set) => {
  same<typeof set, Set<string>>()
  return set.size
})
void one.delay('abc')

//# compiles: a schema makes of a result what travels
const one = task(
  't',
  { result: z.set(z.string()).transform((set) => [...set]) },
  (t: string) => new Set(t),
)
same<Given<ReturnType<typeof one.si>>, string[]>()

//# compiles: deep nesting
interface Deep {
  a: { b: { c: { d: { e: { f: number } } } } }
}
const one = task('t', (deep: Deep) => deep.a.b.c.d.e.f)
void one.delay({ a: { b: { c: { d: { e: { f: 1 } } } } } })

//# compiles: rest parameters of objects
const one = task('t', (...users: { id: number }[]) => users.length)
void one.delay({ id: 1 }, { id: 2 })

//# refused: a function as an argument
//! TS2345 Argument of type '(f: () => void) => "bigint" | "boolean" | "function" | "number" | "object" | "string" | "symbol" | "undefined"' is not assignable to parameter of type '((f: () => void) => "bigint" | "boolean" | "function" | "number" | "object" | "string" | "symbol" | "undefined") & Needing<{ readonly 'cannot be sent': "args[0] is a function"; }>'.
task('t', (f: () => void) => typeof f)

//# refused: a function as the second argument
//! TS2345 Argument of type '(x: number, f: (n: number) => number) => number' is not assignable to parameter of type '((x: number, f: (n: number) => number) => number) & Needing<{ readonly 'cannot be sent': "args[1] is a function"; }>'.
task('t', (x: number, f: (n: number) => number) => f(x))

//# refused: a function as a result
//! TS2345 Argument of type '(x: number) => () => number' is not assignable to parameter of type '((x: number) => () => number) & Needing<{ readonly 'cannot be sent': "result is a function"; }>'.
task('t', (x: number) => () => x)

//# refused: a function in an object
//! TS2345 Argument of type '(o: { name: string; done: () => void; }) => string' is not assignable to parameter of type '((o: { name: string; done: () => void; }) => string) & Needing<{ readonly 'cannot be sent': "args[0].done is a function"; }>'.
task('t', (o: { name: string; done: () => void }) => o.name)

//# refused: a function deep in an object
//! TS2345 Argument of type '(o: { a: { b: { done(): void; }; }; }) => "bigint" | "boolean" | "function" | "number" | "object" | "string" | "symbol" | "undefined"' is not assignable to parameter of type '((o: { a: { b: { done(): void; }; }; }) => "bigint" | "boolean" | "function" | "number" | "object" | "string" | "symbol" | "undefined") & Needing<{ readonly 'ca…': "args[0].a.b.done is a function"; }>'.
task('t', (o: { a: { b: { done(): void } } }) => typeof o)

//# refused: a function that is optional
//! TS2345 Argument of type '(o: { done?: () => void; }) => "bigint" | "boolean" | "function" | "number" | "object" | "string" | "symbol" | "undefined"' is not assignable to parameter of type '((o: { done?: () => void; }) => "bigint" | "boolean" | "function" | "number" | "object" | "string" | "symbol" | "undefined") & Needing<{ readonly 'cannot be sen…': "args[0].done is a function"; }>'.
task('t', (o: { done?: () => void }) => typeof o)

//# refused: a function in a list
//! TS2345 Argument of type '(list: (() => void)[]) => number' is not assignable to parameter of type '((list: (() => void)[]) => number) & Needing<{ readonly 'cannot be sent': "args[0][] is a function"; }>'.
task('t', (list: (() => void)[]) => list.length)

//# refused: functions in rest parameters
//! TS2345 Argument of type '(...list: (() => void)[]) => number' is not assignable to parameter of type '((...list: (() => void)[]) => number) & Needing<{ readonly 'cannot be sent': "args[] is a function"; }>'.
task('t', (...list: (() => void)[]) => list.length)

//# refused: a function or a number
//! TS2345 Argument of type '(x: number | (() => number)) => "bigint" | "boolean" | "function" | "number" | "object" | "string" | "symbol" | "undefined"' is not assignable to parameter of type '((x: number | (() => number)) => "bigint" | "boolean" | "function" | "number" | "object" | "string" | "symbol" | "undefined") & Needing<{ readonly 'cannot be se…': "args[0] is a function"; }>'.
task('t', (x: number | (() => number)) => typeof x)

//# refused: a symbol as an argument
//! TS2345 Argument of type '(s: symbol) => string | undefined' is not assignable to parameter of type '((s: symbol) => string | undefined) & Needing<{ readonly 'cannot be sent': "args[0] is a symbol"; }>'.
task('t', (s: symbol) => s.description)

//# refused: a symbol as a result
//! TS2345 Argument of type '() => symbol' is not assignable to parameter of type '(() => symbol) & Needing<{ readonly 'cannot be sent': "result is a symbol"; }>'.
task('t', () => Symbol('a'))

//# refused: a class as an argument
//! TS2345 Argument of type '(c: typeof Date) => string' is not assignable to parameter of type '((c: DateConstructor) => string) & Needing<{ readonly 'cannot be sent': "args[0] is a function"; }>'.
task('t', (c: typeof Date) => c.name)

//# refused: a map as an argument
//! TS2345 Argument of type '(m: Map<string, number>) => number' is not assignable to parameter of type '((m: Map<string, number>) => number) & Needing<{ readonly 'cannot be sent': "args[0] is a Map; use Object.fromEntries(map) or [...map]"; }>'.
task('t', (m: Map<string, number>) => m.size)

//# refused: a map as a result
//! TS2345 Argument of type '() => Map<string, number>' is not assignable to parameter of type '(() => Map<string, number>) & Needing<{ readonly 'cannot be sent': "result is a Map; use Object.fromEntries(map) or [...map]"; }>'.
task('t', () => new Map([['a', 1]]))

//# refused: a map in a result
//! TS2345 Argument of type '() => Promise<{ counts: Map<string, number>; }>' is not assignable to parameter of type '(() => Promise<{ counts: Map<string, number>; }>) & Needing<{ readonly 'cannot be sent': "result.counts is a Map; use Object.fromEntries(map) or [...map]"; }>'.
task('t', async () => ({ counts: new Map([['a', 1]]) }))

//# refused: a set as an argument
//! TS2345 Argument of type '(s: ReadonlySet<string>) => number' is not assignable to parameter of type '((s: ReadonlySet<string>) => number) & Needing<{ readonly 'cannot be sent': "args[0] is a Set; use [...set]"; }>'.
task('t', (s: ReadonlySet<string>) => s.size)

//# refused: a set as a result
//! TS2345 Argument of type '() => Promise<Set<number>>' is not assignable to parameter of type '(() => Promise<Set<number>>) & Needing<{ readonly 'cannot be sent': "result is a Set; use [...set]"; }>'.
task('t', async () => new Set([1]))

//# refused: a promise in a result
//! TS2345 Argument of type '() => { later: Promise<number>; }' is not assignable to parameter of type '(() => { later: Promise<number>; }) & Needing<{ readonly 'cannot be sent': "result.later is a promise; await it first"; }>'.
task('t', () => ({ later: Promise.resolve(1) }))

//# refused: a list of promises as a result
//! TS2345 Argument of type '() => Promise<number>[]' is not assignable to parameter of type '(() => Promise<number>[]) & Needing<{ readonly 'cannot be sent': "result[] is a promise; await it first"; }>'.
task('t', () => [1, 2].map(async (n) => n))

//# refused: an instance of a class with methods
//! TS2345 Argument of type '(user: User) => number' is not assignable to parameter of type '((user: User) => number) & Needing<{ readonly 'cannot be sent': "args[0].reveal is a function"; }>'.
class User {
  readonly #secret = 1
  reveal(): number {
    return this.#secret
  }
}
task('t', (user: User) => user.reveal())

//# refused: an instance with toJSON arrives as something else
//! TS2345 Argument of type '(url: URL) => string' is not assignable to parameter of type '((url: URL) => string) & Needing<{ readonly 'cannot be sent': "args[0] is an object with toJSON; declare what that gives"; }>'.
task('t', (url: URL) => url.href)

//# refused: an instance with toJSON as a result
//! TS2345 Argument of type '() => URL' is not assignable to parameter of type '(() => URL) & Needing<{ readonly 'cannot be sent': "result is an object with toJSON; declare what that gives"; }>'.
task('t', () => new URL('http://a'))

//# refused: a buffer as an argument arrives as plain bytes
//! TS2345 Argument of type '(b: Buffer) => string' is not assignable to parameter of type '((b: Buffer<ArrayBufferLike>) => string) & Needing<{ readonly 'cannot be sent': "args[0] is a Buffer, which arrives as a Uint8Array"; }>'.
task('t', (b: Buffer) => b.toString('hex'))

//# refused: a buffer as a result arrives as plain bytes
//! TS2345 Argument of type '() => Buffer<ArrayBuffer>' is not assignable to parameter of type '(() => Buffer<ArrayBuffer>) & Needing<{ readonly 'cannot be sent': "result is a Buffer, which arrives as a Uint8Array"; }>'.
task('t', () => Buffer.from('a'))

//# refused: a method of a regular expression
//! TS2345 Argument of type '() => { find: Pick<RegExp, 'exec'>; }' is not assignable to parameter of type '(() => { find: Pick<RegExp, "exec">; }) & Needing<{ readonly 'cannot be sent': "result.find.exec is a function"; }>'.
task('t', () => ({ find: /a/ as Pick<RegExp, 'exec'> }))

//# refused: an error with a function as a result
//! TS2345 Argument of type '() => { error: AggregateError; retry: () => 1; }' is not assignable to parameter of type '(() => { error: AggregateError; retry: () => 1; }) & Needing<{ readonly 'cannot be sent': "result.retry is a function"; }>'.
task('t', () => ({ error: new AggregateError([]), retry: () => 1 }))

//# refused: the handle of a result as a result
//! TS2345 Argument of type '() => Promise<AsyncResult<number>>' is not assignable to parameter of type '(() => Promise<AsyncResult<number>>) & Needing<{ readonly 'cannot be sent': "result is an object with toJSON; declare what that gives"; }>'.
task('t', async () => await add.delay(1, 2))

//# refused: a signature as an argument is a mapping when it arrives
//! TS2345 Argument of type '(next: SignatureOf<'tasks.add', [number], number>) => "tasks.add"' is not assignable to parameter of type '((next: SignatureOf<"tasks.add", [number], number, false, AsyncResult<number>>) => "tasks.add") & Needing<{ readonly 'c…': "args[0] is an object with toJSON; declare what that gives"; }>'.
task('t', (next: SignatureOf<'tasks.add', [number], number>) => next.name)

//# refused: any signature as an argument
//! TS2345 Argument of type '(next: AnySignature) => string' is not assignable to parameter of type '((next: AnySignature) => string) & Needing<{ readonly 'cannot be sent': "args[0][a symbol] is a function"; }>'.
task('t', (next: AnySignature) => next.name)

//# refused: a weak reference as an argument
//! TS2345 Argument of type '(ref: WeakRef<object>) => "bigint" | "boolean" | "function" | "number" | "object" | "string" | "symbol" | "undefined"' is not assignable to parameter of type '((ref: WeakRef<object>) => "bigint" | "boolean" | "function" | "number" | "object" | "string" | "symbol" | "undefined") & Needing<{ readonly 'cannot be sent': "args[0].deref is a function"; }>'.
task('t', (ref: WeakRef<object>) => typeof ref)

//# refused: a function in a shared task
//! TS2345 Argument of type '(f: () => void) => "bigint" | "boolean" | "function" | "number" | "object" | "string" | "symbol" | "undefined"' is not assignable to parameter of type '((f: () => void) => "bigint" | "boolean" | "function" | "number" | "object" | "string" | "symbol" | "undefined") & Needing<{ readonly 'cannot be sent': "args[0] is a function"; }>'.
sharedTask('t', (f: () => void) => typeof f)

//# refused: a function in a task with options
//! TS2345 Argument of type '(f: () => void) => "bigint" | "boolean" | "function" | "number" | "object" | "string" | "symbol" | "undefined"' is not assignable to parameter of type '((f: () => void) => "bigint" | "boolean" | "function" | "number" | "object" | "string" | "symbol" | "undefined") & Needing<{ readonly 'cannot be sent': "args[0] is a function"; }>'.
task('t', { maxRetries: 3 }, (f: () => void) => typeof f)

//# refused: an enum of another type
//! TS2345 Argument of type '"low"' is not assignable to parameter of type 'Level'.
enum Level {
  Low = 'low',
}
const one = task('t', (level: Level) => level)
void one.delay('low')

//# refused: a literal that is not one of them
//! TS2345 Argument of type '"medium"' is not assignable to parameter of type '"fast" | "slow"'.
const one = task('t', (mode: 'fast' | 'slow') => mode)
void one.delay('medium')

//# refused: the wrong half of a discriminated union
//! TS2353 Object literal may only specify known properties, and 'side' does not exist in type '{ kind: "round"; radius: number; }'.
type Shape = { kind: 'round'; radius: number } | { kind: 'square'; side: number }
const one = task('t', (shape: Shape) => shape.kind)
void one.delay({ kind: 'round', side: 2 })

//# refused: a property too many
//! TS2353 Object literal may only specify known properties, and 'nmae' does not exist in type '{ readonly id: number; name: string; }'.
void save.delay({ id: 1, name: 'a', nmae: 'b' })

//# refused: a date is no text
//! TS2345 Argument of type 'string' is not assignable to parameter of type 'Date'.
const one = task('t', (at: Date) => at.getTime())
void one.delay('2030-01-01')

//# refused: a tuple that is too long
//! TS2345 Argument of type '[number, string, string]' is not assignable to parameter of type 'readonly [number, string]'.
void pair.delay([1, 'a', 'b'])

//# refused: the result of a text is no number
//! TS2322 Type 'string' is not assignable to type 'number'.
const sent = await upper.delay('a')
const n: number = await sent.get()

//# refused: the result may be null
//! TS2531 Object is possibly 'null'.
const sent = await half.delay(4)
;(await sent.get()).toFixed()
