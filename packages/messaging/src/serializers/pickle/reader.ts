/**
 * Pickles to values, all protocols: a stack machine that knows plain values and the names it is given, and
 * imports nothing. What it keeps is bounded by the bytes that came.
 */
import { MessagingError } from '../../kernel/errors.ts'
import { globalName, type PickleGlobal } from './globals.ts'
import { collecting, mostCollections, op } from './opcodes.ts'
import {
  ascii,
  asciiFloat,
  asciiInteger,
  bigEndianFloat,
  littleEndianInteger,
  pythonQuoted,
  rawUnicode,
  utf8,
} from './parts.ts'
import { finished, Named, PickledDict, putAll, Unbuilt } from './tree.ts'

const newestProtocol = 5

const cut = 'the bytes are cut off'

/** Cannot be confused with a value. */
const mark = Symbol('mark')

/** The value of a pickle. Throws `MESSAGING_GLOBAL_REFUSED` for a name that is not among `globals`. */
export function readPickle(bytes: Uint8Array, globals: ReadonlyMap<string, PickleGlobal>): unknown {
  return finished(new Machine(bytes, globals).run())
}

class Machine {
  readonly #bytes: Uint8Array
  readonly #view: DataView
  readonly #globals: ReadonlyMap<string, PickleGlobal>
  readonly #stack: unknown[] = []
  /** Places of the marks on the stack. */
  readonly #marks: number[] = []
  readonly #memo = new Map<number, unknown>()
  #at = 0
  /** What names may still be given: a shared text must not become a thousand copies. */
  #budget: number

  constructor(bytes: Uint8Array, globals: ReadonlyMap<string, PickleGlobal>) {
    this.#bytes = bytes
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    this.#globals = globals
    this.#budget = 65_536 + bytes.length * 32
  }

