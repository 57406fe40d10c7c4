// Side by side: group, groupOf, chord; map, starmap and chunks.

//# compiles: a group gives a tuple
const three = group(add.s(1, 2), upper.s('a'), ping.si())
same<Sent<typeof three>, GroupResult<[number, string, 'pong']>>()
same<Given<typeof three>, [number, string, 'pong']>()

//# compiles: a group of a list gives a list
const list = [1, 2].map((n) => add.s(n, n))
const many = group(...list)
same<Given<typeof many>, number[]>()

//# compiles: groupOf takes what can be iterated
const many = groupOf([1, 2].map((n) => add.s(n, n)))
same<Sent<typeof many>, GroupResult<number[]>>()
function* members() {
  yield add.s(1, 2)
}
same<Given<ReturnType<typeof groupOf<ReturnType<typeof add.si>>>>, number[]>()
void groupOf(members()).delay()

//# compiles: an empty group
void group().delay()

//# compiles: groups in groups are sent flat
const nested = group(add.s(1, 2), group(upper.s('a'), add.s(1, 1)), ping.si())
same<Given<typeof nested>, [number, string, number, 'pong']>()

//# compiles: members take what is given to the group
const partial = group(add.s(10), show.s(), ping.si())
same<Parameters<typeof partial.delay>, [x: number]>()
void partial.delay(1)

//# compiles: a group can be skewed
const later = group(add.s(1, 2), add.s(3, 4)).skew(1, 10, 2)
same<Given<typeof later>, [number, number]>()

//# compiles: what is skewed is still a group
void chord(groupOf([add.s(1, 2)]).skew(1, 5), sum.s()).delay()

//# compiles: a group after a step
const fanned = chain(add.s(1, 1), group(add.s(10), show.s(), ping.si()))
same<Sent<typeof fanned>, GroupResult<[number, string, 'pong']>>()

//# compiles: a group of one after a step is that one
const one = chain(add.s(1, 1), group(show.s()))
same<Sent<typeof one>, AsyncResult<string>>()

//# compiles: a group of one of lists after a step is that one
const range = task('t', (n: number) => [n])
const one = chain(add.s(1, 1), group(range.s()))
same<Sent<typeof one>, AsyncResult<number[]>>()

//# compiles: a group of one that is the whole chain is that one
const one = chain(group(add.s(1, 1)))
same<Sent<typeof one>, AsyncResult<number>>()

//# compiles: a group of one at the beginning is a list
const listed = chain(group(add.s(1, 1)), sum.s())
same<Given<typeof listed>, number>()

//# compiles: pipe into a group
const fanned = add.s(1, 1).pipe(group(add.s(10), show.s()))
same<Sent<typeof fanned>, GroupResult<[number, string]>>()

//# compiles: pipe from a group
const joined = group(add.s(1, 1), add.s(2, 2)).pipe(sum.s())
same<Sent<typeof joined>, AsyncResult<number>>()

//# compiles: a chain in a chain that ends in a group
const inner = chain(add.s(1, 1), group(add.s(10), show.s()))
const outer = chain(ping.s(), upper.s(), add.si(1, 2), chain(add.s(1), group(add.s(1), show.s())))
same<Sent<typeof inner>, GroupResult<[number, string]>>()
same<Sent<typeof outer>, GroupResult<[number, string]>>()

//# compiles: a group between steps is a chord
const joined = chain(group(add.s(1, 1), add.s(2, 2)), sum.s(), show.s())
same<Given<typeof joined>, string>()

//# compiles: groups, chains and bodies
const deep = chain(
  chain(add.s(1, 1), pow.s()),
  group(chain(add.s(1), pow.s()), add.s(2)),
  sum.s(),
  group(pow.s(), pow.s(4)),
  len.s(),
)
same<Given<typeof deep>, number>()

//# compiles: a chord gives what its body gives
const paired = chord(group(add.s(1, 1), upper.s('x')), pair.s())
same<Sent<typeof paired>, AsyncResult<string>>()

