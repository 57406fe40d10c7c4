/** Values to a pickle of protocol 4, which every Python 3 reads: plain values, as Python would write them. */
import {
  Decimal,
  formatDateTime,
  LocalDate,
  LocalTime,
  Uuid,
  type TimeParts,
} from '../json-values.ts'
import { isMapping, refusal, UnsendableError } from '../json-write.ts'
import { refuseHalves } from '../prepared.ts'
import { deepest } from '../endless.ts'
import { TimeDelta } from '../time-delta.ts'
import { op } from './opcodes.ts'
import { integerBytes } from './parts.ts'

const protocol = 4

/** Throws an UnsendableError when the value cannot be carried without loss. */
export function writePickle(value: unknown): Uint8Array {
  const writer = new Writer()
  writer.value(value)
  writer.code(op.stop)
  return writer.bytes()
}

/** A pickle that, when it is read, is what a function of Python makes of plain values. */
export function writePickledCall(
  module: string,
  name: string,
  args: readonly [unknown, ...unknown[]],
): Uint8Array {
  const writer = new Writer()
  writer.call(module, name, args)
  writer.code(op.stop)
  return writer.bytes()
}

class Writer {
  #buffer = Buffer.allocUnsafe(256)
  // Before it lie protocol and frame, whose length is known at the end.
  #at = 11
  readonly #path: (string | number)[] = []
  readonly #open = new Set<object>()

  bytes(): Uint8Array {
    this.#buffer[0] = op.proto
    this.#buffer[1] = protocol
    this.#buffer[2] = op.frame
    this.#buffer.writeBigUInt64LE(BigInt(this.#at - 11), 3)
    return this.#buffer.subarray(0, this.#at)
  }

  code(code: number): void {
    // In two steps: the buffer may be another one afterwards.
    const at = this.#room(1)
    this.#buffer[at] = code
  }

  /** `isHashed`: as a key or in a set, where Python takes tuples for lists and frozen sets for sets. */
  value(value: unknown, isHashed = false): void {
    switch (typeof value) {
      case 'boolean':
        return this.code(value ? op.newTrue : op.newFalse)
      case 'string':
        return this.#text(value)
      case 'number':
        return Number.isSafeInteger(value) && !Object.is(value, -0)
          ? this.#integer(value)
          : this.#float(value)
      case 'bigint':
        return this.#long(value)
      case 'object':
        return value === null ? this.code(op.none) : this.#object(value, isHashed)
      case 'undefined':
        throw this.#refuse('undefined cannot be sent; use null')
      default:
        throw this.#refuse(`a ${typeof value} cannot be sent`)
    }
  }

  call(module: string, name: string, args: readonly unknown[]): void {
    this.#global(module, name)
    this.#items(args, op.tuple)
    this.code(op.reduce)
  }

  #room(count: number): number {
    const from = this.#at
    this.#at += count
    if (this.#at > this.#buffer.length) {
      const larger = Buffer.allocUnsafe(Math.max(this.#at, this.#buffer.length * 2))
      this.#buffer.copy(larger, 0, 0, from)
      this.#buffer = larger
    }
    return from
  }

  #refuse(reason: string): UnsendableError {
    return new UnsendableError([...this.#path], reason)
  }

  #text(text: string): void {
    refuseHalves(text, this.#path)
    const length = Buffer.byteLength(text)
    this.#sized(op.shortBinUnicode, op.binUnicode, length)
    const at = this.#room(length)
    this.#buffer.write(text, at)
  }

  #bytes(bytes: Uint8Array): void {
    this.#sized(op.shortBinBytes, op.binBytes, bytes.length)
    const at = this.#room(bytes.length)
    this.#buffer.set(bytes, at)
  }

  #sized(short: number, long: number, length: number): void {
    this.code(length < 256 ? short : long)
    if (length < 256) this.code(length)
    else {
      const at = this.#room(4)
      this.#buffer.writeUInt32LE(length, at)
    }
  }

