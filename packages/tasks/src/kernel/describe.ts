/**
 * Short text for arguments and results, in the look of Python's `repr`, for headers, logs, events and
 * monitors. Display only; values under keys that look secret are shown as `'***'`.
 */

export interface DescribeOptions {
  /** Cut near this many characters; 1024 when absent. */
  readonly maxLength?: number
  /** False shows secrets too; true when absent. */
  readonly redact?: boolean
}

const defaultLength = 1024
const deepest = 3
const unsafe = /['\p{Cc}]/u
const secret = /passw(?:or)?d|secret|authorization|api[-_]?key|token$/i

/** Any value. Never throws. */
export function describe(value: unknown, options?: DescribeOptions): string {
  return write(value, options)
}

/** Positional arguments, as Python shows a tuple: `(2, 3)`, `(1,)`, `()`. Never throws. */
export function describeArgs(args: readonly unknown[], options?: DescribeOptions): string {
  if (args.length === 0) return '()'
  return write(new Tuple(args), options)
}

/** Keyword arguments: `{'x': 1}`. Never throws. */
export function describeKwargs(
  kwargs: Readonly<Record<string, unknown>>,
  options?: DescribeOptions,
): string {
  for (const _ in kwargs) return write(kwargs, options)
  return '{}'
}

/** Marks an array that is to be shown in round brackets. */
class Tuple {
  readonly items: readonly unknown[]
  constructor(items: readonly unknown[]) {
    this.items = items
  }
}

function write(value: unknown, options: DescribeOptions | undefined): string {
  const writer = new Writer(options?.maxLength ?? defaultLength, options?.redact ?? true)
  try {
    writer.value(value, 0)
  } catch {
    // A getter, a proxy or a toString of the user's own threw.
    return '<cannot be shown>'
  }
  return writer.text
}

/** Appends to one text and stops asking for more once it is long enough. */
class Writer {
  text = ''
  readonly #maxLength: number
  readonly #redact: boolean

  constructor(maxLength: number, redact: boolean) {
    this.#maxLength = maxLength
    this.#redact = redact
  }

  /** `level` is how many containers are open around the value. */
  value(value: unknown, level: number): void {
    switch (typeof value) {
      case 'string':
        return this.#quoted(value)
      case 'number':
        this.text += Number.isFinite(value) ? String(value) : notFinite(value)
        return
      case 'boolean':
        this.text += value ? 'True' : 'False'
        return
      case 'undefined':
        this.text += 'None'
        return
      case 'object':
        if (value === null) this.text += 'None'
        else this.#object(value, level)
        return
      case 'bigint':
        this.text += String(value)
        return
      case 'function':
        this.text += `<function ${value.name || 'anonymous'}>`
        return
      case 'symbol':
        this.text += `<${String(value)}>`
    }
  }

  #object(value: object, level: number): void {
    if (Array.isArray(value)) return this.#list('[', value, ']', level)
    if (value instanceof Tuple) {
      return this.#list('(', value.items, value.items.length === 1 ? ',)' : ')', level)
    }
    if (value instanceof Date) {
      this.text += Number.isNaN(value.getTime()) ? '<invalid date>' : value.toISOString()
    } else if (value instanceof Uint8Array) {
      this.#bytes(value)
    } else if (value instanceof Error) {
      this.text += `${value.name}(`
      this.#quoted(value.message)
      this.text += ')'
    } else if (value instanceof Set) {
      this.#list('{', value, '}', level)
    } else if (value instanceof Map) {
      this.#map(value, level)
    } else {
      this.#record(value as Record<string, unknown>, level)
    }
  }

  #list(open: string, items: Iterable<unknown>, close: string, level: number): void {
    if (level >= deepest) {
      this.text += `${open}...${close.at(-1)}`
      return
    }
    let separator = open
    for (const item of items) {
      this.text += separator
      if (this.#isFull()) return this.#cut(close)
      this.value(item, level + 1)
      separator = ', '
    }
    this.text += separator === open ? open + close : close
  }

  #map(map: ReadonlyMap<unknown, unknown>, level: number): void {
    if (level >= deepest) return this.#collapsed()
    let separator = '{'
    for (const [key, value] of map) {
      this.text += separator
      if (this.#isFull()) return this.#cut('}')
      this.#pair(key, value, level)
      separator = ', '
    }
    this.text += separator === '{' ? '{}' : '}'
  }

  #record(record: Readonly<Record<string, unknown>>, level: number): void {
    if (level >= deepest) return this.#collapsed()
    let separator = '{'
    for (const key of Object.keys(record)) {
      this.text += separator
      if (this.#isFull()) return this.#cut('}')
      this.#pair(key, record[key], level)
      separator = ', '
    }
    this.text += separator === '{' ? '{}' : '}'
  }

  #collapsed(): void {
    this.text += '{...}'
  }

  #pair(key: unknown, value: unknown, level: number): void {
    this.value(key, level + 1)
    this.text += ': '
    if (this.#redact && typeof key === 'string' && secret.test(key)) this.text += "'***'"
    else this.value(value, level + 1)
  }

  #quoted(value: string): void {
    const room = this.#maxLength - this.text.length
    const shown = value.length <= room ? value : `${value.slice(0, cutAt(value, room))}...`
    // Control characters would let an argument forge a line of the log.
    this.text += unsafe.test(shown) ? `'${shown.replace(unsafeAll, escaped)}'` : `'${shown}'`
  }

  #bytes(value: Uint8Array): void {
    const room = Math.max(0, this.#maxLength - this.text.length)
    const shown = Buffer.from(value.buffer, value.byteOffset, Math.min(value.byteLength, room))
    this.text += 'b'
    const text = shown.toString('utf8')
    this.#quoted(text.includes('\ufffd') ? shown.toString('hex') : text)
  }

  #isFull(): boolean {
    return this.text.length >= this.#maxLength
  }

  #cut(close: string): void {
    this.text += `...${close.at(-1)}`
  }
}

const unsafeAll = new RegExp(unsafe, 'gu')
const named: Readonly<Record<string, string>> = {
  "'": "\\'",
  '\n': '\\n',
  '\r': '\\r',
  '\t': '\\t',
}

function escaped(character: string): string {
  return named[character] ?? `\\x${character.charCodeAt(0).toString(16).padStart(2, '0')}`
}

/** Where to cut so that no surrogate pair is torn apart. */
function cutAt(value: string, room: number): number {
  const at = Math.max(0, room)
  const last = value.charCodeAt(at - 1)
  return last >= 0xd800 && last <= 0xdbff ? at - 1 : at
}

function notFinite(value: number): string {
  return Number.isNaN(value) ? 'nan' : value > 0 ? 'inf' : '-inf'
}