//# compiles: the header of a chord may be a list
const paired = chord([add.s(1, 1), upper.s('x')], pair.s())
same<Given<typeof paired>, string>()

//# compiles: the header of a chord may be a single signature
void chord(add.s(1, 1), sum.s()).delay()

//# compiles: the header of a chord made at run time
const summed = chord(groupOf([1, 2, 3].map((n) => add.s(n, n))), sum.s())
same<Given<typeof summed>, number>()

//# compiles: a chord wants what its header wants
const partial = chord(group(add.s(1), add.s(2)), sum.s())
same<Parameters<typeof partial.delay>, [x: number]>()

//# compiles: a chord in the header of a chord
const inner = chord([add.s(1, 1), add.s(2, 2)], sum.s())
const outer = chord([inner, add.s(3, 3)], sum.s())
same<Given<typeof outer>, number>()

//# compiles: a chord with an immutable body
const done = chord([add.s(1, 1)], ping.si())
same<Given<typeof done>, 'pong'>()

//# compiles: the body of a chord is a chain
const shown = chord([add.s(1, 1)], chain(sum.s(), show.s()))
same<Given<typeof shown>, string>()

//# compiles: the body of a chord is a group
const fanned = chord([add.s(1, 1)], group(sum.s(), len.s()))
same<Sent<typeof fanned>, GroupResult<[number, number]>>()

//# compiles: a chord in a chain
const steps = chain(add.s(1, 1), chord([add.s(1), add.s(2)], sum.s()), show.s())
same<Given<typeof steps>, string>()

//# compiles: pipe after a chord
const steps = chord([add.s(1, 1)], sum.s()).pipe(show.s())
same<Given<typeof steps>, string>()

//# compiles: void members give void in their place
const two = group(notify.s('a'), add.s(1, 2))
same<Given<typeof two>, [void, number]>()

//# compiles: undefined in a group arrives as null
const two = group(half.s(1), add.s(1, 2))
same<Given<typeof two>, [number | null, number]>()

//# compiles: a group of remote tasks
const two = group(train.s('a', 1), train.s('b', 2))
same<Given<typeof two>[0], { loss: number }>()
same<Given<typeof two>['length'], 2>()

//# compiles: map gives a list
const mapped = upper.map(['a', 'b'])
same<Given<typeof mapped>, string[]>()

//# compiles: map over a set
void upper.map(new Set(['a'])).delay()

//# compiles: map of a task with optional parameters
void show.map([1, 2]).delay()
void pow.map([1, 2]).delay()
void total.map([1, 2]).delay()

//# compiles: starmap gives a list
const mapped = add.starmap([
  [1, 2],
  [3, 4],
])
same<Given<typeof mapped>, number[]>()

//# compiles: starmap takes read-only lists
const rows = [[1, 2]] as const
void add.starmap(rows).delay()

//# compiles: chunks give lists of lists
const chunked = add.chunks([[1, 2]], 2)
same<Sent<typeof chunked>, GroupResult<number[][]>>()

//# compiles: chunks as a header
void chord(add.chunks([[1, 2]], 2), len.s()).delay()
void chain(add.chunks([[1, 2]], 2), len.s()).delay()

//# compiles: map before a step
const steps = chain(upper.map(['a', 'b']), len.s())
same<Given<typeof steps>, number>()

//# compiles: results of a group one by one
const two = await group(add.s(1, 2), upper.s('a')).delay()
for await (const { index, value } of two.iterate()) void [index, value]

//# compiles: a group of 100 members
const a = add.s(1, 2)
const u = upper.s('a')
// prettier-ignore
const many = group(
  a, a, a, a, a, a, a, a, a, a, a, a, a, a, a, a, a, a, a, a, a, a, a, a, a,
  a, a, a, a, a, a, a, a, a, a, a, a, a, a, a, a, a, a, a, a, a, a, a, a, a,
  a, a, a, a, a, a, a, a, a, a, a, a, a, a, a, a, a, a, a, a, a, a, a, a, a,
  a, a, a, a, a, a, a, a, a, a, a, a, a, a, a, a, a, a, a, a, a, a, a, a, u,
)
same<Given<typeof many>['length'], 100>()
same<Given<typeof many>[99], string>()

