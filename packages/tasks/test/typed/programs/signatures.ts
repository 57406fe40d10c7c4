// Signatures of one task: partial ones, immutable ones, with options.

//# compiles: a whole signature wants nothing
const one = add.s(1, 2)
same<Parameters<typeof one.delay>, []>()
void one.delay()

//# compiles: what is given are the last arguments
const one = add.s(2)
same<Parameters<typeof one.delay>, [x: number]>()
void one.delay(1)

//# compiles: an empty signature wants everything
const one = add.s()
same<Parameters<typeof one.delay>, [x: number, y: number]>()

//# compiles: with an optional parameter both places are open
void show.s(3).delay()
void show.s(3).delay(10)
void show.s().delay(1)
void show.s().delay(1, 2)

//# compiles: of different types only one place fits
const labelled = task('t', (name: string, digits?: number) => `${name}${digits}`)
const one = labelled.s(3)
same<Parameters<typeof one.delay>, [name: string]>()

//# compiles: rest parameters may be given in two parts
void total.s(1, 2).delay(3, 4)

//# compiles: the result of a signature is that of its task
const one = show.s(1, 2)
same<Given<typeof one>, string>()

//# compiles: an immutable signature is whole
const one = add.si(1, 2)
same<typeof one.immutable, true>()
void one.delay()

//# compiles: any whole signature can be made immutable
const one = add.s(1, 2).asImmutable()
same<typeof one.immutable, true>()
same<Given<typeof one>, number>()

//# compiles: with optional parameters it is whole as well
void pow.s(2).asImmutable().delay()

//# compiles: set keeps the type
const one = add.s(2).set({ countdown: 5, queue: 'low' })
same<Parameters<typeof one.delay>, [x: number]>()
same<Given<typeof one>, number>()

//# compiles: set takes an id
void add.s(1, 2).set({ taskId: 'my-id' }).delay()

//# compiles: clone without arguments is the same
const one = add.s(2).clone()
same<Parameters<typeof one.delay>, [x: number]>()

//# compiles: clone fills in from the end
const one = add.s().clone([2])
same<Parameters<typeof one.delay>, [x: number]>()
void one.delay(1)

//# compiles: clone fills in everything
const one = add.s().clone([1, 2])
same<Parameters<typeof one.delay>, []>()

//# compiles: clone takes keywords and options
void scaled
  .s(kw({ unit: 'm' }))
  .clone([1], { scale: 2 }, { queue: 'low' })
  .delay()

//# compiles: signature takes a list and options
const one = add.signature([1, 2], { countdown: 5 })
same<Parameters<typeof one.delay>, []>()

//# compiles: applyAsync of a partial takes the rest as a list
void add.s(2).applyAsync([1], { countdown: 5 })

//# compiles: applyAsync of a partial takes a read-only list
const rest = [1] as const
void add.s(2).applyAsync(rest)

//# compiles: apply of a signature runs it here
const done = await add.s(2).apply([1], { throw: true })
same<typeof done, AsyncResult<number>>()

//# compiles: stamp keeps the type
const one = add.s(2).stamp({ tenant: 'a' })
same<Parameters<typeof one.delay>, [x: number]>()

//# compiles: stamp takes a visitor
void add.s(1, 2).stamp({}, { visitor: { onSignature: () => ({ tenant: 'a' }) }, append: true })

//# compiles: a signature of any kind by its name
const one = app.signature('some.task', [1], { kwargs: { a: 1 }, queue: 'q' })
void one.delay()
void one.delay(1, 'two')
same<Given<typeof one>, unknown>()

//# compiles: a signature from its JSON
const json: object = JSON.parse(JSON.stringify(add.s(2)))
void app.signature(json).delay(1)

//# compiles: a signature has its JSON
same<ReturnType<ReturnType<typeof add.s>['toJSON']>, object>()

//# compiles: signatures are kept in lists
const list = [1, 2, 3].map((n) => add.s(n))
void list[0]?.delay(1)

//# compiles: signatures of different tasks have a common type
const list: AnySignature[] = [add.s(1), upper.s('a'), group(add.s(1, 2))]
void list.length

//# compiles: a signature can be written as a type
const one: SignatureOf<'tasks.add', [x: number], number> = add.s(2)
void one.delay(1)

//# compiles: short names for the kinds of signatures
const one: celeriac.TaskSignature<'tasks.add', [x: number], number> = add.s(2)
const two: celeriac.ImmutableSignature<'tasks.add', number> = add.si(1, 2)
const three: celeriac.ChainSignature<[], string> =
  chain(one, two, show.s()).clone([1]) && chain(two, show.s())
const four: celeriac.GroupSignature<[], [number, number]> = group(two, two)
void [three, four]

//# compiles: a function over whole signatures
const later = (one: celeriac.WholeSignature): string => one.name
later(add.s(1, 2))
later(chain(add.s(1), show.s()).clone([1]))

//# refused: text is no number
//! TS2345 Argument of type 'string' is not assignable to parameter of type 'number'.
add.s('two')

//# refused: the second of two is wrong
//! TS2345 Argument of type 'string' is not assignable to parameter of type 'number'.
add.s(1, 'two')

//# refused: the first of two is wrong
//! TS2345 Argument of type 'string' is not assignable to parameter of type 'number'.
add.s('one', 2)

//# refused: too many arguments
//! TS2554 Expected 0-2 arguments, but got 3.
add.s(1, 2, 3)

//# refused: an optional parameter of the wrong type
//! TS2345 Argument of type '[1, "two"]' is not assignable to parameter of type '[] | [digits?: number | undefined] | [n: number, digits?: number | undefined]'.
show.s(1, 'two')

