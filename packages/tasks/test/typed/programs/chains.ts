// One step after the other: chain, chainOf, pipe.

//# compiles: each step gets the result of the one before it
const steps = chain(add.s(1, 2), show.s(), upper.s())
same<Given<typeof steps>, string>()
same<Parameters<typeof steps.delay>, []>()

//# compiles: a chain may begin with a partial
const steps = chain(add.s(2), show.s())
same<Parameters<typeof steps.delay>, [x: number]>()
void steps.delay(40)

//# compiles: a chain of one
const one = chain(add.s(1, 2))
same<Given<typeof one>, number>()

//# compiles: the result goes in front of what is given
void chain(add.s(1, 2), add.s(3), show.s(4), upper.s()).delay()

//# compiles: a default takes the result or leaves it
void chain(add.s(1, 2), pow.s()).delay()
void chain(add.s(1, 2), pow.s(3)).delay()

//# compiles: rest parameters take the result
void chain(add.s(1, 2), total.s(5)).delay()
void chain(add.s(1, 2), total.s()).delay()

//# compiles: an immutable step takes no result
const steps = chain(notify.s('x'), ping.si(), upper.s())
same<Given<typeof steps>, string>()

//# compiles: a step made immutable takes no result
void chain(upper.s('x'), add.s(1, 2).asImmutable()).delay()

//# compiles: a union goes to a step that takes all of it
void chain(maybe.s(1), both.s()).delay()

//# compiles: a literal goes to a step that takes the type
void chain(ping.s(), upper.s()).delay()

//# compiles: any from an untyped task goes everywhere
const steps = chain(legacy.s(1), upper.s(), legacy.s())
// oxlint-disable-next-line typescript/no-explicit-any
same<Given<typeof steps>, any>()

//# compiles: an unknown result goes to a step that takes unknown
const anything = task('t', (x: unknown) => typeof x)
void chain(opaque.s(1), anything.s()).delay()

//# compiles: an interface goes to a step that wants less of it
const saved = task('t', () => ({ id: 1, name: 'a', more: true }))
void chain(saved.s(), save.s()).delay()

//# compiles: a list goes to a step that takes a read-only list
const made = task('t', () => [1, 2, 3])
void chain(made.s(), sum.s()).delay()

//# compiles: a tuple goes to a step that takes it
const made = task('t', (): [number, string] => [1, 'a'])
void chain(made.s(), pair.s()).delay()

//# compiles: undefined arrives as null
const orNothing = task('t', (x: number | null) => x ?? 0)
const steps = chain(half.s(4), orNothing.s())
same<Given<typeof steps>, number>()

//# compiles: what never gives a result fits everywhere
void chain(broken.s(), upper.s()).delay()

//# compiles: chains in chains
const inner = chain(add.s(1), show.s())
const steps = chain(add.s(1, 2), inner, upper.s())
same<Given<typeof steps>, string>()

//# compiles: a chain in front keeps what it wants
const steps = chain(chain(add.s(1), show.s()), upper.s())
same<Parameters<typeof steps.delay>, [x: number]>()

//# compiles: a remote task in the middle
const steps = chain(train.s('mnist', 3), report.s(), show.s())
same<Given<typeof steps>, string>()

//# compiles: a step with options
void chain(add.s(1, 2).set({ queue: 'a' }), show.s().set({ countdown: 5 })).delay()

//# compiles: pipe is chain
const steps = add.s(1, 2).pipe(show.s()).pipe(upper.s())
same<Given<typeof steps>, string>()

//# compiles: pipe keeps what is wanted
const steps = add.s(2).pipe(show.s())
same<Parameters<typeof steps.delay>, [x: number]>()

//# compiles: pipe into an immutable step
void notify.s('x').pipe(ping.si()).pipe(upper.s()).delay()

//# compiles: a chain of steps made at run time
const steps = chainOf([1, 2, 3].map((n) => add.s(n)))
same<Parameters<typeof steps.delay>, [x: number]>()
same<Given<typeof steps>, number>()

//# compiles: a whole step in front of a chain made at run time
const steps = chain(add.s(1, 2), chainOf([1, 2].map((n) => add.s(n))), show.s())
same<Given<typeof steps>, string>()

//# compiles: a chain of immutable steps made at run time
const steps = chainOf([1, 2].map((n) => add.si(n, n)))
void steps.delay()
same<Given<typeof steps>, number>()

//# compiles: a chain has options, links and stamps
void chain(add.s(1, 2), show.s()).set({ countdown: 1 }).link(upper.s()).stamp({ a: 1 }).delay()

//# compiles: a signature by name takes any result, at either end
void chain(app.signature('some.task', [1])).delay()
void chain(add.s(1, 2), app.signature('some.task')).delay()