//# refused: a member that is a task
//! TS2739 Type 'Task<"tasks.ping", () => "pong">' is missing the following properties from type 'AnySignature': …
group(add.s(1, 2), ping)

//# refused: a member that is a number
//! TS2345 Argument of type 'number' is not assignable to parameter of type 'AnySignature'.
group(add.s(1, 2), 3)

//# refused: members in a list
//! TS2739 Type 'TaskSignature<"tasks.add", [], number>[]' is missing the following properties from type 'AnySignature': …
group([add.s(1, 2)])

//# refused: groupOf wants a list
//! TS2554 Expected 1 arguments, but got 2.
groupOf(add.s(1, 2), add.s(3, 4))

//# refused: a group wants what its members want
//! TS2554 Expected 1 arguments, but got 0.
void group(add.s(10), show.s()).delay()

//# refused: members do not take that
//! TS2345 Argument of type 'string' is not assignable to parameter of type 'number'.
void group(add.s(10), show.s()).delay('x')

//# refused: members want different things
//! TS2345 Argument of type '[number]' is not assignable to parameter of type '[x: number] & [text: string]'.
void group(add.s(10), upper.s()).delay(1)

//# refused: a group of whole members takes nothing
//! TS2554 Expected 0 arguments, but got 1.
void group(add.s(1, 2), show.s(1)).delay(1)

//# refused: one member does not take the result
//! TS2741 Property ''✗ this step does not accept the result before it'' is missing in type 'GroupSignature<[n: number, digits?: number | undefined] & [text: string], [string, string]>' but required in type 'StepMismatch<"celery.group", { expects: [n: number, digits?: number | undefined] & [text: string]; given: number; }>'.
chain(add.s(1, 2), group(show.s(), upper.s()))

//# refused: a full member takes no result
//! TS2741 Property ''✗ this step does not accept the result before it'' is missing in type 'GroupSignature<never, [number, number]>' but required in type 'StepMismatch<"celery.group", { expects: never; given: number; }>'.
chain(add.s(1, 2), group(add.s(1), add.s(2, 3)))

//# refused: the body wants numbers
//! TS2741 Property ''✗ this step does not accept the result before it'' is missing in type 'TaskSignature<"tasks.sum", [xs: readonly number[]], number>' but required in type 'StepMismatch<"tasks.sum", { expects: [xs: readonly number[]]; given: [number, string]; }>'.
chord(group(add.s(1, 1), upper.s('x')), sum.s())

//# refused: the body wants numbers and gets a list of texts
//! TS2741 Property ''✗ this step does not accept the result before it'' is missing in type 'TaskSignature<"tasks.sum", [xs: readonly number[]], number>' but required in type 'StepMismatch<"tasks.sum", { expects: [xs: readonly number[]]; given: string[]; }>'.
chord(groupOf([upper.s('a')]), sum.s())

//# refused: the body does not take the list of members
//! TS2741 Property ''✗ this step does not accept the result before it'' is missing in type 'TaskSignature<"tasks.sum", [xs: readonly number[]], number>' but required in type 'StepMismatch<"tasks.sum", { expects: [xs: readonly number[]]; given: [number, string]; }>'.
chord([add.s(1, 1), upper.s('x')], sum.s())

//# refused: the body wants one number and gets a list of them
//! TS2741 Property ''✗ this step does not accept the result before it'' is missing in type 'TaskSignature<"tasks.show", [n: number, digits?: number | undefined], string>' but required in type 'StepMismatch<"tasks.show", { expects: [n: number, digits?: number | undefined]; given: [number, number]; }>'.
chord([add.s(1, 1), add.s(2, 2)], show.s())

