/**
 * JSON text to values. Plain text goes through `JSON.parse` alone; typed values are filled in afterwards,
 * and what `JSON.parse` would spoil (large integers) or refuse (NaN, Infinity) is set aside before.
 */
import { readTyped } from './json-typed.ts'

/** An integer of 16 digits or more that is not part of a longer number. Also matches inside texts, harmlessly. */
const LARGE = /(?:^|[\s,:[])-?\d{16,}(?![\d.eE])/

/** Numbers and Python's three tokens, outside of texts. */
const TOKENS = /-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?|-?Infinity|NaN/g

/** Python refuses longer integers too: reading one takes time that grows with the square. */
const MOST_DIGITS = 4300

/**
 * The value of JSON text as Kombu writes it. Integers beyond ±2^53 become bigint. Throws a SyntaxError for
 * text that is not JSON, a TypeError for a typed value that is not one.
 */
export function parseJson(text: string): unknown {
  if (LARGE.test(text)) return parseWithTokens(text)
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (error) {
    if (!text.includes('NaN') && !text.includes('Infinity')) throw error
    return parseWithTokens(text)
  }
  return text.includes('"__type__"') ? revive(value) : value
}

function parseWithTokens(text: string): unknown {
  const aside: (bigint | number)[] = []
  let mark = '__celeriac__'
  while (text.includes(mark)) mark += '_'
  const put = (value: bigint | number): string => `{"${mark}":${aside.push(value) - 1}}`

  const rewritten = outsideTexts(text, (part) =>
    part.replaceAll(TOKENS, (token) => {
      if (token === 'NaN') return put(NaN)
      if (token.endsWith('y')) return put(token.startsWith('-') ? -Infinity : Infinity)
      // Leading zeros stay for JSON.parse to refuse.
      if (!/^-?[1-9]\d{15,}$/.test(token) || Number.isSafeInteger(Number(token))) return token
      if (token.length > MOST_DIGITS) throw new TypeError('an integer has more than 4300 digits')
      return put(BigInt(token))
    }),
  )
  return revive(JSON.parse(rewritten), mark, aside)
}

/** Applies `change` to what is between the texts. By hand: a pattern for long texts overflows the stack. */
function outsideTexts(text: string, change: (part: string) => string): string {
  let result = ''
  let from = 0
  for (;;) {
    const open = text.indexOf('"', from)
    if (open < 0) return result + change(text.slice(from))
    const end = endOfText(text, open)
    result += change(text.slice(from, open)) + text.slice(open, end)
    from = end
  }
}

function endOfText(text: string, open: number): number {
  let quote = open
  for (;;) {
    quote = text.indexOf('"', quote + 1)
    if (quote < 0) return text.length
    let before = quote - 1
    while (text.charCodeAt(before) === 0x5c) before--
    if ((quote - before) % 2 === 1) return quote + 1
  }
}

function revive(value: unknown, mark?: string, aside: readonly unknown[] = []): unknown {
  if (typeof value !== 'object' || value === null) return value
  if (Array.isArray(value)) {
    for (let index = 0; index < value.length; index++) {
      value[index] = revive(value[index], mark, aside)
    }
    return value
  }

  const members = value as Record<string, unknown>
  let count = 0
  for (const key in members) {
    count++
    const before = members[key]
    if (typeof before !== 'object' || before === null) continue
    const after = revive(before, mark, aside)
    if (after === before) continue
    // Plain assignment to this key would change the prototype.
    if (key === '__proto__') Object.defineProperty(members, key, { value: after })
    else members[key] = after
  }
  if (count === 1 && mark !== undefined && Object.hasOwn(members, mark)) {
    return aside[members[mark] as number]
  }
  return count === 2 && Object.hasOwn(members, '__type__') && Object.hasOwn(members, '__value__')
    ? readTyped(members['__type__'], members['__value__'])
    : value
}
