// Defining tasks: options, hooks, shared and remote ones, settings, the context.

//# compiles: the type of a task is that of its function
const one = app.task('t', (x: number, label?: string) => ({ x, label: label ?? 'none' }))
same<Given<ReturnType<typeof one.si>>, { x: number; label: string }>()

//# compiles: options before the function
const one = app.task('t', { maxRetries: 3, queue: 'low', acksLate: true }, (x: number) => x)
same<Parameters<typeof one.delay>, [x: number]>()

//# compiles: an asynchronous function
const one = app.task('t', async (ms: number) => {
  await new Promise((resolve) => setTimeout(resolve, ms))
  return ms
})
same<Given<ReturnType<typeof one.si>>, number>()

//# compiles: a function that gives a promise or not
const one = app.task('t', (now: boolean): number | Promise<number> =>
  now ? 1 : Promise.resolve(1),
)
same<Given<ReturnType<typeof one.si>>, number>()

//# compiles: a function that gives nothing
const one = app.task('t', () => {})
same<Given<ReturnType<typeof one.si>>, void>()

//# compiles: undefined in a result arrives as null
const one = app.task('t', (): string | undefined => 'a')
same<Given<ReturnType<typeof one.si>>, string | null>()
same<ReturnType<typeof one>, string | undefined>()

//# compiles: a function that uses its context
const one = app.task('t', async function (url: string) {
  same<typeof this, TaskContext>()
  await this.updateState('PROGRESS', { url })
  await this.sendEvent('task-progress', { url })
  this.log.info('working')
  this.signal.throwIfAborted()
  return this.request.retries
})
same<Parameters<typeof one.delay>, [url: string]>()

//# compiles: a function that tries again
app.task('t', { maxRetries: null }, function (x: number) {
  if (this.request.retries < 3) throw this.retry({ countdown: 5, cause: new Error('later') })
  return x
})

//# compiles: a task that is replaced
app.task('t', function (x: number) {
  if (x > 3) throw this.replace(add.s(x, 1))
  throw this.replace(chain(add.s(x, 1), show.s()))
})

//# compiles: a task that adds to its chord
app.task('t', async function (x: number) {
  const id = await this.addToChord(add.s(x, 1))
  return id.length
})

//# compiles: the current task, where there is one
const current = currentTask()
same<typeof current, TaskContext | undefined>()
void current?.updateState('PROGRESS')

//# compiles: hooks have the context as their this
app.task(
  't',
  {
    before(request) {
      same<typeof this, TaskContext>()
      same<typeof request, TaskRequest>()
    },
    onSuccess(value, request) {
      this.log.info(`${request.id} ${typeof value}`)
    },
    onFailure(error) {
      this.log.error(String(error))
    },
    onRetry() {},
    after(outcome) {
      void outcome.state
    },
  },
  (x: number) => x,
)

//# compiles: errors to try again by class, name and test
app.task(
  't',
  { autoretryFor: [RangeError, 'ConnectionError', (e) => e instanceof Error], retryBackoff: 2 },
  (x: number) => x,
)

//# compiles: what must not be seen
app.task('t', { redact: { args: [0, 'password'], result: true } }, (password: string) => password)

//# compiles: options kept in a variable
const options: celeriac.TaskOptions = { maxRetries: 3 }
const one = app.task('t', options, (x: number, y: string) => `${x}${y}`)
same<Parameters<typeof one.delay>, [x: number, y: string]>()

//# compiles: a shared task
const one = sharedTask('shared', (x: number) => x * 2)
void one.delay(1)
void chain(add.s(1, 2), one.s(), show.s()).delay()

//# compiles: a shared task of an app
const one = sharedTask('shared', (x: number) => x * 2)
void one.of(app).delay(1)
same<ReturnType<typeof one>, number>()

//# compiles: a shared task with options and its context
const one = sharedTask('shared', { maxRetries: 2 }, function (x: number) {
  return x + this.request.retries
})
void one.delay(1)

//# compiles: a remote task
const one = app.remote<(rows: number) => { auc: number }>('ml.train', { queue: 'ml' })
const sent = await one.delay(3)
same<typeof sent, AsyncResult<{ auc: number }>>()

//# compiles: a remote task with a promise as its result
const one = app.remote<(rows: number) => Promise<number>>('ml.train')
same<Given<ReturnType<typeof one.si>>, number>()

//# compiles: a remote task of the type of a task elsewhere
const one = app.remote<typeof add>('tasks.add')
void one.delay(1, 2)