//# refused: the body takes no result
//! TS2741 Property ''✗ this step does not accept the result before it'' is missing in type 'TaskSignature<"tasks.ping", [], "pong">' but required in type 'StepMismatch<"tasks.ping", { expects: []; given: [number]; }>'.
chord([add.s(1, 1)], ping.s())

//# refused: the body wants the tuple in another order
//! TS2741 Property ''✗ this step does not accept the result before it'' is missing in type 'TaskSignature<"tasks.pair", [p: readonly [number, string]], string>' but required in type 'StepMismatch<"tasks.pair", { expects: [p: readonly [number, string]]; given: [string, number]; }>'.
chord(group(upper.s('x'), add.s(1, 1)), pair.s())

//# refused: the body wants a tuple of two and gets three
//! TS2741 Property ''✗ this step does not accept the result before it'' is missing in type 'TaskSignature<"tasks.pair", [p: readonly [number, string]], string>' but required in type 'StepMismatch<"tasks.pair", { expects: [p: readonly [number, string]]; given: [number, string, string]; }>'.
chord([add.s(1, 1), upper.s('x'), upper.s('y')], pair.s())

//# refused: a chord without a body
//! TS2554 Expected 2 arguments, but got 1.
chord([add.s(1, 1)])

//# refused: the body is a task
//! TS2741 Property ''✗ this step does not accept the result before it'' is missing in type 'Task<"tasks.sum", (xs: readonly number[]) => number>' but required in type 'StepMismatch<string, { expects: never; given: [number]; }>'.
chord([add.s(1, 1)], sum)

//# refused: the header is a number
//! TS2345 Argument of type 'number' is not assignable to parameter of type 'AnySignature | readonly AnySignature[]'.
chord(3, sum.s())

//# refused: a member of the header is a task
//! TS2739 Type 'Task<"tasks.ping", () => "pong">' is missing the following properties from type 'AnySignature': …
chord([add.s(1, 1), ping], len.s())

//# refused: one of the inner chains gives text
//! TS2741 Property ''✗ this step does not accept the result before it'' is missing in type 'TaskSignature<"tasks.sum", [xs: readonly number[]], number>' but required in type 'StepMismatch<"tasks.sum", { expects: [xs: readonly number[]]; given: [string, number]; }>'.
chain(add.s(1, 1), group(chain(add.s(1), show.s()), add.s(2)), sum.s())

//# refused: a group of one after a step is no list
//! TS2741 Property ''✗ this step does not accept the result before it'' is missing in type 'TaskSignature<"tasks.sum", [xs: readonly number[]], number>' but required in type 'StepMismatch<"tasks.sum", { expects: [xs: readonly number[]]; given: number; }>'.
chain(add.s(1, 1), group(add.s(2)), sum.s())

//# refused: what follows a group gets a list
//! TS2741 Property ''✗ this step does not accept the result before it'' is missing in type 'TaskSignature<"tasks.show", [n: number, digits?: number | undefined], string>' but required in type 'StepMismatch<"tasks.show", { expects: [n: number, digits?: number | undefined]; given: [number, number]; }>'.
chain(group(add.s(1, 1), add.s(2, 2)), show.s())

//# refused: pipe from a group gets a list
//! TS2741 Property ''✗ this step does not accept the result before it'' is missing in type 'TaskSignature<"tasks.show", [n: number, digits?: number | undefined], string>' but required in type 'StepMismatch<"tasks.show", { expects: [n: number, digits?: number | undefined]; given: [number, number]; }>'.
group(add.s(1, 1), add.s(2, 2)).pipe(show.s())

//# refused: a chord without what its header wants
//! TS2554 Expected 1 arguments, but got 0.
void chord([add.s(1), add.s(2)], sum.s()).delay()

