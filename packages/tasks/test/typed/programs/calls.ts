// Sending a task: delay, applyAsync, applyAsyncMany, apply, and calling it as the function it is.

//# compiles: delay gives a handle of the result
const sent = await add.delay(1, 2)
same<typeof sent, AsyncResult<number>>()
same<Awaited<ReturnType<typeof sent.get>>, number>()

//# compiles: delay keeps the names of parameters
same<Parameters<typeof add.delay>, [x: number, y: number]>()

//# compiles: an optional parameter may be left out
void show.delay(1)
void show.delay(1, 2)

//# compiles: a parameter with a default may be left out
void pow.delay(3)
same<Parameters<typeof pow.delay>, [x: number, e?: number | undefined]>()

//# compiles: rest parameters take any number
void total.delay()
void total.delay(1, 2, 3)

//# compiles: applyAsync takes the arguments as a list
const sent = await add.applyAsync([1, 2])
same<typeof sent, AsyncResult<number>>()

//# compiles: applyAsync takes a read-only list
const args = [1, 2] as const
void add.applyAsync(args)

//# compiles: applyAsync takes execution options
void add.applyAsync([1, 2], { countdown: 5, queue: 'low', priority: 3, expires: 60 })

//# compiles: eta is a date or a text
void add.applyAsync([1, 2], { eta: new Date() })
void add.applyAsync([1, 2], { eta: '2030-01-01T00:00:00Z', expires: new Date() })

//# compiles: applyAsync links what takes the result
void add.applyAsync([1, 2], { link: show.s() })

//# compiles: applyAsync links several, immutable ones too
void add.applyAsync([1, 2], { link: [show.s(), ping.si(), add.s(1)] })

//# compiles: applyAsync links error callbacks of both kinds
void add.applyAsync([1, 2], { linkError: [clean.s(), failing.s(), ping.si()] })

//# compiles: applyAsyncMany takes lists of arguments
const all = await add.applyAsyncMany([
  [1, 2],
  [3, 4],
])
same<typeof all, AsyncResult<number>[]>()

//# compiles: applyAsyncMany takes a generator
function* pairs(): Generator<[number, number]> {
  yield [1, 2]
}
void add.applyAsyncMany(pairs(), { countdown: 1 })

//# compiles: applyAsyncMany takes read-only lists
const rows: readonly (readonly [number, number])[] = [[1, 2]]
void add.applyAsyncMany(rows)

//# compiles: apply runs it here
const done = await add.apply([1, 2], { throw: true })
same<typeof done, AsyncResult<number>>()

//# compiles: a task is the function it was made from
same<ReturnType<typeof add>, number>()
const three: number = add(1, 2)
void three

//# compiles: the function of an asynchronous task gives a promise, its result does not
same<ReturnType<typeof show>, Promise<string>>()
const sent = await show.delay(1)
same<typeof sent, AsyncResult<string>>()

//# compiles: a task that uses its context is called without one
void bound('x')
void bound.delay('x')

//# compiles: the name of a task is a literal
same<typeof add.name, 'tasks.add'>()

//# compiles: a task belongs to an app
same<typeof add.app, Celeriac>()

//# compiles: sendTask takes any name and arguments
const sent = await app.sendTask('some.task', [1, 'two'], { queue: 'q', kwargs: { a: 1 } })
same<typeof sent, AsyncResult<unknown>>()

//# compiles: the result of an id is unknown until it is said
const one = await app.result('id')
same<typeof one, AsyncResult<unknown>>()
const two = await app.result<number>('id')
same<typeof two, AsyncResult<number>>()

//# compiles: stamps and headers travel with a call
void add.applyAsync([1, 2], { stamps: { tenant: 'a' }, headers: { trace: 'x' } })

//# refused: text is no number
//! TS2345 Argument of type 'string' is not assignable to parameter of type 'number'.
void add.delay('2', 3)

//# refused: null is no number
//! TS2345 Argument of type 'null' is not assignable to parameter of type 'number'.
void add.delay(null, 3)

//# refused: undefined is no number
//! TS2345 Argument of type 'undefined' is not assignable to parameter of type 'number'.
void add.delay(undefined, 3)

//# refused: an argument is missing
//! TS2554 Expected 2 arguments, but got 1.
void add.delay(1)

//# refused: there are too many arguments
//! TS2554 Expected 2 arguments, but got 3.
void add.delay(1, 2, 3)

//# refused: a task without parameters takes no argument
//! TS2554 Expected 0 arguments, but got 1.
void ping.delay(1)

//# refused: the optional parameter has a type, too
//! TS2345 Argument of type 'string' is not assignable to parameter of type 'number'.
void show.delay(1, 'two')

//# refused: rest parameters have a type
//! TS2345 Argument of type 'string' is not assignable to parameter of type 'number'.
void total.delay(1, 'two')

//# refused: applyAsync with too few arguments
//! TS2345 Argument of type '[number]' is not assignable to parameter of type 'readonly [x: number, y: number]'.
void add.applyAsync([1])

