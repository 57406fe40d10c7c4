/**
 * What a pickle may name: the standard library's plain values, and what users add. Nothing is imported and
 * nothing of Python is run; each name stands for a function here.
 */
import { Decimal, LocalDate, LocalTime, parseDateTime, Uuid } from '../json-values.ts'
import { TimeDelta } from '../time-delta.ts'

/**
 * Makes the value of a class that a pickle names: from the arguments of its constructor, and from the state
 * that was kept apart, where there is one. Throws for anything it does not know.
 */
export type PickleGlobal = ((args: readonly unknown[], state: unknown) => unknown) & {
  /** An argument may be a class, which comes as the text of its name; else that is refused. */
  readonly takesClasses?: boolean
}

/** A `datetime.timezone`, which has no use of its own here. */
class Zone {
  readonly offset: string
  constructor(offset: string) {
    this.offset = offset
  }
}

/** Python 2's names, which Python 3 still writes into protocols 0 to 2. */
const renamed: Readonly<Record<string, string>> = {
  __builtin__: 'builtins',
  copy_reg: 'copyreg',
}

export function globalName(module: string, name: string): string {
  return `${Object.hasOwn(renamed, module) ? renamed[module]! : module}.${name}`
}

function bytesOf(value: unknown, length?: number): Uint8Array {
  // Protocols below 3 have no bytes; a text of them stands for them.
  const bytes = typeof value === 'string' ? latin1([value, 'latin1']) : value
  if (!(bytes instanceof Uint8Array)) throw new TypeError('bytes were expected')
  if (length !== undefined && bytes.length !== length) {
    throw new TypeError(`${length} bytes were expected, found ${bytes.length}`)
  }
  return bytes
}

function latin1(args: readonly unknown[]): Uint8Array {
  const [text, encoding] = args
  if (typeof text !== 'string' || !/^latin-?1$/.test(String(encoding))) {
    throw new TypeError('only text in latin1 can be made bytes')
  }
  // By character: beyond latin1, Node would keep half of it.
  for (let i = 0; i < text.length; i++) {
    if (text.charCodeAt(i) > 0xff) throw new TypeError('the text is not latin1')
  }
  return new Uint8Array(Buffer.from(text, 'latin1'))
}

function listOf(args: readonly unknown[]): readonly unknown[] {
  const [list = []] = args
  if (!Array.isArray(list) || args.length > 1) throw new TypeError('a list was expected')
  return list as unknown[]
}

function textOf(value: unknown): string {
  if (typeof value === 'string') return value
  throw new TypeError('a text was expected')
}

function none(state: unknown): void {
  if (state !== undefined) throw new TypeError('it has a state that is not known')
}

const two = (value: number): string => String(value).padStart(2, '0')

function dateText(bytes: Uint8Array): string {
  const year = (bytes[0]! << 8) | bytes[1]!
  // The highest bit of the month says that the time comes twice that day.
  return `${String(year).padStart(4, '0')}-${two(bytes[2]! & 0x7f)}-${two(bytes[3]!)}`
}

function timeText(bytes: Uint8Array, zone: unknown): string {
  const [hour, minute, second, high, middle, low] = bytes as unknown as number[]
  const micros = (high! << 16) | (middle! << 8) | low!
  const fraction = micros === 0 ? '' : `.${String(micros).padStart(6, '0')}`
  if (zone !== undefined && zone !== null && !(zone instanceof Zone)) {
    throw new TypeError('the time zone is not known; only fixed offsets are')
  }
  return `${two(hour! & 0x7f)}:${two(minute!)}:${two(second!)}${fraction}${zone ? zone.offset : ''}`
}

function zoneOf(args: readonly unknown[]): Zone {
  const [delta] = args
  if (!(delta instanceof TimeDelta)) throw new TypeError('a timedelta was expected')
  const total = delta.days * 86_400 + delta.seconds
  const size = Math.abs(total)
  if (delta.microseconds !== 0 || size >= 86_400) throw new TypeError('the offset is impossible')
  const seconds = size % 60 === 0 ? '' : `:${two(size % 60)}`
  const minutes = Math.floor(size / 60)
  const offset = `${two(Math.floor(minutes / 60))}:${two(minutes % 60)}${seconds}`
  return new Zone(`${total < 0 ? '-' : '+'}${offset}`)
}

function uuid(args: readonly unknown[], state: unknown): Uuid {
  const int =
    state instanceof Map
      ? (state.get('int') as unknown)
      : (state as { int?: unknown } | undefined)?.int
  if (args.length > 0 || (typeof int !== 'bigint' && typeof int !== 'number')) {
    throw new TypeError('a UUID is made of one integer')
  }
  return new Uuid(BigInt(int).toString(16).padStart(32, '0'))
}

function refused(): never {
  throw new TypeError('an object of no class of its own is no value')
}

/** A value that has no state. */
const plain =
  (make: (args: readonly unknown[]) => unknown): PickleGlobal =>
  (args, state) => {
    none(state)
    return make(args)
  }

export const plainGlobals: ReadonlyMap<string, PickleGlobal> = new Map<string, PickleGlobal>([
  ['builtins.set', plain((args) => new Set(listOf(args)))],
  ['builtins.frozenset', plain((args) => new Set(listOf(args)))],
  [
    'builtins.bytearray',
    plain(([value, ...rest]) => {
      if (value === undefined) return new Uint8Array()
      return rest.length > 0 ? latin1([value, ...rest]) : bytesOf(value)
    }),
  ],
  [
    'builtins.bytes',
    plain(([value]) => (value === undefined ? new Uint8Array() : new Uint8Array(bytesOf(value)))),
  ],
  ['_codecs.encode', plain(latin1)],
  [
    'datetime.datetime',
    plain(([state, zone]) => {
      const bytes = bytesOf(state, 10)
      return parseDateTime(`${dateText(bytes)}T${timeText(bytes.subarray(4), zone)}`)
    }),
  ],
  ['datetime.date', plain(([state]) => new LocalDate(dateText(bytesOf(state, 4))))],
  ['datetime.time', plain(([state, zone]) => new LocalTime(timeText(bytesOf(state, 6), zone)))],
  ['datetime.timedelta', plain((args) => new TimeDelta(...(args as [number, number, number])))],
  ['datetime.timezone', plain(zoneOf)],
  ['datetime.timezone.utc', plain(() => new Zone('+00:00'))],
  ['decimal.Decimal', plain(([text]) => new Decimal(textOf(text)))],
  ['uuid.UUID', uuid],
  // How protocols 0 and 1 name an object without arguments; the reader takes them apart.
  ['copyreg._reconstructor', refused],
  ['builtins.object', refused],
])
