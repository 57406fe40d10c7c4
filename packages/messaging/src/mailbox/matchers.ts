/** Which nodes a pattern means. Kombu: `kombu.matcher`; users may add their own to a mailbox. */
import { MessagingError } from '../kernel/errors.ts'

export type Matcher = (name: string, pattern: string) => boolean

/** A pattern comes over the wire: longer ones are nobody's, and could keep an expression busy. */
const longest = 1000

const special = /[\\^$.|?*+()[\]{}]/

/** A shell pattern as Python's `fnmatch` has it: `*`, `?`, `[seq]` and `[!seq]`. */
export function globToRegExp(pattern: string): RegExp {
  /** Between the stars. */
  const parts: string[] = []
  let source = ''
  for (let i = 0; i < pattern.length; i++) {
    const letter = pattern[i]!
    if (letter === '*') {
      parts.push(source)
      source = ''
    } else if (letter === '?') source += '[^]'
    else if (letter === '[') {
      // A `]` right after the opening belongs to the set; without an end it is just a bracket.
      const begin = pattern[i + 1] === '!' ? i + 2 : i + 1
      const end = pattern.indexOf(']', begin + 1)
      if (end < 0) {
        source += '\\['
        continue
      }
      const set = pattern.slice(begin, end).replaceAll(/[\\\]^[]/g, '\\$&')
      source += `[${begin === i + 2 ? '^' : ''}${set}]`
      i = end
    } else source += special.test(letter) ? `\\${letter}` : letter
  }
  const [begin, ...middle] = parts
  if (begin === undefined) return new RegExp(`^${source}$`, 'u')
  // Each part where it comes first, and never again elsewhere: a pattern of many stars would take for ever.
  const found = middle.filter(Boolean).map((part, i) => `(?=([^]*?${part}))\\${i + 1}`)
  return new RegExp(`^${begin}${found.join('')}[^]*${source}$`, 'u')
}

export const matchers: Readonly<Record<string, Matcher>> = {
  glob: (name, pattern) => globToRegExp(pattern).test(name),
  /** Python's `re.match`: from the start, but not to the end. */
  pcre: (name, pattern) => new RegExp(`^(?:${pattern})`, 'u').test(name),
}

/** Throws `MESSAGING_OPTION_INVALID` for an unknown matcher or a pattern it cannot read. */
export function matches(
  name: string,
  pattern: string,
  matcher: string,
  known: Readonly<Record<string, Matcher>>,
): boolean {
  const match = Object.hasOwn(known, matcher) ? known[matcher] : undefined
  if (!match) {
    throw invalid(`no matcher '${matcher}' here; known: ${Object.keys(known).join(', ')}`)
  }
  if (pattern.length > longest)
    throw invalid(`a pattern has at most ${longest} letters, found ${pattern.length}`)
  try {
    return match(name, pattern)
  } catch (error) {
    throw invalid(`the ${matcher} pattern ${JSON.stringify(pattern)} cannot be read`, error)
  }
}

function invalid(text: string, cause?: unknown): MessagingError {
  return new MessagingError('MESSAGING_OPTION_INVALID', 'message', text, { cause })
}
