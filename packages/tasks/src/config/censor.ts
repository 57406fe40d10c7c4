/** Settings as they may be shown: passwords in URLs and everything that looks secret are replaced. */
import { isMapping } from './option.ts'
import { options, type OptionName } from './options.ts'

const HIDDEN = '********'

/** Names whose values are never shown; key prefixes and routing keys are not secrets. */
const SECRET =
  /token|secret|passw|passphrase|credential|signature|(?:api|access|private|account|encryption)_?key/i

/** A password in a URL, also in the middle of a text. */
const PASSWORD = /(\b[a-z][a-z0-9+.-]*:\/\/[^\s:/?#@;]*:)[^\s/?#;]*(?=@)/gi

/** True when values under this name must not be shown. */
export function isSecret(name: string): boolean {
  return SECRET.test(name) || (Object.hasOwn(options, name) && options[name as OptionName].secret)
}

/** The text with the passwords of all URLs in it replaced. */
export function maskUrls(text: string): string {
  return text.replaceAll(PASSWORD, `$1${HIDDEN}`)
}

/** A copy of plain data that may be shown. */
export function censor(value: unknown, name = ''): unknown {
  if (value !== undefined && value !== null && isSecret(name)) return HIDDEN
  if (typeof value === 'string') return maskUrls(value)
  if (Array.isArray(value)) return value.map((one) => censor(one))
  if (!isMapping(value)) return value
  return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, censor(one, key)]))
}

/** What was found where something else was expected: short, and without secrets. */
export function found(value: unknown, name = ''): string {
  if (isSecret(name)) return 'a value that is not shown'
  switch (typeof value) {
    case 'string': {
      const text = maskUrls(value)
      return `the text ${JSON.stringify(text.length > 60 ? `${text.slice(0, 57)}...` : text)}`
    }
    case 'number':
    case 'boolean':
    case 'bigint':
    case 'undefined':
      return `${value}`
    case 'object':
      if (value === null) return 'null'
      if (Array.isArray(value)) return `a list of ${value.length}`
      return isMapping(value) ? 'a mapping' : `an instance of ${value.constructor.name}`
    default:
      return `a ${typeof value}`
  }
}
