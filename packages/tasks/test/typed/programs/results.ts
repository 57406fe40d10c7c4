// Handles: what they give, and what can be asked.

//# compiles: the methods of a handle
const one = await add.delay(1, 2)
same<typeof one.id, string>()
same<Awaited<ReturnType<typeof one.ready>>, boolean>()
same<Awaited<ReturnType<typeof one.successful>>, boolean>()
same<Awaited<ReturnType<typeof one.failed>>, boolean>()
await one.forget()

//# compiles: get waits for so many seconds
const one = await add.delay(1, 2)
const n: number = await one.get({ timeout: 5, signal: AbortSignal.timeout(1000) })
void n

//# compiles: a group waits for all
const two = await group(add.s(1, 2), upper.s('a')).delay()
const [n, text] = await two.get({ timeout: 5 })
same<typeof n, number>()
same<typeof text, string>()

//# compiles: a group of many gives a list
const many = await groupOf([1, 2].map((n) => add.s(n, n))).delay()
for (const n of await many.get()) same<typeof n, number>()

//# compiles: join is get
const two = await group(add.s(1, 2), upper.s('a')).delay()
same<Awaited<ReturnType<typeof two.join>>, [number, string]>()

//# compiles: results of a group as they come
const two = await group(add.s(1, 2), upper.s('a')).delay()
for await (const { index, value } of two.iterate({ timeout: 5 })) {
  same<typeof index, number>()
  same<typeof value, string | number>()
}

//# compiles: a list of handles
const all: AsyncResult<number>[] = [await add.delay(1, 2)]
const sums: number[] = await Promise.all(all.map((one) => one.get()))
void sums

//# compiles: a handle of anything
const one: AsyncResult = await add.delay(1, 2)
same<Awaited<ReturnType<typeof one.get>>, unknown>()

//# compiles: a handle or a group, by its common type
const handles: celeriac.ResultHandle[] = [await add.delay(1, 2), await group(ping.s()).delay()]
void handles[0]?.get()

//# compiles: a group that was saved
const group1 = await app.restoreGroup('id')
same<typeof group1, GroupResult | undefined>()

//# refused: a result before it was got
//! TS2365 Operator '+' cannot be applied to types 'AsyncResult<number>' and 'number'.
const one = await add.delay(1, 2)
one + 1

//# refused: a result of another type
//! TS2322 Type 'AsyncResult<number>' is not assignable to type 'AsyncResult<string>'.
const one: AsyncResult<string> = await add.delay(1, 2)

//# refused: a handle that is not awaited
//! TS2740 Type 'Promise<AsyncResult<number>>' is missing the following properties from type 'AsyncResult<number>': …
const one: AsyncResult<number> = add.delay(1, 2)

//# refused: a result that is not awaited
//! TS2322 Type 'Promise<number>' is not assignable to type 'number'.
const one = await add.delay(1, 2)
const n: number = one.get()

//# refused: a group handle is no task handle
//! TS2740 Type 'GroupResult<[number]>' is missing the following properties from type 'AsyncResult<number>': …
const one: AsyncResult<number> = await group(add.s(1, 2)).delay()

//# refused: the tuple of a group in another order
//! TS2322 Type '[number, string]' is not assignable to type '[string, number]'.
const two = await group(add.s(1, 2), upper.s('a')).delay()
const [text, n]: [string, number] = await two.get()

//# refused: a saved group may be missing
//! TS18048 'one' is possibly 'undefined'.
const one = await app.restoreGroup('id')
one.get()

//# refused: an id is a text
//! TS2345 Argument of type 'number' is not assignable to parameter of type 'string'.
await app.result(5)

//# refused: the state has to be awaited
//! TS2367 This comparison appears to be unintentional because the types 'Promise<string>' and '"SUCCESS"' have no overlap.
const one = await add.delay(1, 2)
one.state === 'SUCCESS'
