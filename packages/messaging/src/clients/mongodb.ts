/**
 * The one door to the MongoDB driver: turns a target into a client whose operations all have a deadline and
 * whose first broken socket is the end of the link (the connection above opens the next one).
 */
import type * as mongodb from 'mongodb'
import type { AnyBulkWriteOperation, Collection, Db, Document, Filter, MongoClient } from 'mongodb'
import type { Clock } from '../kernel/clock.ts'
import { withDeadline } from '../kernel/deadline.ts'
import { MessagingError, messageOf, type Fault, type MessagingCode } from '../kernel/errors.ts'
import { tlsOf, tlsOptionNames } from '../transport/tls.ts'
import { optionalDriver } from '../kernel/optional-package.ts'
import type { ConnectOptions, Target } from '../transport/transport.ts'

type Driver = typeof mongodb
export type MongoCollection = Collection<Document>
export type MongoFilter = Filter<Document>
export type MongoWrite = AnyBulkWriteOperation<Document>
export type MongoDocument = Document

/** Sockets for commands; the tail of the notices has one of these while it waits. */
const poolSize = 4
/** A socket nobody used for so long is closed. */
const idleSocketMs = 10_000
/** How long a server may take that is asked for its clock, or the cluster for its members, between looks. */
const monitorMs = 10_000

/** The driver; rejects with `MESSAGING_DRIVER_MISSING` (fatal), which says what to install. */
export function loadMongo(load: () => Promise<unknown> = () => import('mongodb')): Promise<Driver> {
  return optionalDriver('mongodb', '^7.0.0', 'MongoDB', load)
}

export interface MongoOptions {
  /** Database when the URL names none. */
  readonly defaultDatabase: string
}

/** One client of one database. */
export class MongoLink {
  /** Resolves once, when the link is over: with the reason, or undefined after `close`. */
  readonly ended: Promise<MessagingError | undefined>
  readonly db: Db
  /** Name and version of what answers. */
  readonly server: string
  /**
   * False for servers that read a document and write it back in two steps (FerretDB 1), so that two updates
   * of one document can both believe that they were the first.
   */
  readonly isAtomic: boolean
  readonly #driver: Driver
  readonly #client: MongoClient
  readonly #clock: Clock
  readonly #target: Target
  /** Longest an operation may take; 0 for no limit. */
  readonly #deadlineMs: number
  #end!: (reason: MessagingError | undefined) => void
  #isOver = false

  /** Connects and logs in; rejects with a typed error whose fault says whether to try again. */
  static async open(options: ConnectOptions, mongo: MongoOptions): Promise<MongoLink> {
    const driver = await loadMongo()
    const { target, timeoutMs, ambient } = options
    let client: MongoClient | undefined
    try {
      const opened = new driver.MongoClient(...clientOptions(options))
      client = opened
      // The driver swallows nothing, but an event without a listener would end the process.
      opened.on('error', () => undefined)
      const asking = opened.connect().then(() => opened.db('admin').command({ buildInfo: 1 }))
      const info = await withDeadline(asking, timeoutMs, ambient.clock, '', () => {
        const why = `no answer from ${target.masked} within ${timeoutMs} ms`
        return new MessagingError('MESSAGING_CONNECT_FAILED', 'connection', why)
      })
      return new MongoLink(driver, opened, options, mongo, info)
    } catch (error) {
      void client?.close().catch(() => undefined)
      throw mongoError(error, `connecting to ${target.masked}`, target, true)
    }
  }

