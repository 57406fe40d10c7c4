// What runs after: link, linkError, onError.

//# compiles: a callback takes the result
const one = add.s(1, 2).link(show.s())
same<Given<typeof one>, number>()

//# compiles: link keeps what is wanted
const one = add.s(2).link(show.s())
same<Parameters<typeof one.delay>, [x: number]>()

//# compiles: an immutable callback takes nothing
add.s(1, 2).link(ping.si()).link(upper.si('x'))

//# compiles: a callback with arguments of its own
add.s(1, 2).link(add.s(3))

//# compiles: a chain as a callback
add.s(1, 2).link(chain(show.s(), upper.s()))

//# compiles: a group as a callback
add.s(1, 2).link(group(show.s(), add.s(1)))

//# compiles: a callback of a chain takes its last result
chain(add.s(1, 2), show.s()).link(upper.s())

//# compiles: a callback of a chord takes the result of the body
chord([add.s(1, 2)], sum.s()).link(show.s())

//# compiles: a callback of a group takes nothing
group(add.s(1, 2), add.s(3, 4)).link(ping.si())

//# compiles: a whole callback of a group
group(add.s(1, 2), add.s(3, 4)).link(ping.s())

//# compiles: a remote callback
const audit = remote<(n: number) => void>('audit')
add.s(1, 2).link(audit.s())

//# compiles: an untyped callback
add.s(1, 2).link(legacy.s())

//# compiles: a callback by its name
add.s(1, 2).link(app.signature('some.task'))

//# compiles: an error callback takes the id
const one = add.s(1, 2).linkError(clean.s())
same<Given<typeof one>, number>()

//# compiles: an error callback takes request, error and traceback
add.s(1, 2).linkError(failing.s())

//# compiles: an error callback takes request and error
const errback = task('t', (request: celeriac.FailedTask, error: Error) => `${request.id}${error}`)
add.s(1, 2).linkError(errback.s())

//# compiles: an error callback takes what arrives by its exact types
const three = task('t', (r: celeriac.FailedTask, e: celeriac.RemoteError, traceback: string) => {
  return `${r.task}${r.rootId}${e.excType}${traceback}`
})
add.s(1, 2).linkError(three.s())

//# compiles: an error callback with a note takes the id
add.s(1, 2).linkError(noted.s('urgent'))

//# compiles: an error callback that takes the first of three, and has the last
const three = task('t', (r: celeriac.FailedTask, e: Error, note: string) => `${r.id}${e}${note}`)
add.s(1, 2).linkError(three.s('urgent'))

//# compiles: an immutable error callback takes nothing
add.s(1, 2).linkError(ping.si()).linkError(upper.si('x'))

//# compiles: an error callback that takes anything
const anything = task('t', (x: unknown) => typeof x)
add.s(1, 2).linkError(anything.s())

//# compiles: an error callback with any number of texts
const texts = task('t', (...all: string[]) => all.length)
add.s(1, 2).linkError(texts.s())

//# compiles: a chain as an error callback takes the id
add.s(1, 2).linkError(chain(clean.s(), show.s()))

//# compiles: a group as an error callback takes the id
add.s(1, 2).linkError(group(clean.s(), upper.s()))

//# compiles: a remote error callback, either way
const one = remote<(id: string) => void>('one')
const three = remote<(request: object, error: unknown, traceback: string) => void>('three')
add.s(1, 2).linkError(one.s()).linkError(three.s())

//# compiles: an untyped error callback
add.s(1, 2).linkError(legacy.s())

//# compiles: an error callback by its name
add.s(1, 2).linkError(app.signature('some.task'))

//# compiles: onError is linkError
chain(add.s(1, 2), show.s()).onError(clean.s())

//# compiles: error callbacks of every kind of workflow
group(add.s(1, 2)).linkError(clean.s())
chord([add.s(1, 2)], sum.s()).linkError(clean.s())
add.si(1, 2).linkError(failing.s())

