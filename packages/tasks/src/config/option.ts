/**
 * What a row of the settings table is made of: a parser, the defaults, a sentence. Parsers are strict
 * about values from code and files; text from the environment is first turned into what it stands for.
 */

export interface Parser<T, I = T> {
  /** Completes "expected …". */
  readonly expected: string
  /** The value, or an Error whose message completes "expected …" more precisely. */
  readonly parse: (raw: unknown) => T
  /** What a text of the environment stands for; still to be parsed. */
  readonly fromText: (text: string) => unknown
  /** Never set: carries the type of what may be given. */
  readonly accepts?: I
}

export interface Option<T = unknown, I = T> {
  readonly parser: Parser<T, I>
  readonly fallback: T
  /** The default with `compatibility: 'celery'`. */
  readonly celery: T
  readonly doc: string
  /** The old upper-case name, where it does not follow from the new one. */
  readonly oldName: string | undefined
  /** Accepted, but nothing reads it yet: setting it draws a warning. */
  readonly planned: boolean
  /** Never shown in messages, logs or reports. */
  readonly secret: boolean
}

export interface OptionExtras<T> {
  readonly celery?: T
  readonly oldName?: string
  readonly planned?: boolean
  readonly secret?: boolean
}

/** One row. `celery` is Celery's own default where ours is another. */
export function option<T, I>(
  parser: Parser<T, I>,
  fallback: NoInfer<T>,
  doc: string,
  extras: OptionExtras<NoInfer<T>> = {},
): Option<T, I> {
  return {
    parser,
    fallback,
    celery: 'celery' in extras ? (extras.celery as T) : fallback,
    doc,
    oldName: extras.oldName,
    planned: extras.planned ?? false,
    secret: extras.secret ?? false,
  }
}

/** Ends a parse; `what` completes "expected …". */
export function refuse(what: string): never {
  throw new TypeError(what)
}

function parser<T, I = T>(
  expected: string,
  accept: (raw: unknown) => raw is T,
  fromText: (text: string) => unknown = (text) => text,
): Parser<T, I> {
  return { expected, fromText, parse: (raw) => (accept(raw) ? raw : refuse(expected)) }
}

/** A number when the text is one; otherwise the text, for the parser to refuse. */
const numeric = (text: string): unknown =>
  text.trim() !== '' && Number.isFinite(Number(text)) ? Number(text) : text

const parsedJson = (text: string): unknown => {
  try {
    return JSON.parse(text) as unknown
  } catch {
    return text
  }
}

/** Any text, but not an empty one. */
export const text: Parser<string> = parser(
  'a text that is not empty',
  (raw): raw is string => typeof raw === 'string' && raw !== '',
)

/** Any text, also an empty one. */
export const anyText: Parser<string> = parser(
  'a text',
  (raw): raw is string => typeof raw === 'string',
)

/** A whole number of at least `least`. */
export function whole(least: number): Parser<number> {
  return parser(
    `a whole number of at least ${least}`,
    (raw): raw is number => Number.isSafeInteger(raw) && (raw as number) >= least,
    numeric,
  )
}

/** Any finite number; `Infinity` too where `endless`. */
export function number(least = -Infinity, options: { endless?: boolean } = {}): Parser<number> {
  const bound = least === -Infinity ? '' : ` of at least ${least}`
  return parser(
    `a number${bound}`,
    (raw): raw is number =>
      typeof raw === 'number' &&
      raw >= least &&
      (Number.isFinite(raw) || (options.endless === true && raw === Infinity)),
    (given) =>
      options.endless === true && /^\+?inf(inity)?$/i.test(given) ? Infinity : numeric(given),
  )
}

/** A span of time in seconds, fractions allowed. */
export const seconds: Parser<number> = {
  ...number(0),
  expected: 'a number of seconds, 0 or more',
  parse: (raw) =>
    typeof raw === 'number' && Number.isFinite(raw) && raw >= 0
      ? raw
      : refuse('a number of seconds, 0 or more'),
}

const words: Readonly<Record<string, boolean>> = {
  true: true,
  yes: true,
  on: true,
  1: true,
  false: false,
  no: false,
  off: false,
  0: false,
}

/** true or false; in the environment also yes, no, on, off, 1, 0. */
export const flag: Parser<boolean> = parser(
  'true or false',
  (raw): raw is boolean => typeof raw === 'boolean',
  (given) => words[given.trim().toLowerCase()] ?? given,
)

/** One of the given values. Numbers among them are recognised in the environment. */
export function choice<const C extends string | number>(...choices: readonly C[]): Parser<C> {
  return parser(
    `one of ${choices.map((one) => JSON.stringify(one)).join(', ')}`,
    (raw): raw is C => choices.includes(raw as C),
    (given) => choices.find((one) => String(one) === given) ?? given,
  )
}

/** `inner`, or null for "none"; none is `undefined` once parsed. An empty text of the environment is none. */
export function optional<T, I>(inner: Parser<T, I>): Parser<T | undefined, I | null> {
  return {
    expected: `${inner.expected}, or null`,
    parse: (raw) => (raw === null || raw === undefined ? undefined : inner.parse(raw)),
    fromText: (given) => (/^(none|null|)$/i.test(given.trim()) ? null : inner.fromText(given)),
  }
}

/** A list of `inner`; in the environment separated by commas or a JSON array. */
export function list<T, I>(inner: Parser<T, I>): Parser<readonly T[], readonly I[]> {
  return {
    expected: `a list, each entry ${inner.expected}`,
    parse(raw) {
      if (!Array.isArray(raw)) return refuse(`a list, each entry ${inner.expected}`)
      return Object.freeze(
        raw.map((one: unknown, index) => {
          try {
            return inner.parse(one)
          } catch (error) {
            return refuse(`${(error as Error).message} at [${index}]`)
          }
        }),
      )
    },
    fromText: (given) =>
      given.trim().startsWith('[')
        ? parsedJson(given)
        : given
            .split(',')
            .map((one) => one.trim())
            .filter((one) => one !== ''),
  }
}

export type Mapping = Readonly<Record<string, unknown>>

/** True for `{…}`: not null, not a list, not an instance of a class. */
export function isMapping(raw: unknown): raw is Mapping {
  if (typeof raw !== 'object' || raw === null) return false
  const prototype: unknown = Object.getPrototypeOf(raw)
  // Objects of another realm (a config file read in a vm) have another Object.prototype.
  return prototype === null || Object.getPrototypeOf(prototype) === null
}

/** A mapping of free form; in the environment JSON. */
export const mapping: Parser<Mapping> = parser('a mapping', isMapping, parsedJson)

/** The first of the parsers that accepts. */
export function either<A, IA, B, IB>(a: Parser<A, IA>, b: Parser<B, IB>): Parser<A | B, IA | IB> {
  const expected = `${a.expected}, or ${b.expected}`
  return {
    expected,
    parse(raw) {
      for (const one of [a, b]) {
        try {
          return one.parse(raw)
        } catch {
          continue
        }
      }
      return refuse(expected)
    },
    fromText(given) {
      const first = a.fromText(given)
      try {
        a.parse(first)
        return first
      } catch {
        return b.fromText(given)
      }
    },
  }
}

/** A parser with a test of its own; `fromText` reads JSON where it can. */
export function custom<T, I = T>(expected: string, parse: (raw: unknown) => T): Parser<T, I> {
  return { expected, parse, fromText: parsedJson }
}