//# compiles: settings
new Celeriac('typed', {
  broker: 'memory://',
  backend: 'memory://',
  taskAlwaysEager: true,
  workerConcurrency: 2,
})

//# compiles: settings later
app.configFromObject({ taskTimeLimit: 5 }).configFromObject('./celeryconfig.ts')

//# compiles: the type parameter of a generic handler is unknown
const generic = app.task('t', <T>(x: T) => x)
const sent = await generic.delay(3)
same<typeof sent, AsyncResult<unknown>>()

//# compiles: a generic handler whose parameter has a bound
const first = app.task('t', <T extends { id: string }>(x: T) => x.id)
void first.delay({ id: 'a' })

//# compiles: of an overloaded handler the last overload counts
function over(x: string): string
function over(x: number): number
function over(x: string | number): string | number {
  return x
}
const one = app.task('t', over)
same<Parameters<typeof one.delay>, [x: number]>()

//# compiles: destructured parameters
const one = app.task('t', ({ id, name }: { id: number; name: string }) => `${id}${name}`)
void one.delay({ id: 1, name: 'a' })

//# compiles: a function over any task of numbers
const twice = async (
  one: celeriac.Task<string, (x: number, y: number) => number>,
): Promise<number> => {
  const sent = await one.delay(1, 2)
  return (await sent.get()) * 2
}
void twice

//# compiles: periodic tasks
app.addPeriodicTask(10, add, { args: [1, 2] })
app.addPeriodicTask(celeriac.crontab({ hour: 5 }), 'tasks.add', { name: 'morning', args: [1, 2] })

//# refused: an option is misspelt
//! TS2353 Object literal may only specify known properties, and 'maxRetry' does not exist in type 'OptionsWith<ArgumentsSchema, Schema>'.
app.task('t', { maxRetry: 3 }, (x: number) => x)

//# refused: an option has the wrong type
//! TS2322 Type 'string' is not assignable to type 'number'.
app.task('t', { maxRetries: '3' }, (x: number) => x)

//# refused: a task without a function
//! TS2554 Expected 2-3 arguments, but got 1.
app.task('t')

//# refused: a task without a name
//! TS2554 Expected 2-3 arguments, but got 1.
app.task((x: number) => x)

//# refused: options without a function
//! TS2353 Object literal may only specify known properties, and 'maxRetries' does not exist in type 'AnyFunction & Needing<unknown>'.
app.task('t', { maxRetries: 3 })

//# refused: options behind the function
//! TS2559 Type '(x: number) => number' has no properties in common with type 'OptionsWith<ArgumentsSchema, Schema>'.
app.task('t', (x: number) => x, { maxRetries: 3 })

//# refused: a function that wants another this
//! TS2345 Argument of type '(this: Date, x: number) => number' is not assignable to parameter of type 'AnyFunction & Needing<unknown>'.
app.task('t', function (this: Date, x: number) {
  return this.getTime() + x
})

//# refused: a method of the context that does not exist
//! TS2339 Property 'progress' does not exist on type 'TaskContext'.
app.task('t', function (x: number) {
  return this.progress(x)
})

//# refused: the request is read-only
//! TS2540 Cannot assign to 'retries' because it is a read-only property.
app.task('t', function (x: number) {
  this.request.retries = 0
  return x
})

//# refused: retry has no such option
//! TS2561 Object literal may only specify known properties, but 'countDown' does not exist in type 'RetryOptions'. Did you mean to write 'countdown'?
app.task('t', function (x: number) {
  throw this.retry({ countDown: 5 })
})

//# refused: retry with a countdown that is a text
//! TS2322 Type 'string' is not assignable to type 'number'.
app.task('t', function (x: number) {
  throw this.retry({ countdown: '5' })
})

//# refused: replaced by a task instead of a signature
//! TS2739 Type 'Task<"tasks.add", (x: number, y: number) => number>' is missing the following properties from type 'WholeSignature': …
app.task('t', function (x: number) {
  throw this.replace(add)
})

//# refused: replaced by what still wants something
//! TS2345 Argument of type 'TaskSignature<"tasks.add", [x: number], number>' is not assignable to parameter of type 'WholeSignature'.
app.task('t', function (x: number) {
  throw this.replace(add.s(x))
})

//# refused: what is added to a chord must be whole
//! TS2345 Argument of type 'TaskSignature<"tasks.add", [x: number], number>' is not assignable to parameter of type 'WholeSignature'.
app.task('t', async function (x: number) {
  await this.addToChord(add.s(x))
})

