/**
 * Broker URLs: `scheme://user:password@host:port/path?option=value`, several in a list or separated by
 * `;`. Passwords never leave this file but in `Target.url` and `Target.password`.
 */
import { MessagingError } from '../kernel/errors.ts'
import { didYouMean } from '../kernel/suggest.ts'
import type { Target } from '../transport/transport.ts'

/** Each URL of one text or list, in order. */
export function splitUrls(urls: string | readonly string[]): string[] {
  const list = typeof urls === 'string' ? urls.split(';') : urls
  const cleaned = list.map((url) => url.trim()).filter((url) => url !== '')
  if (cleaned.length === 0) throw invalid('', 'no broker URL was given')
  return cleaned
}

/** The URL with its password replaced, also when it is no valid URL. */
export function maskUrl(url: string): string {
  return (
    url
      // Up to the last `@`, as the parser reads it; a password of other letters makes no valid URL.
      .replace(/^([a-z][a-z0-9+.-]*:\/\/[^/?#:]*):[^/?#]*@/i, '$1:**@')
      .replace(/^([a-z][a-z0-9+.-]*:\/\/[^/?#:]*):(?!\*\*@)[^@]*@/i, '$1:**@')
      .replace(/([?&][^=&]*(?:password|secret|token|passphrase)[^=&]*=)[^&]*/gi, '$1**')
  )
}

/** `socket_timeout` → `socketTimeout`: Kombu's names of options mean ours. */
function camelName(name: string): string {
  return name.replaceAll(/_([a-z0-9])/g, (_, letter: string) => letter.toUpperCase())
}

/** Options that are texts whatever they look like. */
const isText = /password|passphrase|secret|token|^client_?name$/i

/** By their names here; numbers and booleans become what they look like. */
function readOptions(params: URLSearchParams): Record<string, unknown> {
  const options: Record<string, unknown> = {}
  for (const [name, text] of params) {
    options[camelName(name)] = isText.test(name)
      ? text
      : /^-?\d+(\.\d+)?$/.test(text)
        ? Number(text)
        : text === 'true' || text === 'True'
          ? true
          : text === 'false' || text === 'False'
            ? false
            : text
  }
  return options
}

/** A replica set of MongoDB names its members in one URL, which is none for anybody else. */
function splitMembers(url: string): [first: string, others: string] {
  const found = /^(mongodb:\/\/(?:[^/?#@]*@)?[^/?#,]*)(,[^/?#]*)/i.exec(url)
  if (!found) return [url, '']
  const [all, first = '', others = ''] = found
  return [first + url.slice(all.length), others]
}

function joinMembers(url: string, others: string): string {
  return others === '' ? url : url.replace(/^[^/]*\/\/[^/]*/, (first) => first + others)
}

/** Throws `MESSAGING_URL_INVALID` (fatal) with what was expected. `schemes`: what this program speaks. */
export function parseUrl(
  url: string,
  schemes: readonly string[],
  transportOptions: Readonly<Record<string, unknown>> = {},
  defaultPort: (scheme: string) => number | undefined = () => undefined,
): Target {
  // A bare scheme is enough where the broker has a usual place: `memory`, `redis`.
  const full = /^[a-z][a-z0-9+.-]*$/i.test(url) ? `${url}://` : url
  const [first, others] = splitMembers(full)
  // A login without a host, as sockets have it, is no URL for the parser.
  const hosted = first.replace(/^([a-z0-9.]+\+socket:\/\/[^/?#@]*@)(?=[/?#]|$)/i, '$1none')
  let parsed: URL
  try {
    parsed = new URL(hosted)
  } catch {
    // Without the error of the parser, which carries the whole URL.
    throw invalid(url, 'it is not of the form scheme://user:password@host:port/path')
  }
  const scheme = parsed.protocol.slice(0, -1)
  if (!schemes.includes(scheme)) {
    throw invalid(
      url,
      `no transport speaks '${scheme}'.${didYouMean(scheme, schemes)} Known: ${schemes.join(', ')}`,
    )
  }
  const text = (part: string, what: string): string => {
    try {
      return decodeURIComponent(part)
    } catch (error) {
      throw invalid(url, `its ${what} is not valid percent-encoding`, error)
    }
  }
  parsed.hash = ''
  const given = Object.entries(transportOptions).map(([name, value]) => [camelName(name), value])
  const options = { ...Object.fromEntries(given), ...readOptions(parsed.searchParams) }
  parsed.search = ''
  return {
    url: joinMembers(parsed.href, others),
    scheme,
    host: hosted === first ? parsed.hostname.replace(/^\[(.*)\]$/, '$1') : '',
    port: parsed.port === '' ? defaultPort(scheme) : Number(parsed.port),
    username: parsed.username === '' ? undefined : text(parsed.username, 'user name'),
    password: parsed.password === '' ? undefined : text(parsed.password, 'password'),
    path: text(parsed.pathname.replace(/^\//, ''), 'path'),
    options,
    masked: maskUrl(full),
  }
}

/** One target of those that follow one another and only name servers of one system: sentinels, nodes. */
export function gatherTargets(
  targets: readonly Target[],
  gathers: (scheme: string) => boolean,
): Target[] {
  const gathered: Target[] = []
  for (const target of targets) {
    const { scheme, host, port, masked } = target
    const last = gathered.at(-1)
    if (!last?.hosts || last.scheme !== scheme) {
      gathered.push(gathers(scheme) ? { ...target, hosts: [{ host, port }] } : target)
      continue
    }
    gathered[gathered.length - 1] = {
      ...last,
      // The database and the login usually stand in one of them only.
      path: last.path === '' ? target.path : last.path,
      username: last.username ?? target.username,
      password: last.password ?? target.password,
      options: { ...target.options, ...last.options },
      hosts: [...last.hosts, { host, port }],
      masked: `${last.masked};${masked}`,
    }
  }
  return gathered
}

function invalid(url: string, why: string, cause?: unknown): MessagingError {
  return new MessagingError(
    'MESSAGING_URL_INVALID',
    'fatal',
    `the broker URL '${maskUrl(url)}' cannot be used: ${why}`,
    { cause },
  )
}
