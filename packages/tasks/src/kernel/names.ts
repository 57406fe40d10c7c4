/**
 * Names of nodes (`celery@host`) and the `%` signs in them, as Celery has them: in `--hostname`, in names
 * of log and pid files.
 */
import { hostname } from 'node:os'

/** Name of a worker that was given none. */
export const DEFAULT_NODE = 'celery'

export interface NodeName {
  /** Before the `@`; undefined when there is none. */
  readonly name: string | undefined
  readonly host: string
}

/** Splits at the first `@`; a text without one is a host. */
export function splitNode(node: string): NodeName {
  const at = node.indexOf('@')
  return at < 0
    ? { name: undefined, host: node }
    : { name: node.slice(0, at), host: node.slice(at + 1) }
}

/**
 * The full name of a node: parts that were not given are `celery` and this machine, `%` signs are
 * expanded. `w1` is `celery@w1`, `w1@%h` is `w1@machine.example`.
 */
export function nodeName(given = '', host = hostname()): string {
  const parts = splitNode(given)
  return expandHost(`${parts.name || DEFAULT_NODE}@${parts.host || host}`, host)
}

/** Name of a program that is no worker: `gen4711@host`, the origin of the messages it sends. */
export function clientName(pid = process.pid, host = hostname(), prefix = 'gen'): string {
  return `${prefix}${pid}@${host}`
}

/** Name of the queue that only this worker consumes (`workerDirect`). */
export function directQueueName(node: string): string {
  return `${node}.dq2`
}

/** Expands `%h` host, `%n` host without domain, `%d` domain, `%%`. Throws a RangeError for other signs. */
export function expandHost(text: string, host = hostname()): string {
  const { short, domain } = splitHost(host)
  return expand(text, { h: host, n: short, d: domain })
}

/**
 * Expands the signs of file names for a node: `%p` its full name, `%n` the part before the `@`, `%h` and
 * `%d` host and domain, `%i` the number of the pool process (0 for the main one), `%I` the same with a
 * leading hyphen, empty for the main one.
 */
export function expandNode(text: string, node: string, processIndex = 0): string {
  const { name, host } = splitNode(node)
  return expand(text, {
    p: node,
    n: name || DEFAULT_NODE,
    h: host,
    d: splitHost(host).domain,
    i: String(processIndex),
    I: processIndex > 0 ? `-${processIndex}` : '',
  })
}

function splitHost(host: string): { short: string; domain: string } {
  const dot = host.indexOf('.')
  return dot < 0
    ? { short: host, domain: '' }
    : { short: host.slice(0, dot), domain: host.slice(dot + 1) }
}

function expand(text: string, signs: Readonly<Record<string, string>>): string {
  return text.replaceAll(/%(.?)/gs, (whole, sign: string) => {
    if (sign === '%') return '%'
    const value = Object.hasOwn(signs, sign) ? signs[sign] : undefined
    if (value !== undefined) return value
    const known = Object.keys(signs).map((one) => `%${one}`)
    throw new RangeError(`'${whole}' in '${text}' means nothing; known: ${known.join(' ')} %%`)
  })
}
