// Python's keyword arguments: a last parameter of type Kw, and kw() in calls.

//# compiles: keywords in a call
void scaled.delay(1, kw({ unit: 'm' }))
void scaled.delay(1, kw({ unit: 'm', scale: 2 }))

//# compiles: keywords in a direct call are an object
const text: string = scaled(1, { unit: 'm' })
void text

//# compiles: keywords in applyAsync
void scaled.applyAsync([1, kw({ unit: 'm' })], { countdown: 1 })

//# compiles: keywords in a signature
const one = scaled.s(4, kw({ unit: 'm', scale: 2 }))
same<Parameters<typeof one.delay>, []>()

//# compiles: keywords alone, the rest comes later
const one = scaled.s(kw({ unit: 'm' }))
same<Parameters<typeof one.delay>, [x: number]>()
void chain(add.s(1, 2), one).delay()

//# compiles: keywords in an immutable signature
void scaled.si(4, kw({ unit: 'm' })).delay()

//# compiles: keywords that are optional
void scaledMaybe.delay(1)
void scaledMaybe.delay(1, kw({}))
void scaledMaybe.delay(1, kw({ unit: 'm' }))
void scaledMaybe.s(1).delay()
void scaledMaybe.s(1, kw({ unit: 'm' })).delay()

//# compiles: keywords after an optional parameter
const one = task(
  't',
  (x: number, y: number | undefined, o: Kw<{ unit: string }>) => `${x}${y}${o.unit}`,
)
void one.delay(1, 2, kw({ unit: 'm' }))
const two = task('u', (x: number, y = 2, o: Kw<{ unit?: string }> = {}) => `${x}${y}${o.unit}`)
void two.delay(1)
void two.delay(1, kw({ unit: 'm' }))
void two.delay(1, 2, kw({ unit: 'm' }))

//# compiles: keywords of an interface
interface Options {
  unit: string
  scale?: number
}
const one = task('t', (x: number, o: Kw<Options>) => `${x}${o.unit}`)
void one.delay(1, kw({ unit: 'm' }))
const options: Options = { unit: 'm' }
void one.delay(1, kw(options))

//# compiles: keywords of a remote task
const fit = remote<(rows: number, o: Kw<{ epochs: number }>) => number>('ml.fit')
void fit.delay(3, kw({ epochs: 5 }))
void chain(add.s(1, 2), fit.s(kw({ epochs: 5 }))).delay()

//# compiles: keywords of an untyped task
void legacy.delay(1, kw({ anything: true }))

//# compiles: keywords that are discriminated
type Shape = { kind: 'round'; radius: number } | { kind: 'square'; side: number }
const draw = task('t', (o: Kw<Shape>) => o.kind)
void draw.delay(kw({ kind: 'round', radius: 1 }))

//# refused: required keywords are missing
//! TS2554 Expected 2 arguments, but got 1.
void scaled.delay(1)

//# refused: a required keyword is missing
//! TS2345 Argument of type 'Keywords<{ scale: number; }>' is not assignable to parameter of type 'Keywords<{ scale?: number; unit: string; }>'.
void scaled.delay(1, kw({ scale: 2 }))

//# refused: a required keyword is missing in a signature
//! TS2345 Argument of type 'Keywords<{ scale: number; }>' is not assignable to parameter of type '{ scale?: number; unit: string; } & { readonly [keywords]: { scale?: number; unit: string; }; }'.
scaled.s(1, kw({ scale: 2 }))

//# refused: a signature without required keywords
//! TS2345 Argument of type 'number' is not assignable to parameter of type '{ scale?: number; unit: string; } & { readonly [keywords]: { scale?: number; unit: string; }; }'.
scaled.s(1)

//# refused: a keyword of that name does not exist
//! TS2345 Argument of type 'Keywords<{ unit: string; scael: number; }>' is not assignable to parameter of type '{ unit: string; scael: number; } & { readonly [keywords]: { unit: string; scael: number; }; } & UnknownKeywords<"scael">'.
scaled.s(1, kw({ unit: 'm', scael: 2 }))

//# refused: a keyword of the wrong type
//! TS2345 Argument of type 'Keywords<{ unit: number; }>' is not assignable to parameter of type '{ scale?: number; unit: string; } & { readonly [keywords]: { scale?: number; unit: string; }; }'.
scaled.s(1, kw({ unit: 5 }))

//# refused: keywords have to be marked
//! TS2345 Argument of type '{ unit: string; }' is not assignable to parameter of type '{ unit: string; } & { readonly [keywords]: { unit: string; }; }'.
scaled.s(1, { unit: 'm' })

//# refused: keywords have to be marked in delay
//! TS2345 Argument of type '{ unit: string; }' is not assignable to parameter of type 'Keywords<{ scale?: number; unit: string; }>'.
void scaled.delay(1, { unit: 'm' })

//# refused: the task has no keywords
//! TS2345 Argument of type 'Keywords<{ unit: string; }>' is not assignable to parameter of type 'number'.
add.s(1, kw({ unit: 'm' }))

//# refused: the task has no keywords in delay
//! TS2554 Expected 2 arguments, but got 3.
void add.delay(1, 2, kw({ unit: 'm' }))

//# refused: keywords come last
//! TS2345 Argument of type 'Keywords<{ unit: string; }>' is not assignable to parameter of type 'number'.
void scaled.delay(kw({ unit: 'm' }), 1)

//# refused: keywords and too few arguments
//! TS2554 Expected 2 arguments, but got 1.
void scaled.delay(kw({ unit: 'm' }))

//# refused: applyAsync without required keywords
//! TS2345 Argument of type '[number]' is not assignable to parameter of type 'readonly [x: number, kwargs: Keywords<{ scale?: number; unit: string; }>]'.
void scaled.applyAsync([1])

//# refused: an immutable signature without required keywords
//! TS2554 Expected 2 arguments, but got 1.
scaled.si(1)

//# refused: keywords do not replace what is wanted
//! TS2554 Expected 1 arguments, but got 0.
void scaled.s(kw({ unit: 'm' })).delay()

//# refused: kw wants an object
//! TS2345 Argument of type 'number' is not assignable to parameter of type 'object'.
kw(3)

//# refused: what takes the result wants its keywords, too
//! TS2345 Argument of type '[]' is not assignable to parameter of type 'readonly [{ scale?: number; unit: string; } & { readonly [keywords]: { scale?: number; unit: string; }; }] | readonly [x: number, { scale?: number; unit: string…'.
chain(add.s(1, 2), scaled.s())