//# compiles: a step that throws the result away
const drop = task('t', (_: unknown): void => {})
const steps = chain(add.s(1, 2), drop.s())
same<Given<typeof steps>, void>()

//# compiles: applyAsync of a chain
void chain(add.s(2), show.s()).applyAsync([1], { queue: 'low' })

//# compiles: a chain of 50 steps
const a = add.s(1)
// prettier-ignore
const steps = chain(
  add.s(1, 2),
  a, a, a, a, a, a, a, a, a, a, a, a, a, a, a, a, a, a, a, a, a, a, a, a,
  a, a, a, a, a, a, a, a, a, a, a, a, a, a, a, a, a, a, a, a, a, a, a, a,
  show.s(),
)
same<Given<typeof steps>, string>()

//# refused: number is not text
//! TS2741 Property ''✗ this step does not accept the result before it'' is missing in type 'TaskSignature<"tasks.upper", [text: string], string>' but required in type 'StepMismatch<"tasks.upper", { expects: [text: string]; given: number; }>'.
chain(add.s(1, 2), upper.s())

//# refused: the third step wants a list
//! TS2741 Property ''✗ this step does not accept the result before it'' is missing in type 'TaskSignature<"tasks.sum", [xs: readonly number[]], number>' but required in type 'StepMismatch<"tasks.sum", { expects: [xs: readonly number[]]; given: string; }>'.
chain(add.s(1, 2), show.s(), sum.s(), upper.s())

//# refused: the step is full
//! TS2741 Property ''✗ this step does not accept the result before it'' is missing in type 'TaskSignature<"tasks.upper", [], string>' but required in type 'StepMismatch<"tasks.upper", { expects: []; given: number; }>'.
chain(add.s(1, 2), upper.s('x'))

//# refused: the step wants two and gets one
//! TS2741 Property ''✗ this step does not accept the result before it'' is missing in type 'TaskSignature<"tasks.add", [x: number, y: number], number>' but required in type 'StepMismatch<"tasks.add", { expects: [x: number, y: number]; given: number; }>'.
chain(add.s(1, 2), add.s())

//# refused: the step before gives nothing
//! TS2741 Property ''✗ this step does not accept the result before it'' is missing in type 'TaskSignature<"tasks.upper", [text: string], string>' but required in type 'StepMismatch<"tasks.upper", { hint: "the step before gives nothing: use .si()"; expects: [text: string]; }>'.
chain(notify.s('x'), upper.s())

//# refused: an asynchronous step before gives nothing
//! TS2741 Property ''✗ this step does not accept the result before it'' is missing in type 'TaskSignature<"tasks.upper", [text: string], string>' but required in type 'StepMismatch<"tasks.upper", { hint: "the step before gives nothing: use .si()"; expects: [text: string]; }>'.
chain(bye.s(), upper.s())

//# refused: a task without parameters takes no result
//! TS2741 Property ''✗ this step does not accept the result before it'' is missing in type 'TaskSignature<"tasks.ping", [], "pong">' but required in type 'StepMismatch<"tasks.ping", { expects: []; given: number; }>'.
chain(add.s(1, 2), ping.s())

//# refused: a part of a union is not enough
//! TS2741 Property ''✗ this step does not accept the result before it'' is missing in type 'TaskSignature<"tasks.pow", [x: number, e?: number | undefined], number>' but required in type 'StepMismatch<"tasks.pow", { expects: [x: number, e?: number | undefined]; given: number | "negative"; }>'.
chain(maybe.s(1), pow.s())

//# refused: undefined arrives as null, which is no number
//! TS2741 Property ''✗ this step does not accept the result before it'' is missing in type 'TaskSignature<"tasks.show", [n: number, digits?: number | undefined], string>' but required in type 'StepMismatch<"tasks.show", { expects: [n: number, digits?: number | undefined]; given: number | null; }>'.
chain(half.s(4), show.s())

//# refused: null does not become a default
//! TS2741 Property ''✗ this step does not accept the result before it'' is missing in type 'TaskSignature<"t", [x?: number | undefined], number>' but required in type 'StepMismatch<"t", { expects: [x?: number | undefined]; given: number | null; }>'.
const orNothing = task('t', (x?: number) => x ?? 0)
chain(half.s(4), orNothing.s())

//# refused: unknown has to be narrowed
//! TS2741 Property ''✗ this step does not accept the result before it'' is missing in type 'TaskSignature<"tasks.upper", [text: string], string>' but required in type 'StepMismatch<"tasks.upper", { expects: [text: string]; given: unknown; }>'.
chain(opaque.s(1), upper.s())