//# refused: a chord in a chain whose header does not take the result
//! TS2741 Property ''✗ this step does not accept the result before it'' is missing in type 'ChordSignature<[text: string], number, AsyncResult<number>>' but required in type 'StepMismatch<"celery.chord", { expects: [text: string]; given: number; }>'.
chain(add.s(1, 1), chord([upper.s(), upper.s()], len.s()))

//# refused: a void member is no number for the body
//! TS2741 Property ''✗ this step does not accept the result before it'' is missing in type 'TaskSignature<"tasks.sum", [xs: readonly number[]], number>' but required in type 'StepMismatch<"tasks.sum", { expects: [xs: readonly number[]]; given: [void, number]; }>'.
chord([notify.s('a'), add.s(1, 2)], sum.s())

//# refused: null from undefined is no number for the body
//! TS2741 Property ''✗ this step does not accept the result before it'' is missing in type 'TaskSignature<"tasks.sum", [xs: readonly number[]], number>' but required in type 'StepMismatch<"tasks.sum", { expects: [xs: readonly number[]]; given: [number | null, number | null]; }>'.
chord([half.s(4), half.s(2)], sum.s())

//# refused: the results of a group are a tuple
//! TS2551 Property 'toFixed' does not exist on type 'string'. Did you mean 'fixed'?
const two = await group(add.s(1, 2), upper.s('a')).delay()
const [n, text] = await two.get()
text.toFixed()

//# refused: there is no third result
//! TS2493 Tuple type '[number, string]' of length '2' has no element at index '2'.
const two = await group(add.s(1, 2), upper.s('a')).delay()
const [, , third] = await two.get()

//# refused: map of the wrong items
//! TS2345 Argument of type 'number[]' is not assignable to parameter of type 'Iterable<string>'.
upper.map([1, 2])

//# refused: map of a task that wants two arguments
//! TS2345 Argument of type 'number[]' is not assignable to parameter of type 'Iterable<WrongCount<{ 'arguments of a call': [x: number, y: number]; given: 1; }>>'.
add.map([1, 2])

//# refused: map of a task that wants none
//! TS2345 Argument of type 'number[]' is not assignable to parameter of type 'Iterable<WrongCount<{ 'arguments of a call': []; given: 1; }>>'.
ping.map([1])

//# refused: starmap of items that are no lists
//! TS2345 Argument of type 'number[]' is not assignable to parameter of type 'Iterable<readonly [x: number, y: number]>'.
add.starmap([1, 2])

//# refused: starmap of lists that are too short
//! TS2345 Argument of type '[number][]' is not assignable to parameter of type 'Iterable<readonly [x: number, y: number]>'.
add.starmap([[1]])

//# refused: starmap of lists of the wrong type
//! TS2345 Argument of type '[string, string][]' is not assignable to parameter of type 'Iterable<readonly [x: number, y: number]>'.
add.starmap([['a', 'b']])

//# refused: chunks without a size
//! TS2554 Expected 2 arguments, but got 1.
add.chunks([[1, 2]])

//# refused: chunks of the wrong items
//! TS2345 Argument of type '[string, string][]' is not assignable to parameter of type 'Iterable<readonly [x: number, y: number]>'.
add.chunks([['a', 'b']], 2)

//# refused: skew takes numbers
//! TS2345 Argument of type 'string' is not assignable to parameter of type 'number'.
group(add.s(1, 2)).skew('1')

//# refused: what follows chunks gets lists of lists
//! TS2741 Property ''✗ this step does not accept the result before it'' is missing in type 'TaskSignature<"tasks.sum", [xs: readonly number[]], number>' but required in type 'StepMismatch<"tasks.sum", { expects: [xs: readonly number[]]; given: number[][]; }>'.
chain(add.chunks([[1, 2]], 2), sum.s())

//# refused: map takes no result of the step before it
//! TS2322 Type 'ImmutableSignature<"celery.map", string[]>' is not assignable to type 'TaskSignature<"celery.map", [number], string[]>'.
const mapped: celeriac.TaskSignature<'celery.map', [number], string[]> = upper.map(['a'])