//# compiles: an error callback with keywords of its own
const keyed = task('t', (id: string, o: Kw<{ note: string }>) => `${id}${o.note}`)
add.s(1, 2).linkError(keyed.s(kw({ note: 'urgent' })))

//# refused: a callback that does not take the result
//! TS2741 Property ''✗ this step does not accept the result before it'' is missing in type 'TaskSignature<"tasks.upper", [text: string], string>' but required in type 'StepMismatch<"tasks.upper", { expects: [text: string]; given: number; }>'.
add.s(1, 2).link(upper.s())

//# refused: a callback that is full
//! TS2741 Property ''✗ this step does not accept the result before it'' is missing in type 'TaskSignature<"tasks.add", [], number>' but required in type 'StepMismatch<"tasks.add", { expects: []; given: number; }>'.
add.s(1, 2).link(add.s(1, 2))

//# refused: a callback that wants more
//! TS2741 Property ''✗ this step does not accept the result before it'' is missing in type 'TaskSignature<"tasks.add", [x: number, y: number], number>' but required in type 'StepMismatch<"tasks.add", { expects: [x: number, y: number]; given: number; }>'.
add.s(1, 2).link(add.s())

//# refused: a callback without parameters
//! TS2741 Property ''✗ this step does not accept the result before it'' is missing in type 'TaskSignature<"tasks.ping", [], "pong">' but required in type 'StepMismatch<"tasks.ping", { expects: []; given: number; }>'.
add.s(1, 2).link(ping.s())

//# refused: a callback after nothing
//! TS2741 Property ''✗ this step does not accept the result before it'' is missing in type 'TaskSignature<"tasks.upper", [text: string], string>' but required in type 'StepMismatch<"tasks.upper", { hint: "the step before gives nothing: use .si()"; expects: [text: string]; }>'.
notify.s('x').link(upper.s())

//# refused: a callback that is a task
//! TS2741 Property ''✗ this step does not accept the result before it'' is missing in type 'Task<"tasks.show", (n: number, digits?: number | undefined) => Promise<string>>' but required in type 'StepMismatch<string, { expects: never; given: number; }>'.
add.s(1, 2).link(show)

//# refused: a callback that is a function
//! TS2345 Argument of type '(n: number) => number' is not assignable to parameter of type 'StepMismatch<string, { expects: never; given: number; }>'.
add.s(1, 2).link((n: number) => n)

//# refused: several callbacks at once
//! TS2741 Property ''✗ this step does not accept the result before it'' is missing in type '(ImmutableSignature<"tasks.ping", "pong"> | TaskSignature<"tasks.show", [n: number, digits?: number | undefined], string>)[]' but required in type 'StepMismatch<string, { expects: never; given: number; }>'.
add.s(1, 2).link([show.s(), ping.si()])

//# refused: a callback of a chain that takes the first result
//! TS2741 Property ''✗ this step does not accept the result before it'' is missing in type 'TaskSignature<"tasks.pow", [x: number, e?: number | undefined], number>' but required in type 'StepMismatch<"tasks.pow", { expects: [x: number, e?: number | undefined]; given: string; }>'.
chain(add.s(1, 2), show.s()).link(pow.s())

//# refused: a callback of a group gets no list
//! TS2741 Property ''✗ this step does not accept the result before it'' is missing in type 'TaskSignature<"tasks.sum", [xs: readonly number[]], number>' but required in type 'StepMismatch<"tasks.sum", { hint: "what is linked to a group gets no result"; expects: [xs: readonly number[]]; }>'.
group(add.s(1, 2), add.s(3, 4)).link(sum.s())

//# refused: a callback of a group gets nothing
//! TS2741 Property ''✗ this step does not accept the result before it'' is missing in type 'TaskSignature<"tasks.show", [n: number, digits?: number | undefined], string>' but required in type 'StepMismatch<"tasks.show", { hint: "what is linked to a group gets no result"; expects: [n: number, digits?: number | undefined]; }>'.
group(add.s(1, 2), add.s(3, 4)).link(show.s())

