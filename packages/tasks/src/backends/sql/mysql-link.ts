/**
 * The one door to mysql2: one socket to MySQL or MariaDB, on which every statement has a deadline and is
 * answered in order. It never reconnects by itself.
 */
import { MessagingError, type Clock, type ConnectOptions } from '@celeriac/messaging'
import { messageOf, optionalDriver, tlsOf, withDeadline } from '@celeriac/messaging/internal'
import type * as Mysql from 'mysql2'
import type { SqlAnswer, SqlLink } from './links.ts'

type Driver = typeof Mysql
type Target = ConnectOptions['target']

/** Deadlock, and a lock that was not had in time. The same statement may succeed right after. */
const momentary = new Set<unknown>([1213, 1205])
const attemptsOfOne = 4
/** How long a farewell may take before the socket is closed without one. */
const farewellMs = 1000

/**
 * Nothing is cut off in silence, and a backslash escapes: the driver writes values into statements and relies
 * on it.
 */
const setup = `SET SESSION sql_mode = 'STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION'`

/** The driver; rejects with `MESSAGING_DRIVER_MISSING` (fatal), which says what to install. */
export function loadMysql(load: () => Promise<unknown> = () => import('mysql2')): Promise<Driver> {
  return optionalDriver('mysql2', '^3.24.5', 'MySQL and MariaDB', load)
}

export interface MysqlOptions {
  readonly clock: Clock
  /** Milliseconds connecting may take. */
  readonly timeoutMs: number
  /** Milliseconds a statement may take; the link is over when one takes longer. */
  readonly deadlineMs: number
}

/** Connects and logs in; rejects with a typed error whose fault says whether to try again. */
export async function openMysql(target: Target, options: MysqlOptions): Promise<SqlLink> {
  const { createConnection } = await loadMysql()
  const connection = createConnection(connectionOptions(target, options.timeoutMs))
  const link = new MysqlLink(connection, options)
  try {
    await withDeadline(link.send(setup, []), options.timeoutMs, options.clock, '', () => {
      const why = `no answer from ${target.masked} within ${options.timeoutMs} ms`
      return new MessagingError('MESSAGING_CONNECT_FAILED', 'connection', why)
    })
    return link
  } catch (error) {
    connection.destroy()
    throw mysqlError(error, `connecting to ${target.masked}`, true)
  }
}

function connectionOptions(target: Target, timeoutMs: number): Mysql.ConnectionOptions {
  const { host, port, username, password, path, options } = target
  const socket = options['unixSocket']
  const ssl = tlsOf(target, false)
  return {
    ...(typeof socket === 'string' ? { socketPath: socket } : { host: host || 'localhost' }),
    ...(port !== undefined && { port }),
    ...(username !== undefined && { user: username }),
    ...(password !== undefined && { password }),
    database: path,
    charset: 'utf8mb4',
    connectTimeout: timeoutMs,
    enableKeepAlive: true,
    // A Date would be in the zone of this process.
    dateStrings: true,
    // The driver compares no names unless it is told to.
    ...(ssl && {
      ssl: { ...ssl, verifyIdentity: !ssl.checkServerIdentity } as Mysql.SslOptions,
    }),
  }
}

class MysqlLink implements SqlLink {
  readonly ended: Promise<unknown>
  readonly #connection: Mysql.Connection
  readonly #clock: Clock
  readonly #deadlineMs: number
  #end!: (reason: unknown) => void

  constructor(connection: Mysql.Connection, { clock, deadlineMs }: MysqlOptions) {
    this.#connection = connection
    this.#clock = clock
    this.#deadlineMs = deadlineMs
    this.ended = new Promise((resolve) => (this.#end = resolve))
    // Without a listener an error event would end the process; the statements reject anyway.
    connection.on('error', (error) => this.#end(error))
    connection.on('end', () => this.#end(undefined))
  }

  async run(sql: string, values: readonly unknown[]): Promise<SqlAnswer> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.send(sql, values)
      } catch (error) {
        const { errno } = error as { errno?: unknown }
        if (attempt === attemptsOfOne || !momentary.has(errno))
          throw mysqlError(error, 'asking MySQL')
      }
    }
  }

  async send(sql: string, values: readonly unknown[]): Promise<SqlAnswer> {
    const asking = new Promise<SqlAnswer>((resolve, reject) => {
      this.#connection.query({ sql, values: values.map(argument) }, (error, result) => {
        if (error) reject(error)
        else if (Array.isArray(result)) resolve({ rows: result, count: 0 })
        else resolve({ rows: [], count: result.affectedRows })
      })
    })
    return await withDeadline(asking, this.#deadlineMs, this.#clock, '', () => {
      const why = `MySQL did not answer within ${this.#deadlineMs} ms`
      const late = new MessagingError('MESSAGING_CONNECTION_LOST', 'connection', why)
      // Answers come in order: nothing behind this one would be answered either.
      this.#connection.destroy()
      this.#end(late)
      return late
    })
  }

  async close(): Promise<void> {
    this.#connection.end(() => this.#end(undefined))
    await withDeadline(this.ended, farewellMs, this.#clock, '').catch(() => undefined)
    this.#connection.destroy()
    this.#end(undefined)
  }
}

/** The driver writes buffers as bytes, other arrays as lists. */
function argument(value: unknown): unknown {
  if (!(value instanceof Uint8Array) || Buffer.isBuffer(value)) return value
  return Buffer.from(value.buffer, value.byteOffset, value.byteLength)
}

/** Numbers of errors that say that a value cannot be kept. */
const valueRefused = new Set([1153, 1264, 1366, 1406])
const loginRefused = new Set([1044, 1045, 1698])
const unknownDatabase = 1049
/** Errors of the server about itself rather than about what it was asked. */
const serverAway = new Set([1040, 1053, 1077, 1079, 1080, 1152, 1158, 1159, 1160, 1161, 1927])

/** An error of mysql2 → typed error with its fault. */
function mysqlError(error: unknown, what: string, connecting = false): MessagingError {
  if (MessagingError.is(error)) return error
  const { errno, fatal, sqlState } = error as { errno?: number; fatal?: boolean; sqlState?: string }
  const text = `${what}: ${messageOf(error)}`
  const make = (...[code, fault, hint = '']: [...Meaning, hint?: string]): MessagingError =>
    new MessagingError(code, fault, text + hint, { cause: error })
  if (errno !== undefined && loginRefused.has(errno)) {
    return make('MESSAGING_AUTHENTICATION_FAILED', 'fatal', '; check user and password of the URL')
  }
  if (errno === unknownDatabase) {
    const hint = '; create it, or name another one in the path of the URL'
    return make('MESSAGING_CONNECT_FAILED', 'fatal', hint)
  }
  if (errno !== undefined && valueRefused.has(errno)) return make('MESSAGING_TOO_LARGE', 'message')
  const isServer = sqlState !== undefined && errno !== undefined
  if (isServer && fatal !== true && !serverAway.has(errno)) {
    return make('MESSAGING_STORE_FAILED', 'connection')
  }
  return make(connecting ? 'MESSAGING_CONNECT_FAILED' : 'MESSAGING_CONNECTION_LOST', 'connection')
}

type Meaning = [code: MessagingError['code'], fault: MessagingError['fault']]