//# refused: a state is a text
//! TS2345 Argument of type '{ done: number; }' is not assignable to parameter of type 'string'.
app.task('t', async function (x: number) {
  await this.updateState({ done: x })
})

//# refused: an event has a type
//! TS2345 Argument of type '{ x: number; }' is not assignable to parameter of type 'string'.
app.task('t', async function (x: number) {
  await this.sendEvent({ x })
})

//# refused: there may be no current task
//! TS2532 Object is possibly 'undefined'.
currentTask().request

//# refused: a hook that does not exist
//! TS2561 Object literal may only specify known properties, but 'onSucces' does not exist in type 'OptionsWith<ArgumentsSchema, Schema>'. Did you mean to write 'onSuccess'?
app.task('t', { onSucces() {} }, (x: number) => x)

//# refused: a hook that wants the value as a number
//! TS2322 Type '(value: number) => void' is not assignable to type '(this: TaskContext, value: unknown, request: TaskRequest) => unknown'.
app.task('t', { onSuccess(value: number) {} }, (x: number) => x)

//# refused: a hook that wants another this
//! TS2322 Type '(this: Date) => void' is not assignable to type '(this: TaskContext, request: TaskRequest) => unknown'.
app.task('t', { before(this: Date) {} }, (x: number) => x)

//# refused: errors to try again are classes of errors
//! TS2322 Type 'DateConstructor' is not assignable to type 'ErrorMatcher'.
app.task('t', { autoretryFor: [Date] }, (x: number) => x)

//# refused: a shared task with the wrong argument
//! TS2345 Argument of type 'string' is not assignable to parameter of type 'number'.
const one = sharedTask('shared', (x: number) => x)
void one.delay('1')

//# refused: a shared task of something that is no app
//! TS2345 Argument of type 'string' is not assignable to parameter of type 'Celeriac'.
const one = sharedTask('shared', (x: number) => x)
one.of('app')

//# refused: a shared task with a misspelt option
//! TS2353 Object literal may only specify known properties, and 'maxRetry' does not exist in type 'OptionsWith<ArgumentsSchema, Schema>'.
sharedTask('shared', { maxRetry: 3 }, (x: number) => x)

//# refused: a remote task cannot be called here
//! TS2349 This expression is not callable.
train('mnist', 3)

//# refused: a remote task with the wrong argument
//! TS2345 Argument of type 'number' is not assignable to parameter of type 'string'.
void train.delay(3, 'mnist')

//# refused: a remote task with too few arguments
//! TS2554 Expected 2 arguments, but got 1.
void train.delay('mnist')

//# refused: a remote task needs the type of a function
//! TS2344 Type 'number' does not satisfy the constraint 'AnyFunction'.
app.remote<number>('ml.train')

//# refused: a remote task with a misspelt option
//! TS2353 Object literal may only specify known properties, and 'que' does not exist in type 'TaskOptions'.
app.remote<(x: number) => number>('ml.train', { que: 'ml' })

//# refused: a setting is misspelt
//! TS2561 Object literal may only specify known properties, but 'workerConcurency' does not exist in type 'AppOptions'. Did you mean to write 'workerConcurrency'?
new Celeriac('typed', { workerConcurency: 2 })

//# refused: a setting has the wrong type
//! TS2322 Type 'string' is not assignable to type 'boolean | undefined'.
new Celeriac('typed', { taskAlwaysEager: 'yes' })

//# refused: a setting by its Python name
//! TS2561 Object literal may only specify known properties, but 'task_time_limit' does not exist in type 'Settings'. Did you mean to write 'taskTimeLimit'?
app.configFromObject({ task_time_limit: 5 })

//# refused: the name of an app is a text
//! TS2345 Argument of type 'number' is not assignable to parameter of type 'string'.
new Celeriac(5)

//# refused: unannotated parameters have no type
//! TS2345 Argument of type '(this: TaskContext, x: never) => never' is not assignable to parameter of type '((this: TaskContext, x: never) => never) & Needing<{ readonly 'cannot be sent': "args[0] has no type"; }>'.
app.task('t', (x) => x)

//# refused: a task of another function is not that task
//! TS2322 Type 'Task<"tasks.add", (x: number, y: number) => number>' is not assignable to type 'Task<"tasks.add", (x: string) => number>'.
const one: celeriac.Task<'tasks.add', (x: string) => number> = add