//# refused: a chain as a callback that does not take the result
//! TS2741 Property ''✗ this step does not accept the result before it'' is missing in type 'ChainSignature<[text: string], number, AsyncResult<number>>' but required in type 'StepMismatch<"celery.chain", { expects: [text: string]; given: number; }>'.
add.s(1, 2).link(chain(upper.s(), len.s()))

//# refused: a group as a callback with a member that does not take the result
//! TS2741 Property ''✗ this step does not accept the result before it'' is missing in type 'GroupSignature<[n: number, digits?: number | undefined] & [text: string], [string, string]>' but required in type 'StepMismatch<"celery.group", { expects: [n: number, digits?: number | undefined] & [text: string]; given: number; }>'.
add.s(1, 2).link(group(show.s(), upper.s()))

//# refused: an error callback that wants a number
//! TS2741 Property ''✗ this is no error callback'' is missing in type 'TaskSignature<"tasks.show", [n: number, digits?: number | undefined], string>' but required in type 'ErrbackMismatch<"tasks.show", { expects: [n: number, digits?: number | undefined]; given: "[id] or [request, error, traceback]"; }>'.
add.s(1, 2).linkError(show.s())

//# refused: an error callback without parameters
//! TS2741 Property ''✗ this is no error callback'' is missing in type 'TaskSignature<"tasks.ping", [], "pong">' but required in type 'ErrbackMismatch<"tasks.ping", { expects: []; given: "[id] or [request, error, traceback]"; }>'.
add.s(1, 2).linkError(ping.s())

//# refused: an error callback that is full
//! TS2741 Property ''✗ this is no error callback'' is missing in type 'TaskSignature<"tasks.upper", [], string>' but required in type 'ErrbackMismatch<"tasks.upper", { expects: []; given: "[id] or [request, error, traceback]"; }>'.
add.s(1, 2).linkError(upper.s('x'))

//# refused: an error callback that takes the error first
//! TS2741 Property ''✗ this is no error callback'' is missing in type 'TaskSignature<"t", [error: Error, traceback: string], string>' but required in type 'ErrbackMismatch<"t", { expects: [error: Error, traceback: string]; given: "[id] or [request, error, traceback]"; }>'.
const wrong = task('t', (error: Error, traceback: string) => `${error}${traceback}`)
add.s(1, 2).linkError(wrong.s())

//# refused: an error callback that takes the error alone
//! TS2741 Property ''✗ this is no error callback'' is missing in type 'TaskSignature<"t", [error: Error], string>' but required in type 'ErrbackMismatch<"t", { expects: [error: Error]; given: "[id] or [request, error, traceback]"; }>'.
const wrong = task('t', (error: Error) => error.message)
add.s(1, 2).linkError(wrong.s())

//# refused: an error callback that takes the request alone
//! TS2741 Property ''✗ this is no error callback'' is missing in type 'TaskSignature<"t", [request: FailedTask], string>' but required in type 'ErrbackMismatch<"t", { expects: [request: FailedTask]; given: "[id] or [request, error, traceback]"; }>'.
const wrong = task('t', (request: celeriac.FailedTask) => request.id)
add.s(1, 2).linkError(wrong.s())

//# refused: an error callback that wants two texts
//! TS2741 Property ''✗ this is no error callback'' is missing in type 'TaskSignature<"tasks.noted", [id: string, note: string], string>' but required in type 'ErrbackMismatch<"tasks.noted", { expects: [id: string, note: string]; given: "[id] or [request, error, traceback]"; }>'.
add.s(1, 2).linkError(noted.s())

//# refused: an error callback that wants four
//! TS2741 Property ''✗ this is no error callback'' is missing in type 'TaskSignature<"t", [r: FailedTask, e: Error, t: string, more: number], string>' but required in type 'ErrbackMismatch<"t", { expects: [r: FailedTask, e: Error, t: string, more: number]; given: "[id] or [request, error, traceback]"; }>'.
const wrong = task(
  't',
  (r: celeriac.FailedTask, e: Error, t: string, more: number) => `${r.id}${e}${t}${more}`,
)
add.s(1, 2).linkError(wrong.s())