//# refused: too many with an optional parameter
//! TS2345 Argument of type '[1, 2, 3]' is not assignable to parameter of type '[] | [digits?: number | undefined] | [n: number, digits?: number | undefined]'.
show.s(1, 2, 3)

//# refused: rest parameters of the wrong type
//! TS2345 Argument of type 'string' is not assignable to parameter of type 'number'.
total.s(1, 'two')

//# refused: a partial that still wants one
//! TS2554 Expected 1 arguments, but got 0.
void add.s(2).delay()

//# refused: a partial that wants a number
//! TS2345 Argument of type 'string' is not assignable to parameter of type 'number'.
void add.s(2).delay('one')

//# refused: a partial that wants one, not two
//! TS2554 Expected 1 arguments, but got 2.
void add.s(2).delay(0, 1)

//# refused: a whole signature takes no more
//! TS2554 Expected 0 arguments, but got 1.
void add.s(1, 2).delay(3)

//# refused: an immutable signature must be whole
//! TS2554 Expected 2 arguments, but got 1.
add.si(1)

//# refused: an immutable signature has types
//! TS2345 Argument of type 'string' is not assignable to parameter of type 'number'.
add.si(1, 'two')

//# refused: an immutable signature takes no more
//! TS2554 Expected 0 arguments, but got 1.
void add.si(1, 2).delay(3)

//# refused: what still wants arguments cannot be made immutable
//! TS2684 The 'this' context of type 'TaskSignature<"tasks.add", [x: number], number>' is not assignable to method's 'this' of type 'WholeSignature'.
add.s(2).asImmutable()

//# refused: set has no such option
//! TS2561 Object literal may only specify known properties, but 'countDown' does not exist in type 'SignatureOptions'. Did you mean to write 'countdown'?
add.s(1, 2).set({ countDown: 5 })

//# refused: set with a countdown that is a text
//! TS2322 Type 'string' is not assignable to type 'number'.
add.s(1, 2).set({ countdown: '5' })

//# refused: set takes no signature as a link
//! TS2322 Type 'TaskSignature<"tasks.show", [n: number, digits?: number | undefined], string>' is not assignable to type 'Signature'.
add.s(1, 2).set({ link: [show.s()] })

//# refused: clone with too many arguments
//! TS2322 Type 'number' is not assignable to type 'undefined'.
add.s(2).clone([1, 2])

//# refused: clone with the wrong type
//! TS2322 Type 'string' is not assignable to type 'number'.
add.s(2).clone(['one'])

//# refused: what clone leaves open is wanted
//! TS2554 Expected 1 arguments, but got 0.
void add.s().clone([2]).delay()

//# refused: signature must be whole
//! TS2345 Argument of type '[number]' is not assignable to parameter of type 'readonly [x: number, y: number]'.
add.signature([1])

//# refused: signature with the wrong type
//! TS2322 Type 'string' is not assignable to type 'number'.
add.signature([1, 'two'])

//# refused: applyAsync of a partial without the rest
//! TS2345 Argument of type '[]' is not assignable to parameter of type 'readonly [x: number]'.
void add.s(2).applyAsync([])

//# refused: applyAsync of a partial with the wrong rest
//! TS2322 Type 'string' is not assignable to type 'number'.
void add.s(2).applyAsync(['one'])

//# refused: a signature is no result
//! TS2322 Type 'TaskSignature<"tasks.add", [], number>' is not assignable to type 'number'.
const n: number = add.s(1, 2)

//# refused: a signature cannot be calculated with
//! TS2365 Operator '+' cannot be applied to types 'TaskSignature<"tasks.add", [], number>' and 'number'.
add.s(1, 2) + 1

//# refused: a signature is no task
//! TS2339 Property 's' does not exist on type 'TaskSignature<"tasks.add", [], number>'.
add.s(1, 2).s(3)

//# refused: a signature cannot be called
//! TS2349 This expression is not callable.
add.s(1, 2)()

//# refused: awaiting a signature does not send it
//! TS2322 Type 'TaskSignature<"tasks.add", [], number>' is not assignable to type 'number'.
const n: number = await add.s(1, 2)

//# refused: a signature has no result to get
//! TS2339 Property 'get' does not exist on type 'TaskSignature<"tasks.add", [], number>'.
await add.s(1, 2).get()

//# refused: a visitor must say what it does with signatures
//! TS2741 Property 'onSignature' is missing in type '{}' but required in type 'StampingVisitor'.
add.s(1, 2).stamp({}, { visitor: {} })

//# refused: only groups can be skewed
//! TS2339 Property 'skew' does not exist on type 'TaskSignature<"tasks.add", [], number>'.
add.s(1, 2).skew(1)

//# refused: a signature by name needs a list of arguments
//! TS2345 Argument of type 'number' is not assignable to parameter of type 'readonly unknown[]'.
app.signature('some.task', 1)

//# refused: the unknown result of a signature by name
//! TS2322 Type 'unknown' is not assignable to type 'number'.
const one = await app.signature('some.task').delay()
const n: number = await one.get()

//# refused: a list of signatures of another result
//! TS2322 Type 'TaskSignature<"tasks.add", [], number>' is not assignable to type 'SignatureOf<"tasks.add", [], string, false, AsyncResult<string>>'.
const list: SignatureOf<'tasks.add', [], string>[] = [add.s(1, 2)]

//# refused: a function over whole signatures gets a partial one
//! TS2345 Argument of type 'TaskSignature<"tasks.add", [x: number], number>' is not assignable to parameter of type 'WholeSignature'.
const later = (one: celeriac.WholeSignature): string => one.name
later(add.s(1))
