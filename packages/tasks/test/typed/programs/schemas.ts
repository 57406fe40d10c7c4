// Schemas of any Standard Schema library on arguments and results.

//# compiles: zod for the arguments
const one = app.task('t', { args: z.tuple([z.number(), z.string()]) }, (n, text) => {
  same<typeof n, number>()
  same<typeof text, string>()
  return text.repeat(n)
})
void one.delay(1, 'a')
same<Given<ReturnType<typeof one.si>>, string>()

//# compiles: a schema makes something else of the arguments
const one = app.task('t', { args: z.tuple([z.string().transform(Number)]) }, (n) => {
  same<typeof n, number>()
  return n
})
void one.delay('5')

//# compiles: zod for the result
const one = app.task('t', { result: z.object({ id: z.number() }) }, (x: number) => ({ id: x }))
same<Given<ReturnType<typeof one.si>>, { id: number }>()

//# compiles: a schema makes something else of the result
const one = app.task('t', { result: z.string().transform(Number) }, async (x: number) => `${x}`)
same<Given<ReturnType<typeof one.si>>, number>()

//# compiles: schemas for both
const one = app.task(
  't',
  { args: z.tuple([z.string()]), result: z.number() },
  (text) => text.length,
)
void chain(upper.s('a'), one.s(), show.s()).delay()

//# compiles: valibot for the arguments
const one = app.task('t', { args: v.tuple([v.number(), v.string()]) }, (n, text) => text.repeat(n))
void one.delay(1, 'a')

//# compiles: valibot for the result
const one = app.task('t', { result: v.number() }, (text: string) => text.length)
same<Given<ReturnType<typeof one.si>>, number>()

//# compiles: arktype for the arguments
const one = app.task('t', { args: ark(['number', 'string']) }, (n, text) => text.repeat(n))
void one.delay(1, 'a')

//# compiles: arktype for the result
const one = app.task('t', { result: ark('number') }, (text: string) => text.length)
same<Given<ReturnType<typeof one.si>>, number>()

//# compiles: a schema with the context
app.task('t', { args: z.tuple([z.number()]) }, async function (n) {
  await this.updateState('PROGRESS', { n })
  return n
})

//# compiles: a schema of optional arguments
const one = app.task(
  't',
  { args: z.tuple([z.number(), z.string().optional()]) },
  (n, text) => `${n}${text}`,
)
void one.delay(1)
void one.delay(1, 'a')

//# compiles: a shared task with a schema
const one = sharedTask(
  'shared',
  { args: z.tuple([z.string()]), result: z.number() },
  (t) => t.length,
)
void one.delay('a')

//# refused: the function does not take what the schema makes
//! TS2345 Argument of type '(x: number) => number' is not assignable to parameter of type 'HandlerFor<ZodTuple<[ZodString], null>, Schema> & Needing<unknown>'.
app.task('t', { args: z.tuple([z.string()]) }, (x: number) => x)

//# refused: the function takes more than the schema makes
//! TS2345 Argument of type '(x: string, y: string) => string' is not assignable to parameter of type 'HandlerFor<ZodTuple<[ZodString], null>, Schema> & Needing<unknown>'.
app.task('t', { args: z.tuple([z.string()]) }, (x: string, y: string) => x + y)

//# refused: a call that the schema refuses
//! TS2345 Argument of type 'string' is not assignable to parameter of type 'number'.
const one = app.task('t', { args: z.tuple([z.number()]) }, (n) => n)
void one.delay('1')

//# refused: a call with what the schema makes instead of what it takes
//! TS2345 Argument of type 'number' is not assignable to parameter of type 'string'.
const one = app.task('t', { args: z.tuple([z.string().transform(Number)]) }, (n) => n)
void one.delay(5)

//# refused: the schema of the arguments is not one of a list
//! TS2322 Type 'ZodNumber' is not assignable to type 'ArgumentsSchema'.
app.task('t', { args: z.number() }, (n: number) => n)

//# refused: the function does not give what the schema takes
//! TS2345 Argument of type '(x: number) => string' is not assignable to parameter of type 'HandlerFor<ArgumentsSchema, ZodNumber> & Needing<unknown>'.
app.task('t', { result: z.number() }, (x: number) => `${x}`)

//# refused: the asynchronous function does not give what the schema takes
//! TS2345 Argument of type '(x: number) => Promise<{ id: string; }>' is not assignable to parameter of type 'HandlerFor<ArgumentsSchema, ZodObject<{ id: ZodNumber; }, $strip>> & Needing<unknown>'.
app.task('t', { result: z.object({ id: z.number() }) }, async (x: number) => ({ id: `${x}` }))

//# refused: the result is what the schema makes
//! TS2741 Property ''✗ this step does not accept the result before it'' is missing in type 'TaskSignature<"tasks.upper", [text: string], string>' but required in type 'StepMismatch<"tasks.upper", { expects: [text: string]; given: number; }>'.
const one = app.task('t', { result: z.string().transform(Number) }, (x: number) => `${x}`)
chain(one.s(1), upper.s())

//# refused: valibot refuses a call
//! TS2345 Argument of type 'string' is not assignable to parameter of type 'number'.
const one = app.task('t', { args: v.tuple([v.number()]) }, (n) => n)
void one.delay('1')

//# refused: arktype refuses a call
//! TS2345 Argument of type 'string' is not assignable to parameter of type 'number'.
const one = app.task('t', { args: ark(['number']) }, (n) => n)
void one.delay('1')

//# refused: a result that is no schema
//! TS2322 Type 'string' is not assignable to type 'Schema'.
app.task('t', { result: 'number' }, (x: number) => x)