  run(): unknown {
    for (let collections = 0; ;) {
      const code = this.#uint(1)
      if (code === op.stop) break
      if (collecting.has(code) && ++collections > mostCollections)
        throw new TypeError(`the value has more than ${mostCollections} collections`)
      this.#step(code)
    }
    const value = this.#pop()
    if (this.#stack.length > 0) throw new TypeError('values are left over')
    if (this.#at < this.#bytes.length) throw new TypeError('more bytes follow the value')
    return value
  }

  #step(code: number): void {
    const stack = this.#stack
    switch (code) {
      case op.proto: {
        const version = this.#uint(1)
        if (version > newestProtocol) throw new TypeError(`protocol ${version} is not known`)
        return
      }
      case op.frame:
        if (this.#length(8) > this.#bytes.length - this.#at) throw new TypeError(cut)
        return

      case op.none:
        stack.push(null)
        return
      case op.newTrue:
        stack.push(true)
        return
      case op.newFalse:
        stack.push(false)
        return
      case op.int: {
        const text = this.#line()
        // Protocol 0 has no other truths.
        stack.push(text === '01' ? true : text === '00' ? false : asciiInteger(text))
        return
      }
      case op.long:
        stack.push(asciiInteger(this.#line().replace(/L$/, '')))
        return
      case op.binInt:
        stack.push(this.#view.getInt32(this.#skip(4), true))
        return
      case op.binInt1:
        stack.push(this.#uint(1))
        return
      case op.binInt2:
        stack.push(this.#uint(2))
        return
      case op.long1:
        stack.push(littleEndianInteger(this.#take(this.#uint(1))))
        return
      case op.long4:
        stack.push(littleEndianInteger(this.#take(this.#uint(4))))
        return
      case op.float:
        stack.push(asciiFloat(this.#line()))
        return
      case op.binFloat:
        stack.push(bigEndianFloat(this.#take(8)))
        return

      case op.unicode:
        stack.push(rawUnicode(this.#lineBytes()))
        return
      case op.shortBinUnicode:
        stack.push(utf8(this.#take(this.#uint(1))))
        return
      case op.binUnicode:
        stack.push(utf8(this.#take(this.#uint(4))))
        return
      case op.binUnicode8:
        stack.push(utf8(this.#take(this.#length(8))))
        return
      case op.string:
        stack.push(ascii(pythonQuoted(this.#line())))
        return
      case op.binString:
        stack.push(ascii(this.#take(this.#uint(4))))
        return
      case op.shortBinString:
        stack.push(ascii(this.#take(this.#uint(1))))
        return
      case op.shortBinBytes:
        stack.push(new Uint8Array(this.#take(this.#uint(1))))
        return
      case op.binBytes:
        stack.push(new Uint8Array(this.#take(this.#uint(4))))
        return
      case op.binBytes8:
      case op.byteArray8:
        stack.push(new Uint8Array(this.#take(this.#length(8))))
        return

      case op.mark:
        this.#marks.push(stack.length)
        stack.push(mark)
        return
      case op.pop:
        if (stack.at(-1) === mark) this.#popMark()
        else this.#pop()
        return
      case op.popMark:
        this.#popMark()
        return
      case op.dup:
        stack.push(this.#top())
        return

      case op.emptyTuple:
      case op.emptyList:
        stack.push([])
        return
      case op.emptyDict:
        stack.push(new PickledDict())
        return
      case op.emptySet:
        stack.push(new Set())
        return
      case op.tuple:
      case op.list:
        stack.push(this.#popMark())
        return
      case op.tuple1:
      case op.tuple2:
      case op.tuple3:
        stack.push(this.#popMany(code - op.tuple1 + 1))
        return
      case op.dict:
        stack.push(putAll(new PickledDict(), this.#popMark()))
        return
      case op.frozenSet:
        stack.push(new Set(this.#popMark()))
        return
      case op.append:
      case op.appends: {
        const values = code === op.append ? [this.#pop()] : this.#popMark()
        const list = this.#list()
        for (const value of values) list.push(value)
        return
      }
      case op.setItem:
      case op.setItems: {
        const pairs = code === op.setItem ? this.#popMany(2) : this.#popMark()
        putAll(this.#dict(), pairs)
        return
      }
      case op.addItems: {
        const values = this.#popMark()
        const set = this.#top()
        if (!(set instanceof Set)) throw new TypeError('items are added to what is no set')
        for (const value of values) set.add(value)
        return
      }

      case op.get:
        this.#recall(Number(asciiInteger(this.#line())))
        return
      case op.binGet:
        this.#recall(this.#uint(1))
        return
      case op.longBinGet:
        this.#recall(this.#uint(4))
        return
      case op.put:
        this.#remember(Number(asciiInteger(this.#line())))
        return
      case op.binPut:
        this.#remember(this.#uint(1))
        return
      case op.longBinPut:
        this.#remember(this.#uint(4))
        return
      case op.memoize:
        this.#remember(this.#memo.size)
        return

      case op.global: {
        const module = this.#line()
        stack.push(this.#named(module, this.#line()))
        return
      }
      case op.stackGlobal: {
        const [module, name] = this.#popMany(2)
        if (typeof module !== 'string' || typeof name !== 'string') {
          throw new TypeError('a name is no text')
        }
        stack.push(this.#named(module, name))
        return
      }
      case op.inst: {
        const module = this.#line()
        const named = this.#named(module, this.#line())
        stack.push(this.#make(named, this.#popMark()))
        return
      }
      case op.obj: {
        const [named, ...args] = this.#popMark()
        stack.push(this.#make(named, args))
        return
      }
      case op.reduce:
      case op.newObj: {
        const [named, args] = this.#popMany(2)
        stack.push(this.#make(named, args))
        return
      }
      case op.newObjEx: {
        const [named, args, words] = this.#popMany(3)
        if (!(words instanceof PickledDict) || words.members.size > 0) {
          throw new TypeError('a class is made with named arguments')
        }
        stack.push(this.#make(named, args))
        return
      }
      case op.build: {
        const state = this.#pop()
        const unbuilt = this.#top(false)
        if (!(unbuilt instanceof Unbuilt)) throw new TypeError('a plain value has a state')
        stack[stack.length - 1] = this.#settle(unbuilt, state)
        return
      }
      default:
        throw new TypeError(`opcode 0x${code.toString(16)} is not known or not allowed`)
    }
  }

  #named(module: string, name: string): Named {
    const full = globalName(module, name)
    const make = this.#globals.get(full)
    if (make) return new Named(full, make)
    throw new MessagingError(
      'MESSAGING_GLOBAL_REFUSED',
      'message',
      `the pickle names ${full}, which is not among the plain values; allow it with makePickle({ globals: { '${full}': … } }), or send plain values`,
    )
  }

  #make(named: unknown, args: unknown): unknown {
    // copyreg's way to say that a class was made without arguments, in protocols 0 and 1.
    if (named instanceof Named && named.name === 'copyreg._reconstructor') {
      const [inner] = args as unknown[]
      return this.#make(inner, [])
    }
    if (!(named instanceof Named) || !Array.isArray(args)) {
      throw new TypeError('what is called is no class')
    }
    return new Unbuilt(named, args as unknown[])
  }

  /** Turns what was made into its value, everywhere it is known by number. */
  #settle(unbuilt: Unbuilt, state?: unknown): unknown {
    const value = unbuilt.build(state, (size) => {
      this.#budget -= size
      if (this.#budget < 0) throw new TypeError('too much is made of few bytes')
    })
    for (const place of unbuilt.places) this.#memo.set(place, value)
    return value
  }

  #remember(place: number): void {
    const value = this.#top(false)
    if (value instanceof Unbuilt) value.places.push(place)
    this.#memo.set(place, value)
  }

  #recall(place: number): void {
    const value = this.#memo.get(place)
    if (value === undefined) throw new TypeError(`value ${place} is not remembered`)
    this.#stack.push(value instanceof Unbuilt ? this.#settle(value) : value)
  }

  /** What lies on top; what was made and got no state is built by then. */
  #top(settled = true): unknown {
    const value = this.#stack.at(-1)
    if (value === undefined || value === mark) throw new TypeError('a value is missing')
    if (!settled || !(value instanceof Unbuilt)) return value
    return (this.#stack[this.#stack.length - 1] = this.#settle(value))
  }

  #pop(): unknown {
    const value = this.#top()
    this.#stack.pop()
    return value
  }

  #popMany(count: number): unknown[] {
    const values = Array.from({ length: count }, () => this.#pop())
    return values.reverse()
  }

  /** Everything above the last mark, which goes as well. */
  #popMark(): unknown[] {
    const place = this.#marks.pop()
    if (place === undefined) throw new TypeError('a mark is missing')
    const values = this.#stack.splice(place).slice(1)
    return values.map((value) => (value instanceof Unbuilt ? this.#settle(value) : value))
  }

  #list(): unknown[] {
    const list = this.#top()
    if (Array.isArray(list)) return list as unknown[]
    throw new TypeError('items are appended to what is no list')
  }

  #dict(): PickledDict | Map<unknown, unknown> {
    const dict = this.#top()
    if (dict instanceof PickledDict || dict instanceof Map) return dict
    throw new TypeError('items are put into what is no dict')
  }

  #skip(count: number): number {
    const from = this.#at
    if (count > this.#bytes.length - from) throw new TypeError(cut)
    this.#at += count
    return from
  }

  #take(count: number): Uint8Array {
    const from = this.#skip(count)
    return this.#bytes.subarray(from, this.#at)
  }

  #uint(size: 1 | 2 | 4): number {
    const from = this.#skip(size)
    if (size === 1) return this.#view.getUint8(from)
    return size === 2 ? this.#view.getUint16(from, true) : this.#view.getUint32(from, true)
  }

  #length(size: 8): number {
    return Number(this.#view.getBigUint64(this.#skip(size), true))
  }

  #lineBytes(): Uint8Array {
    const end = this.#bytes.indexOf(0x0a, this.#at)
    if (end < 0) throw new TypeError(cut)
    const line = this.#take(end - this.#at)
    this.#at++
    return line
  }

  #line(): string {
    return utf8(this.#lineBytes())
  }
}