  #integer(value: number): void {
    if (value >= 0 && value <= 0xff) {
      this.code(op.binInt1)
      this.code(value)
    } else if (value >= 0 && value <= 0xffff) {
      this.code(op.binInt2)
      const at = this.#room(2)
      this.#buffer.writeUInt16LE(value, at)
    } else if (value === (value | 0)) {
      this.code(op.binInt)
      const at = this.#room(4)
      this.#buffer.writeInt32LE(value, at)
    } else this.#long(BigInt(value))
  }

  #long(value: bigint): void {
    const bytes = integerBytes(value)
    this.#sized(op.long1, op.long4, bytes.length)
    const at = this.#room(bytes.length)
    this.#buffer.set(bytes, at)
  }

  #float(value: number): void {
    this.code(op.binFloat)
    const at = this.#room(8)
    this.#buffer.writeDoubleBE(value, at)
  }

  #object(value: object, isHashed: boolean): void {
    if (this.#open.has(value)) throw this.#refuse('the value contains itself')
    if (this.#open.size >= deepest) throw this.#refuse('the value is nested too deeply')
    this.#open.add(value)
    if (Array.isArray(value)) {
      if (!isHashed) this.code(op.emptyList)
      this.#items(value, isHashed ? op.tuple : op.appends, isHashed)
    } else if (value instanceof Uint8Array) this.#bytes(value)
    else if (value instanceof Set) {
      if (!isHashed) this.code(op.emptySet)
      this.#items(value, isHashed ? op.frozenSet : op.addItems, true)
    } else if (value instanceof Map && !isHashed) this.#members(value)
    else if (!this.#named(value)) {
      if ('toJSON' in value && typeof value.toJSON === 'function') {
        this.value(
          (value as { toJSON(key: string): unknown }).toJSON(String(this.#path.at(-1) ?? '')),
          isHashed,
        )
      } else if (isHashed) {
        throw this.#refuse('Python takes no mapping as a key or in a set')
      } else if (isMapping(value)) {
        this.#members(Object.entries(value).filter(([, member]) => member !== undefined))
      } else throw this.#refuse(refusal(value))
    }
    this.#open.delete(value)
  }

  #items(items: Iterable<unknown>, end: number, isHashed = false): void {
    this.code(op.mark)
    let index = 0
    for (const item of items) {
      this.#path.push(index++)
      this.value(item, isHashed)
      this.#path.pop()
    }
    this.code(end)
  }

  #members(pairs: Iterable<readonly [unknown, unknown]>): void {
    this.code(op.emptyDict)
    this.code(op.mark)
    for (const [key, member] of pairs) {
      this.#path.push(typeof key === 'number' ? key : String(key))
      this.value(key, true)
      this.value(member)
      this.#path.pop()
    }
    this.code(op.setItems)
  }

  /** Writes a value that has a class of its own in Python; false when it has none. */
  #named(value: object): boolean {
    if (value instanceof Date) {
      if (Number.isNaN(value.getTime())) throw this.#refuse('an invalid Date cannot be sent')
      this.#dateTime(value)
    } else if (value instanceof LocalDate) {
      this.#global('datetime', 'date')
      this.#bytes(dateBytes(value))
      this.#call(op.tuple1)
    } else if (value instanceof LocalTime) {
      this.#global('datetime', 'time')
      const parts = value.parts()
      this.#bytes(timeBytes(parts))
      this.#zoned(parts.offset)
    } else if (value instanceof TimeDelta) this.#delta(value)
    else if (value instanceof Decimal) {
      this.#global('decimal', 'Decimal')
      this.#text(value.text)
      this.#call(op.tuple1)
    } else if (value instanceof Uuid) {
      this.#global('uuid', 'UUID')
      this.code(op.emptyTuple)
      this.code(op.newObj)
      this.#members([['int', BigInt(`0x${value.hex}`)]])
      this.code(op.build)
    } else return false
    return true
  }

  #dateTime(value: Date): void {
    let text: string
    try {
      text = formatDateTime(value)
    } catch (error) {
      throw this.#refuse((error as Error).message)
    }
    const date = new LocalDate(text.slice(0, 10))
    const time = new LocalTime(text.length === 10 ? '00:00:00' : text.slice(11))
    const parts = time.parts()
    this.#global('datetime', 'datetime')
    this.#bytes(Buffer.concat([dateBytes(date), timeBytes(parts)]))
    this.#zoned(parts.offset)
  }

  /** The end of a time: its zone, where it has one, and the call. */
  #zoned(offset: number | undefined): void {
    if (offset === undefined) return this.#call(op.tuple1)
    this.#global('datetime', 'timezone')
    const whole = Math.floor(offset)
    this.#delta(new TimeDelta(0, whole, Math.round((offset - whole) * 1e6)))
    this.#call(op.tuple1)
    this.#call(op.tuple2)
  }

  #delta({ days, seconds, microseconds }: TimeDelta): void {
    this.#global('datetime', 'timedelta')
    for (const part of [days, seconds, microseconds]) this.#integer(part)
    this.#call(op.tuple3)
  }

  #global(module: string, name: string): void {
    this.#text(module)
    this.#text(name)
    this.code(op.stackGlobal)
  }

  #call(tuple: number): void {
    this.code(tuple)
    this.code(op.reduce)
  }
}

function dateBytes({ year, month, day }: LocalDate): Uint8Array {
  return Uint8Array.of(year >> 8, year & 0xff, month, day)
}

function timeBytes({ hour, minute, second, microsecond }: TimeParts): Uint8Array {
  const micros = [microsecond >> 16, (microsecond >> 8) & 0xff, microsecond & 0xff]
  return Uint8Array.of(hour, minute, second, ...micros)
}