//# refused: two mistakes, the first is told
//! TS2741 Property ''✗ this step does not accept the result before it'' is missing in type 'TaskSignature<"tasks.upper", [text: string], string>' but required in type 'StepMismatch<"tasks.upper", { expects: [text: string]; given: number; }>'.
chain(add.s(1, 2), upper.s(), sum.s())

//# refused: a chain of nothing
//! TS2555 Expected at least 1 arguments, but got 0.
chain()

//# refused: what follows any is checked again
//! TS2741 Property ''✗ this step does not accept the result before it'' is missing in type 'TaskSignature<"tasks.pow", [x: number, e?: number | undefined], number>' but required in type 'StepMismatch<"tasks.pow", { expects: [x: number, e?: number | undefined]; given: string; }>'.
chain(legacy.s(1), show.s(), pow.s())

//# refused: a text is not the literal that is wanted
//! TS2741 Property ''✗ this step does not accept the result before it'' is missing in type 'TaskSignature<"t", [m: "fast" | "slow"], "fast" | "slow">' but required in type 'StepMismatch<"t", { expects: [m: "fast" | "slow"]; given: string; }>'.
const mode = task('t', (m: 'fast' | 'slow') => m)
chain(upper.s('fast'), mode.s())

//# refused: a property is missing
//! TS2741 Property ''✗ this step does not accept the result before it'' is missing in type 'TaskSignature<"tasks.save", [row: { readonly id: number; name: string; }], number>' but required in type 'StepMismatch<"tasks.save", { expects: [row: { readonly id: number; name: string; }]; given: { id: number; }; }>'.
const bare = task('t', () => ({ id: 1 }))
chain(bare.s(), save.s())

//# refused: a property has another type
//! TS2741 Property ''✗ this step does not accept the result before it'' is missing in type 'TaskSignature<"tasks.save", [row: { readonly id: number; name: string; }], number>' but required in type 'StepMismatch<"tasks.save", { expects: [row: { readonly id: number; name: string; }]; given: { id: string; name: string; }; }>'.
const odd = task('t', () => ({ id: 'one', name: 'a' }))
chain(odd.s(), save.s())

//# refused: a list of another type
//! TS2741 Property ''✗ this step does not accept the result before it'' is missing in type 'TaskSignature<"tasks.sum", [xs: readonly number[]], number>' but required in type 'StepMismatch<"tasks.sum", { expects: [xs: readonly number[]]; given: string[]; }>'.
const texts = task('t', () => ['a', 'b'])
chain(texts.s(), sum.s())

//# refused: a list is no tuple
//! TS2741 Property ''✗ this step does not accept the result before it'' is missing in type 'TaskSignature<"tasks.pair", [p: readonly [number, string]], string>' but required in type 'StepMismatch<"tasks.pair", { expects: [p: readonly [number, string]]; given: (string | number)[]; }>'.
const list = task('t', (): (number | string)[] => [1, 'a'])
chain(list.s(), pair.s())

//# refused: a read-only list is no list to change
//! TS2741 Property ''✗ this step does not accept the result before it'' is missing in type 'TaskSignature<"u", [xs: number[]], number[]>' but required in type 'StepMismatch<"u", { expects: [xs: number[]]; given: readonly number[]; }>'.
const made = task('t', (): readonly number[] => [1])
const sorted = task('u', (xs: number[]) => xs.sort())
chain(made.s(), sorted.s())

//# refused: a step that is a task and no signature
//! TS2741 Property ''✗ this step does not accept the result before it'' is missing in type 'Task<"tasks.show", (n: number, digits?: number | undefined) => Promise<string>>' but required in type 'StepMismatch<string, { expects: never; given: unknown; }>'.
chain(add.s(1, 2), show)

//# refused: a step that is a function
//! TS2345 Argument of type '(n: number) => number' is not assignable to parameter of type 'StepMismatch<string, { expects: never; given: unknown; }>'.
chain(add.s(1, 2), (n: number) => n)

//# refused: a step that is a number
//! TS2345 Argument of type 'number' is not assignable to parameter of type 'StepMismatch<string, { expects: never; given: unknown; }>'.
chain(add.s(1, 2), 3)

//# refused: a step that is a promise of a result
//! TS2739 Type 'Promise<AsyncResult<number>>' is missing the following properties from type 'AnySignature': …
chain(add.delay(1, 2), show.s())

//# refused: steps in a list
//! TS2739 Type '(TaskSignature<"tasks.add", [], number> | TaskSignature<"tasks.show", [n: number, digits?: number | undefined], string>)[]' is missing the following properties from type 'AnySignature': …
chain([add.s(1, 2), show.s()])

//# refused: a list of steps cannot be spread
//! TS2556 A spread argument must either have a tuple type or be passed to a rest parameter.
const list = [add.s(1), add.s(2)]
chain(...list)

