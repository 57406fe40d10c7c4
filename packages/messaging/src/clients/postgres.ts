/**
 * The one door to pg: turns a target into links that never reconnect by themselves (the connection above
 * does that), on which every statement has a deadline. Statements of one turn leave together and are
 * answered in order.
 */
import { Socket } from 'node:net'
import type * as Pg from 'pg'
import type { Clock } from '../kernel/clock.ts'
import { withDeadline } from '../kernel/deadline.ts'
import { MessagingError, messageOf, type Fault, type MessagingCode } from '../kernel/errors.ts'
import { optionalDriver } from '../kernel/optional-package.ts'
import type { ConnectOptions } from '../transport/transport.ts'

type Driver = typeof Pg

/** A statement; one with a name is planned once for each link. */
export interface Statement {
  readonly name?: string
  readonly text: string
}

export type SqlRow = Readonly<Record<string, unknown>>

export interface SqlAnswer {
  readonly rows: readonly SqlRow[]
  /** Rows that were written, or read. */
  readonly count: number
}

export interface LinkOptions {
  /** Milliseconds a statement may take where it says nothing else. The link is over when one takes longer. */
  readonly deadlineMs: number
  /** Sent once, when the link stands. */
  readonly setup?: string
}

/** Query options that pg and libpq share, by the names they have there. */
const passedThrough = [
  'host',
  'sslmode',
  'sslrootcert',
  'sslcert',
  'sslkey',
  'sslnegotiation',
  'uselibpqcompat',
] as const

/** What a target may say for the driver. */
export const postgresOptionNames: readonly string[] = [...passedThrough, 'ssl']

/** Errors of a moment: deadlock, serialization, lock timeout. The same statement may succeed right after. */
const momentary = new Set(['40P01', '40001', '55P03'])
const attemptsOfOne = 4
/** How long a farewell may take before the socket is closed without one. */
const farewellMs = 1000

/** The driver; rejects with `MESSAGING_DRIVER_MISSING` (fatal), which says what to install. */
export function loadPostgres(load: () => Promise<unknown> = () => import('pg')): Promise<Driver> {
  return optionalDriver('pg', '^8.23.0', 'PostgreSQL', load)
}

/** One socket to the server. */
export class PostgresLink {
  /** Resolves once, when the link is over, also by `close`. */
  readonly ended: Promise<Error>
  readonly #client: Pg.Client
  readonly #socket: Socket
  readonly #clock: Clock
  /** Milliseconds a statement may take where it says nothing else. */
  readonly deadlineMs: number
  #answeredAtMs: number
  #last: Error | undefined

  /** Connects and logs in; rejects with a typed error whose fault says whether to try again. */
  static async open(
    options: ConnectOptions,
    { deadlineMs, setup }: LinkOptions,
  ): Promise<PostgresLink> {
    const { target, timeoutMs, ambient } = options
    const { Client } = await loadPostgres()
    // Ours, because the driver has no way to hang up on a server that does not answer.
    const socket = new Socket()
    try {
      const client = new Client({ ...clientOptions(options), stream: () => socket })
      const link = new PostgresLink(client, socket, ambient.clock, deadlineMs)
      const handshake = (async () => {
        await client.connect()
        if (setup !== undefined) await client.query(setup)
      })()
      await withDeadline(handshake, timeoutMs, ambient.clock, '', () => {
        const why = `no answer from ${target.masked} within ${timeoutMs} ms`
        return new MessagingError('MESSAGING_CONNECT_FAILED', 'connection', why)
      })
      return link
    } catch (error) {
      socket.destroy()
      throw postgresError(error, `connecting to ${target.masked}`, true)
    }
  }