//# refused: an error callback of the id and something optional
//! TS2741 Property ''✗ this is no error callback'' is missing in type 'TaskSignature<"t", [id: string, note?: string | undefined], string>' but required in type 'ErrbackMismatch<"t", { expects: [id: string, note?: string | undefined]; given: "[id] or [request, error, traceback]"; }>'.
const unclear = task('t', (id: string, note?: string) => `${id}${note}`)
add.s(1, 2).linkError(unclear.s())

//# refused: an error callback whose traceback is a number
//! TS2741 Property ''✗ this is no error callback'' is missing in type 'TaskSignature<"t", [r: FailedTask, e: Error, traceback: number], string>' but required in type 'ErrbackMismatch<"t", { expects: [r: FailedTask, e: Error, traceback: number]; given: "[id] or [request, error, traceback]"; }>'.
const wrong = task(
  't',
  (r: celeriac.FailedTask, e: Error, traceback: number) => `${r.id}${e}${traceback}`,
)
add.s(1, 2).linkError(wrong.s())

//# refused: an error callback that wants more of the request
//! TS2741 Property ''✗ this is no error callback'' is missing in type 'TaskSignature<"t", [r: { id: string; args: unknown[]; }, e: Error], string>' but required in type 'ErrbackMismatch<"t", { expects: [r: { id: string; args: unknown[]; }, e: Error]; given: "[id] or [request, error, traceback]"; }>'.
const wrong = task(
  't',
  (r: { id: string; args: unknown[] }, e: Error) => `${r.id}${r.args.length}${e}`,
)
add.s(1, 2).linkError(wrong.s())

//# refused: a chain as an error callback is sent with the id
//! TS2741 Property ''✗ this is no error callback'' is missing in type 'ChainSignature<[request: { readonly id: string; }, error: Error, traceback: string], number, AsyncResult<number>>' but required in type 'ErrbackMismatch<"celery.chain", { expects: [request: { readonly id: string; }, error: Error, traceback: string]; given: "[id] or [request, error, traceback]"; }…'.
add.s(1, 2).linkError(chain(failing.s(), len.s()))

//# refused: a group as an error callback with a member that takes a number
//! TS2741 Property ''✗ this is no error callback'' is missing in type 'GroupSignature<[id: string] & [n: number, digits?: number | undefined], [number, string]>' but required in type 'ErrbackMismatch<"celery.group", { expects: [id: string] & [n: number, digits?: number | undefined]; given: "[id] or [request, error, traceback]"; }>'.
add.s(1, 2).linkError(group(clean.s(), show.s()))

//# refused: an error callback that is a task
//! TS2741 Property ''✗ this is no error callback'' is missing in type 'Task<"tasks.clean", (id: string) => number>' but required in type 'ErrbackMismatch<string, { expects: never; given: "[id] or [request, error, traceback]"; }>'.
add.s(1, 2).linkError(clean)

//# refused: onError is checked as well
//! TS2741 Property ''✗ this is no error callback'' is missing in type 'TaskSignature<"tasks.pow", [x: number, e?: number | undefined], number>' but required in type 'ErrbackMismatch<"tasks.pow", { expects: [x: number, e?: number | undefined]; given: "[id] or [request, error, traceback]"; }>'.
chain(add.s(1, 2), show.s()).onError(pow.s())

//# refused: a remote error callback that takes a number
//! TS2741 Property ''✗ this is no error callback'' is missing in type 'TaskSignature<string, [n: number], void>' but required in type 'ErrbackMismatch<string, { expects: [n: number]; given: "[id] or [request, error, traceback]"; }>'.
const wrong = remote<(n: number) => void>('wrong')
add.s(1, 2).linkError(wrong.s())