//# refused: applyAsync with arguments of the wrong type
//! TS2322 Type 'string' is not assignable to type 'number'.
void add.applyAsync([1, 'two'])

//# refused: applyAsync wants a list
//! TS2345 Argument of type 'number' is not assignable to parameter of type 'readonly [x: number, y: number]'.
void add.applyAsync(1, 2)

//# refused: an option is misspelt
//! TS2561 Object literal may only specify known properties, but 'countDown' does not exist in type 'CallOptions<number>'. Did you mean to write 'countdown'?
void add.applyAsync([1, 2], { countDown: 5 })

//# refused: countdown is a number
//! TS2322 Type 'string' is not assignable to type 'number'.
void add.applyAsync([1, 2], { countdown: '5' })

//# refused: eta is no number
//! TS2322 Type 'number' is not assignable to type 'string | Date | undefined'.
void add.applyAsync([1, 2], { eta: 5 })

//# refused: queue is a text
//! TS2322 Type 'number' is not assignable to type 'string'.
void add.applyAsync([1, 2], { queue: 5 })

//# refused: priority is a number
//! TS2322 Type 'string' is not assignable to type 'number'.
void add.applyAsync([1, 2], { priority: 'high' })

//# refused: expires is no boolean
//! TS2322 Type 'true' is not assignable to type 'string | number | Date | undefined'.
void add.applyAsync([1, 2], { expires: true })

//# refused: deliveryMode is 1 or 2
//! TS2322 Type '3' is not assignable to type '1 | 2 | undefined'.
void add.applyAsync([1, 2], { deliveryMode: 3 })

//# refused: a Python option by its Python name
//! TS2561 Object literal may only specify known properties, but 'task_id' does not exist in type 'CallOptions<number>'. Did you mean to write 'taskId'?
void add.applyAsync([1, 2], { task_id: 'x' })

//# refused: applyAsync links what does not take the result
//! TS2322 Type 'TaskSignature<"tasks.upper", [text: string], string>' is not assignable to type 'readonly Callback<number>[] | Callback<number> | undefined'.
void add.applyAsync([1, 2], { link: upper.s() })

//# refused: one of several links does not take the result
//! TS2322 Type 'TaskSignature<"tasks.upper", [text: string], string>' is not assignable to type 'Callback<number>'.
void add.applyAsync([1, 2], { link: [show.s(), upper.s()] })

//# refused: an immutable link that is not whole
//! TS2554 Expected 2 arguments, but got 1.
void add.applyAsync([1, 2], { link: add.si(1) })

//# refused: a link that is the task instead of a signature
//! TS2322 Type 'Task<"tasks.show", (n: number, digits?: number | undefined) => Promise<string>>' is not assignable to type 'readonly Callback<number>[] | Callback<number> | undefined'.
void add.applyAsync([1, 2], { link: show })

//# refused: applyAsync with an error callback that takes a number
//! TS2322 Type 'TaskSignature<"tasks.show", [n: number, digits?: number | undefined], string>' is not assignable to type 'readonly TakesFailure[] | TakesFailure | undefined'.
void add.applyAsync([1, 2], { linkError: show.s() })

//# refused: applyAsyncMany with a call that has too few
//! TS2345 Argument of type '([number] | [number, number])[]' is not assignable to parameter of type 'Iterable<readonly [x: number, y: number]>'.
void add.applyAsyncMany([[1, 2], [3]])

//# refused: applyAsyncMany with one call instead of a list of them
//! TS2345 Argument of type 'number[]' is not assignable to parameter of type 'Iterable<readonly [x: number, y: number]>'.
void add.applyAsyncMany([1, 2])

//# refused: apply with the wrong arguments
//! TS2322 Type 'string' is not assignable to type 'number'.
void add.apply(['1', 2])

//# refused: calling a task with the wrong arguments
//! TS2345 Argument of type 'string' is not assignable to parameter of type 'number'.
add(1, '2')

//# refused: sendTask wants a list of arguments
//! TS2345 Argument of type 'number' is not assignable to parameter of type 'readonly unknown[]'.
void app.sendTask('some.task', 1)

//# refused: the result of delay is no result yet
//! TS2322 Type 'AsyncResult<number>' is not assignable to type 'number'.
const sent: number = await add.delay(1, 2)

//# refused: a handle must be awaited before it is asked
//! TS2339 Property 'get' does not exist on type 'Promise<AsyncResult<number>>'.
add.delay(1, 2).get()

//# refused: a number has no text methods
//! TS2339 Property 'toUpperCase' does not exist on type 'number'.
const sent = await add.delay(1, 2)
;(await sent.get()).toUpperCase()

//# refused: get has no such option
//! TS2561 Object literal may only specify known properties, but 'timeOut' does not exist in type 'GetOptions'. Did you mean to write 'timeout'?
const sent = await add.delay(1, 2)
await sent.get({ timeOut: 5 })

//# refused: the timeout of get is a number
//! TS2322 Type 'string' is not assignable to type 'number'.
const sent = await add.delay(1, 2)
await sent.get({ timeout: '5' })