  private constructor(client: Pg.Client, socket: Socket, clock: Clock, deadlineMs: number) {
    this.#client = client
    this.#socket = socket
    this.#clock = clock
    this.deadlineMs = deadlineMs
    this.#answeredAtMs = clock.monotonic()
    // Without a listener an error event would end the process; the statements reject anyway.
    client.on('error', (error: Error) => (this.#last ??= error))
    this.ended = new Promise((resolve) => {
      client.once('end', () => {
        resolve(this.#last ?? new Error('the server closed the connection'))
      })
    })
  }

  /** Milliseconds since the server last answered here. */
  get silentMs(): number {
    return this.#clock.monotonic() - this.#answeredAtMs
  }

  /** Calls `onChannel` with the name of each channel that is notified, and what the notice says. */
  onNotification(onChannel: (channel: string, payload: string) => void): void {
    this.#client.on('notification', ({ channel, payload = '' }) => onChannel(channel, payload))
  }

  /** Runs one statement, again when only the moment was bad. Rejects with a typed error. */
  async run(
    statement: Statement,
    values: readonly unknown[] = [],
    deadlineMs = this.deadlineMs,
  ): Promise<SqlAnswer> {
    return await patiently(() => this.#send(statement, values, deadlineMs))
  }

  /** Runs them all or none; resolves with their answers. */
  async transact(
    steps: readonly (readonly [Statement, readonly unknown[]])[],
    deadlineMs = this.deadlineMs,
  ): Promise<SqlAnswer[]> {
    const all: typeof steps = [[{ text: 'BEGIN' }, []], ...steps, [{ text: 'COMMIT' }, []]]
    return await patiently(async () => {
      // In one turn, so that nothing of others comes in between.
      const answers = await Promise.allSettled(
        all.map(([statement, values]) => this.#send(statement, values, deadlineMs)),
      )
      const failed = answers.find((answer) => answer.status === 'rejected')
      if (failed) throw failed.reason
      return answers.slice(1, -1).map((answer) => (answer as { value: SqlAnswer }).value)
    })
  }

  /** Says goodbye, and hangs up when that takes too long. Safe to call twice. */
  async close(): Promise<void> {
    this.#client.end().catch(() => undefined)
    await withDeadline(this.ended, farewellMs, this.#clock, '').catch(() => this.hangUp())
  }

  /** Closes the socket now; what is under way rejects. */
  hangUp(reason?: Error): void {
    if (reason) this.#last ??= reason
    this.#socket.destroy()
  }

  async #send(
    { name, text }: Statement,
    values: readonly unknown[],
    deadlineMs: number,
  ): Promise<SqlAnswer> {
    const asking = this.#client.query({
      text,
      ...(name !== undefined && { name }),
      ...(values.length > 0 && { values: [...values] }),
    })
    const { rows, rowCount } = await withDeadline(asking, deadlineMs, this.#clock, '', () => {
      const why = `PostgreSQL did not answer within ${deadlineMs} ms`
      const late = new MessagingError('MESSAGING_CONNECTION_LOST', 'connection', why)
      // Answers come in order: nothing behind this one would be answered either.
      this.hangUp(late)
      return late
    })
    this.#answeredAtMs = this.#clock.monotonic()
    return { rows: rows as SqlRow[], count: rowCount ?? 0 }
  }
}

/** Does it again when only the moment was bad. */
async function patiently<T>(work: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await work()
    } catch (error) {
      if (attempt === attemptsOfOne || !momentary.has(String(codeOf(error))))
        throw postgresError(error, 'asking PostgreSQL')
    }
  }
}

function clientOptions({ target, timeoutMs, heartbeatSeconds, clientName }: ConnectOptions) {
  const { options } = target
  const url = new URL(target.url)
  for (const name of passedThrough) {
    const value = options[name]
    if (typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean')
      url.searchParams.set(name, String(value))
  }
  return {
    connectionString: url.href,
    // Node's own options of TLS, for what a URL cannot say.
    ...(options['ssl'] !== undefined && { ssl: options['ssl'] as boolean }),
    application_name: clientName,
    connectionTimeoutMillis: timeoutMs,
    keepAlive: true,
    keepAliveInitialDelayMillis: Math.max(1, heartbeatSeconds) * 1000,
    pipeline: true,
  }
}

/** The SQLSTATE, or the code of the socket. */
function codeOf(error: unknown): string | undefined {
  const code = (error as { code?: unknown } | undefined)?.code
  return typeof code === 'string' ? code : undefined
}

interface Meaning {
  readonly code: MessagingCode
  readonly fault: Fault
  readonly hint?: string
}

const loginRefused: Meaning = {
  code: 'MESSAGING_AUTHENTICATION_FAILED',
  fault: 'fatal',
  hint: '; check user and password of the URL',
}
const notKept: Meaning = { code: 'MESSAGING_PUBLISH_REFUSED', fault: 'message' }

/** SQLSTATEs, or classes of them by their first two characters, that are more than a broken link. */
const meanings: Readonly<Record<string, Meaning>> = {
  '28': loginRefused,
  '3D': {
    code: 'MESSAGING_CONNECT_FAILED',
    fault: 'fatal',
    hint: '; create it, or name another one in the path of the URL',
  },
  '22': notKept,
  '54': notKept,
  '53100': { ...notKept, hint: '; the disk of the server is full' },
  '53200': notKept,
  '42501': {
    code: 'MESSAGING_STORE_FAILED',
    fault: 'fatal',
    hint: '; this role must be able to make tables in the schema, or somebody else makes them first',
  },
}

/** An error of pg → typed error with its fault. */
export function postgresError(error: unknown, what: string, connecting = false): MessagingError {
  if (MessagingError.is(error)) return error
  const state = codeOf(error) ?? ''
  const text = messageOf(error) || state
  const make = ({ code, fault, hint = '' }: Meaning): MessagingError =>
    new MessagingError(code, fault, `${what}: ${text}${hint}`, { cause: error })
  const meaning = /^[0-9A-Z]{5}$/.test(state)
    ? (meanings[state] ?? meanings[state.slice(0, 2)])
    : undefined
  if (meaning) return make(meaning)
  // The driver's own words, when the server wants a password and the URL has none.
  if (/^SASL: .*password/.test(text)) return make(loginRefused)
  const isTls = /CERT|SELF_SIGNED|UNABLE_TO_VERIFY|ERR_TLS|ERR_SSL/.test(state)
  if (isTls || /does not support SSL/.test(text)) {
    const hint = "; see 'sslmode' and 'sslrootcert' of the URL"
    return make({ code: 'MESSAGING_CONNECT_FAILED', fault: 'fatal', hint })
  }
  // A server error on a link that stands: the tables, say, were changed under us.
  const isSql = /^[0-9A-Z]{5}$/.test(state) && !/^(08|57|53)/.test(state)
  if (isSql) return make({ code: 'MESSAGING_STORE_FAILED', fault: 'connection' })
  return make({
    code: connecting ? 'MESSAGING_CONNECT_FAILED' : 'MESSAGING_CONNECTION_LOST',
    fault: 'connection',
  })
}