//# refused: a chain in a chain does not take the result
//! TS2741 Property ''✗ this step does not accept the result before it'' is missing in type 'ChainSignature<[text: string], number, AsyncResult<number>>' but required in type 'StepMismatch<"celery.chain", { expects: [text: string]; given: number; }>'.
chain(add.s(1, 2), chain(upper.s(), len.s()))

//# refused: the result of a chain in a chain does not fit
//! TS2741 Property ''✗ this step does not accept the result before it'' is missing in type 'TaskSignature<"tasks.pow", [x: number, e?: number | undefined], number>' but required in type 'StepMismatch<"tasks.pow", { expects: [x: number, e?: number | undefined]; given: string; }>'.
chain(chain(add.s(1, 2), show.s()), pow.s())

//# refused: a chain that begins with a partial wants the rest
//! TS2554 Expected 1 arguments, but got 0.
void chain(add.s(2), show.s()).delay()

//# refused: a chain that begins with a whole step takes no more
//! TS2554 Expected 0 arguments, but got 1.
void chain(add.s(1, 2), show.s()).delay(1)

//# refused: the chain gives a text
//! TS2551 Property 'toFixed' does not exist on type 'string'. Did you mean 'fixed'?
const sent = await chain(add.s(1, 2), show.s()).delay()
;(await sent.get()).toFixed()

//# refused: pipe into a step that does not fit
//! TS2741 Property ''✗ this step does not accept the result before it'' is missing in type 'TaskSignature<"tasks.upper", [text: string], string>' but required in type 'StepMismatch<"tasks.upper", { expects: [text: string]; given: number; }>'.
add.s(1, 2).pipe(upper.s())

//# refused: pipe after pipe
//! TS2741 Property ''✗ this step does not accept the result before it'' is missing in type 'TaskSignature<"tasks.pow", [x: number, e?: number | undefined], number>' but required in type 'StepMismatch<"tasks.pow", { expects: [x: number, e?: number | undefined]; given: string; }>'.
add.s(1, 2).pipe(show.s()).pipe(pow.s())

//# refused: pipe of nothing into a step that wants something
//! TS2741 Property ''✗ this step does not accept the result before it'' is missing in type 'TaskSignature<"tasks.upper", [text: string], string>' but required in type 'StepMismatch<"tasks.upper", { hint: "the step before gives nothing: use .si()"; expects: [text: string]; }>'.
notify.s('x').pipe(upper.s())

//# refused: pipe into a task
//! TS2741 Property ''✗ this step does not accept the result before it'' is missing in type 'Task<"tasks.show", (n: number, digits?: number | undefined) => Promise<string>>' but required in type 'StepMismatch<string, { expects: never; given: number; }>'.
add.s(1, 2).pipe(show)

//# refused: steps made at run time that do not follow each other
//! TS2345 Argument of type 'TaskSignature<"tasks.show", [n: number, digits?: number | undefined], string>[]' is not assignable to parameter of type 'Iterable<TaskSignature<"tasks.show", [n: number, digits?: number | undefined], string> & StepMismatch<"tasks.show", { expects: [n: number, digits?: number | und…'.
chainOf([1, 2].map((n) => show.s()))

//# refused: whole steps made at run time take no result
//! TS2345 Argument of type 'TaskSignature<"tasks.add", [], number>[]' is not assignable to parameter of type 'Iterable<TaskSignature<"tasks.add", [], number> & StepMismatch<"tasks.add", { expects: []; given: number; }>>'.
chainOf([1, 2].map((n) => add.s(n, n)))

//# refused: a chain made at run time wants what its first step wants
//! TS2554 Expected 1 arguments, but got 0.
void chainOf([1, 2].map((n) => add.s(n))).delay()

//# refused: a step whose result was made null by the wire
//! TS2741 Property ''✗ this step does not accept the result before it'' is missing in type 'TaskSignature<"tasks.upper", [text: string], string>' but required in type 'StepMismatch<"tasks.upper", { expects: [text: string]; given: string | null; }>'.
const first = task('t', (): string | undefined => undefined)
first.s().pipe(upper.s())

//# refused: what a remote task gives does not fit
//! TS2741 Property ''✗ this step does not accept the result before it'' is missing in type 'TaskSignature<"tasks.upper", [text: string], string>' but required in type 'StepMismatch<"tasks.upper", { expects: [text: string]; given: { loss: number; }; }>'.
chain(train.s('mnist', 3), upper.s())

//# refused: a remote task does not take the result
//! TS2741 Property ''✗ this step does not accept the result before it'' is missing in type 'TaskSignature<string, [dataset: string], { loss: number; }>' but required in type 'StepMismatch<string, { expects: [dataset: string]; given: number; }>'.
chain(add.s(1, 2), train.s(3))