  private constructor(
    driver: Driver,
    client: MongoClient,
    { target, ambient, heartbeatSeconds }: ConnectOptions,
    { defaultDatabase }: MongoOptions,
    info: Document,
  ) {
    this.#driver = driver
    this.#client = client
    this.#clock = ambient.clock
    this.#target = target
    this.#deadlineMs = heartbeatSeconds * 1000
    // Claims are read back after they were written: a secondary may not have them yet.
    this.db = client.db(target.path === '' ? defaultDatabase : target.path, {
      readPreference: 'primary',
    })
    this.isAtomic = info['ferretdbVersion'] === undefined
    const version = String(info['version'])
    this.server = this.isAtomic ? `MongoDB ${version}` : `FerretDB (MongoDB ${version})`
    this.ended = new Promise((resolve) => (this.#end = resolve))
    // A secondary that is down concerns nobody here; without a server that takes writes the link is over.
    client.on('topologyDescriptionChanged', ({ newDescription }) => {
      const members = [...newDescription.servers.values()]
      if (!members.some(({ type }) => writable.has(type)))
        this.#lost(members.find(({ error }) => error)?.error ?? new Error('no server takes writes'))
    })
    client.on('connectionClosed', ({ reason }) => {
      if (reason === 'error') this.#lost(new Error('the server closed the connection'))
    })
  }

  get isOver(): boolean {
    return this.#isOver
  }

  collection(name: string): MongoCollection {
    return this.db.collection(name)
  }

  newId(): unknown {
    return new this.#driver.ObjectId()
  }

  /** The same text for the same id of a document, and back. */
  idText(id: unknown): string {
    return id instanceof this.#driver.ObjectId
      ? id.toHexString()
      : this.#driver.BSON.EJSON.stringify(id, { relaxed: false })
  }

  idOf(text: string): unknown {
    return /^[0-9a-f]{24}$/.test(text)
      ? new this.#driver.ObjectId(text)
      : (this.#driver.BSON.EJSON.parse(text, { relaxed: false }) as unknown)
  }

  /** What a document holds where a text should be, as one; undefined when that is not possible. */
  textOf(value: unknown): string | undefined {
    if (typeof value === 'string') return value
    return value instanceof this.#driver.Binary
      ? Buffer.from(value.value()).toString('utf8')
      : undefined
  }

  /** A document as text, for people. */
  show(document: Document): string {
    return this.#driver.BSON.EJSON.stringify(document)
  }

  /** One operation with its deadline; an error that concerns the link ends it. */
  async run<T>(what: string, work: () => Promise<T>, moreMs = 0): Promise<T> {
    if (this.#isOver) throw closed()
    try {
      if (this.#deadlineMs === 0) return await work()
      const ms = this.#deadlineMs + moreMs
      return await withDeadline(work(), ms, this.#clock, `MongoDB (${what})`)
    } catch (thrown) {
      const error = mongoError(thrown, `MongoDB (${what})`, this.#target)
      if (error.fault === 'connection' && !isAnswer(thrown)) this.#lost(error)
      throw error
    }
  }

  /**
   * Inserts, passing over those whose id is taken; resolves with the places of the ones that got in. On
   * every server a unique id is taken once only.
   */
  async insertNew(name: string, documents: readonly Document[]): Promise<number[]> {
    const all = documents.map((_, place) => place)
    try {
      await this.run('insert', () =>
        this.collection(name).insertMany([...documents], { ordered: false }),
      )
      return all
    } catch (error) {
      const { cause } = error as MessagingError
      if (!(cause instanceof this.#driver.MongoBulkWriteError)) throw error
      const failed = [cause.writeErrors].flat()
      if (failed.some(({ code }) => code !== duplicateKey)) throw error
      const taken = new Set(failed.map(({ index }) => index))
      return all.filter((place) => !taken.has(place))
    }
  }

  /** A logical session, which a cursor needs that is read by raw commands. */
  startSession(): ReturnType<MongoClient['startSession']> {
    return this.#client.startSession()
  }

  /** Hangs up; what is under way fails. Safe to call twice. */
  async close(): Promise<void> {
    this.#isOver = true
    this.#end(undefined)
    await this.#client.close().catch(() => undefined)
  }

  #lost(reason: Error): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#end(mongoError(reason, 'the link to MongoDB was lost', this.#target))
    // A farewell into a dead network takes its time; nobody waits for it.
    void this.#client.close().catch(() => undefined)
  }
}

function closed(): MessagingError {
  return new MessagingError('MESSAGING_CONNECTION_CLOSED', 'connection', 'this session is closed')
}

/** Options of the driver, by its names; those of TLS come in the words of transport/tls.ts as well. */
const driverOptions = [
  'appName',
  'authMechanism',
  'authMechanismProperties',
  'authSource',
  'compressors',
  'connectTimeoutMS',
  'directConnection',
  'family',
  'heartbeatFrequencyMS',
  'journal',
  'loadBalanced',
  'localThresholdMS',
  'maxConnecting',
  'maxIdleTimeMS',
  'maxPoolSize',
  'maxStalenessSeconds',
  'minPoolSize',
  'proxyHost',
  'proxyPassword',
  'proxyPort',
  'proxyUsername',
  'readConcernLevel',
  'readPreference',
  'readPreferenceTags',
  'replicaSet',
  'retryReads',
  'retryWrites',
  'serverMonitoringMode',
  'serverSelectionTimeoutMS',
  'socketTimeoutMS',
  'srvMaxHosts',
  'srvServiceName',
  'tlsAllowInvalidCertificates',
  'tlsAllowInvalidHostnames',
  'tlsCAFile',
  'tlsCRLFile',
  'tlsCertificateKeyFile',
  'tlsCertificateKeyFilePassword',
  'tlsInsecure',
  'w',
  'waitQueueTimeoutMS',
  'wtimeoutMS',
  'zlibCompressionLevel',
]

/** Python writes them as it likes, so they are known in small letters, too. */
const passedThrough: ReadonlySet<string> = new Set(
  driverOptions.flatMap((name) => [name, name.toLowerCase()]),
)

/** Names of the options that are the driver's. */
export const mongoOptionNames: readonly string[] = [...passedThrough, ...tlsOptionNames]

const readPreferences = [
  'primary',
  'primaryPreferred',
  'secondary',
  'secondaryPreferred',
  'nearest',
]

function isObject(value: unknown): boolean {
  return typeof value === 'object' && value !== null
}

type ClientOptions = NonNullable<ConstructorParameters<Driver['MongoClient']>[1]>

/** URL and options for the driver: what the user gave goes first, in the URL when it is plain. */
function clientOptions({
  target,
  timeoutMs,
  heartbeatSeconds,
  clientName,
}: ConnectOptions): [url: string, options: ClientOptions] {
  const params = new URLSearchParams()
  const objects: Record<string, unknown> = {}
  for (const [name, given] of Object.entries(target.options)) {
    if (!passedThrough.has(name) || given === undefined || given === null) continue
    const value =
      name.toLowerCase() === 'readpreference' && typeof given === 'number'
        ? readPreferences[given]
        : given
    if (typeof value === 'string') params.set(name, value)
    else if (typeof value === 'number' || typeof value === 'boolean') params.set(name, `${value}`)
    else objects[name] = value
  }
  const tls = tlsOf(target, false)
  // The driver checks each member of a cluster by its own name, unless told another.
  if (tls && target.options['sslServerHostname'] === undefined && !isObject(target.options['tls']))
    delete tls.servername
  if (tls) Object.assign(objects, tls, { tls: true })
  else if (target.options['tls'] === false || target.options['ssl'] === false)
    objects['tls'] = false
  const { connectTimeout } = target.options
  const connectTimeoutMS =
    typeof connectTimeout === 'number' ? Math.round(connectTimeout * 1000) : timeoutMs
  const base = target.url
    .replace(/^(mongodb:\/\/)(?=\/|$)/, (scheme) => `${scheme}127.0.0.1`)
    // Without a path the driver would take the options for a part of the host.
    .replace(/^([^/]*\/\/[^/]*)$/, '$1/')
  const query = params.toString()
  const has = (name: string): boolean =>
    [...params.keys()].some((key) => key.toLowerCase() === name.toLowerCase())
  const options: Record<string, unknown> = {
    appName: clientName,
    serverSelectionTimeoutMS: timeoutMs,
    connectTimeoutMS,
    // A little later than our own deadline, which explains itself better.
    socketTimeoutMS: heartbeatSeconds > 0 ? (heartbeatSeconds + 10) * 1000 : 0,
    maxPoolSize: poolSize,
    maxIdleTimeMS: idleSocketMs,
    heartbeatFrequencyMS: monitorMs,
    serverMonitoringMode: 'poll',
    // The layers above repeat, and know what may be repeated.
    retryReads: false,
    // Confirmed means that no crash of one server loses it.
    w: 'majority',
    journal: true,
    ...objects,
  }
  for (const name of Object.keys(options)) if (has(name)) delete options[name]
  return [query === '' ? base : `${base}?${query}`, options]
}

const duplicateKey = 11_000
/** Kinds of servers that take writes, as the driver calls them. */
const writable: ReadonlySet<string> = new Set(['Standalone', 'Mongos', 'RSPrimary', 'LoadBalancer'])
/** Server errors: the server shuts down, or is no primary any more. */
const notNow = new Set([91, 189, 10_058, 10_107, 11_600, 11_602, 13_435, 13_436])
const refusedLogin = new Set([13, 18, 8000])
const noSpace = new Set([14_031, 8001])
const tooLarge = new Set([10_334, 17_280])

/** The server said no: nothing is wrong with the link, unless it says that it goes. */
function isAnswer(error: unknown): boolean {
  if (!(error instanceof Error)) return false
  if (error.name !== 'MongoServerError' && error.name !== 'MongoBulkWriteError') return false
  return !notNow.has(Number((error as { code?: unknown }).code))
}

/** Error of the driver → typed error with its fault. Never shows the password. */
export function mongoError(
  error: unknown,
  what: string,
  target: Pick<Target, 'password'>,
  connecting = false,
): MessagingError {
  if (MessagingError.is(error)) return error
  const name = error instanceof Error ? error.name : ''
  const code = (error as { code?: unknown } | undefined)?.code
  const text = hide(messageOf(error), target.password)
  const make = (messagingCode: MessagingCode, fault: Fault, hint = ''): MessagingError =>
    new MessagingError(messagingCode, fault, `${what}: ${text}${hint}`, { cause: error })
  if (typeof code === 'number') {
    if (refusedLogin.has(code)) {
      const hint = '; check user, password and authSource of the URL'
      return make('MESSAGING_AUTHENTICATION_FAILED', 'fatal', hint)
    }
    if (noSpace.has(code)) return make('MESSAGING_PUBLISH_REFUSED', 'message', '; no space is left')
    if (tooLarge.has(code)) return make('MESSAGING_TOO_LARGE', 'message')
    if (notNow.has(code)) return make('MESSAGING_CONNECTION_LOST', 'connection')
  }
  if (connecting) {
    if (name === 'MongoParseError' || name === 'MongoMissingCredentialsError')
      return make('MESSAGING_URL_INVALID', 'fatal')
    if (name === 'MongoInvalidArgumentError' || name === 'MongoAPIError')
      return make('MESSAGING_OPTION_INVALID', 'fatal')
    return make('MESSAGING_CONNECT_FAILED', 'connection')
  }
  if (name === 'MongoServerError' || name === 'MongoBulkWriteError')
    return make('MESSAGING_STORE_FAILED', 'connection')
  return make('MESSAGING_CONNECTION_LOST', 'connection')
}

function hide(text: string, password: string | undefined): string {
  if (password === undefined || password === '') return text
  return text.replaceAll(password, '**').replaceAll(encodeURIComponent(password), '**')
}
