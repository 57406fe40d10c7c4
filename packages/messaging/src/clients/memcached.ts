/**
 * The one door to memjs, of which only the socket and its protocol are used: a link to one server, over after
 * its first failure, since memjs keeps half an answer for the next socket and tells nobody of one that the
 * server closed. Every command has a deadline.
 */
import type { Socket } from 'node:net'
import type { Clock } from '../kernel/clock.ts'
import { withDeadline } from '../kernel/deadline.ts'
import { MessagingError, messageOf } from '../kernel/errors.ts'
import { optionalDriver } from '../kernel/optional-package.ts'

/** The part of memjs that is used; the package has no types. */
interface Memjs {
  readonly Server: new (
    host: string | undefined,
    port: number | string,
    username: string | undefined,
    password: string | undefined,
    options: { timeout: number; conntimeout: number; keepAlive: boolean },
  ) => MemjsServer
  readonly Utils: {
    makeRequestBuffer(
      opcode: number,
      key: string,
      extras: Buffer | '',
      value: Uint8Array | '',
      opaque: number,
    ): Buffer
  }
}

interface MemjsServer {
  /** Calls back with the socket once it is connected and logged in. */
  sock(isLogin: boolean, onOpen: (socket: Socket) => void): void
  onResponse(seq: number, onAnswer: (answer: Answer) => void): void
  onError(seq: number, onError: (error: unknown) => void): void
  write(request: Buffer): void
  /** Ends the socket and tells everyone who waits. */
  error(error: Error): void
}

interface Answer {
  readonly header: { readonly status: number; readonly cas: Buffer }
  readonly extras: Buffer
  readonly val: Buffer
}

export interface MemcachedOptions {
  /** Host and port, or the path of a socket. */
  readonly host: string
  readonly port: number
  readonly path?: string | undefined
  readonly username?: string | undefined
  readonly password?: string | undefined
  /** Longest a command or the handshake may take. */
  readonly timeoutMs: number
  readonly clock: Clock
}

export interface MemcachedValue {
  readonly data: Buffer
  /** What the client that wrote it says of it. */
  readonly flags: number
  /** Changes whenever the value does. */
  readonly version: Buffer
}

const opcodes = { get: 0x00, set: 0x01, add: 0x02, delete: 0x04, increment: 0x05, touch: 0x1c }
const notFound = 1
const taken = 2
const tooLarge = 3
const notStored = 5
const refusedLogin = 0x20
const reasons: Readonly<Record<number, string>> = {
  [tooLarge]: 'the value is larger than the server takes (its option -I)',
  4: 'invalid arguments',
  6: 'the value is no number',
  [refusedLogin]: 'user or password are refused',
  0x81: 'it does not know this command',
  0x82: 'it is out of memory',
  0x85: 'it is busy',
}
/** Our own deadlines are shorter, and hold also while commands keep coming. */
const neverSeconds = 1_000_000

export class MemcachedLink {
  readonly #memjs: Memjs
  readonly #server: MemjsServer
  readonly #socket: Socket
  readonly #options: MemcachedOptions
  readonly #name: string
  /** Commands under way in the order they were sent, with the end of their patience. */
  readonly #pending = new Map<number, number>()
  #seq = 1
  #cancelWatch: (() => void) | undefined
  #isOver = false

  /** Rejects with a typed error whose fault says whether to try again. */
  static async open(options: MemcachedOptions): Promise<MemcachedLink> {
    const memjs = await optionalDriver<Memjs>('memjs', '^1.3.2', 'Memcached', () => import('memjs'))
    const { host, port, path, username, password, timeoutMs, clock } = options
    const server = new memjs.Server(
      path === undefined ? host : undefined,
      path ?? port,
      ...([username, password] as const),
      { timeout: neverSeconds, conntimeout: neverSeconds, keepAlive: true },
    )
    const name = path ?? `${host}:${port}`
    const opening = new Promise<Socket>((resolve, reject) => {
      server.onError(0, reject)
      server.sock(false, resolve)
    })
    try {
      const socket = await withDeadline(opening, timeoutMs, clock, `connecting to ${name}`)
      return new MemcachedLink(memjs, server, socket, options, name)
    } catch (error) {
      server.error(new Error('it was given up'))
      throw linkError(error, `connecting to ${name}`)
    }
  }

  private constructor(
    memjs: Memjs,
    server: MemjsServer,
    socket: Socket,
    options: MemcachedOptions,
    name: string,
  ) {
    this.#memjs = memjs
    this.#server = server
    this.#socket = socket
    this.#options = options
    this.#name = name
    // Before anybody hears of it: memjs would open another socket for the next command.
    socket.once('error', (error) => this.#lost(error))
    socket.once('close', () => this.#lost(new Error('the server closed the connection')))
  }

  get isOver(): boolean {
    return this.#isOver
  }

  /** Undefined when there is none. */
  async get(key: string): Promise<MemcachedValue | undefined> {
    const { header, extras, val } = await this.#ask('get', key, '', '', [notFound])
    if (header.status === notFound) return undefined
    return { data: val, flags: extras.readUInt32BE(0), version: header.cas }
  }

  /** `seconds`: how long it is kept; 0 for ever. */
  async set(key: string, value: Uint8Array, seconds: number): Promise<void> {
    await this.#ask('set', key, storeExtras(seconds), value, [])
  }

  /** False when there is one already. */
  async add(key: string, value: Uint8Array, seconds: number): Promise<boolean> {
    const { header } = await this.#ask('add', key, storeExtras(seconds), value, [taken, notStored])
    return header.status === 0
  }

  /** False when it is not the one of this version any more, or gone. */
  async swap(
    key: string,
    value: Uint8Array,
    seconds: number,
    version: Uint8Array,
  ): Promise<boolean> {
    const others = [notFound, taken, notStored]
    const { header } = await this.#ask('set', key, storeExtras(seconds), value, others, version)
    return header.status === 0
  }

  async delete(key: string): Promise<void> {
    await this.#ask('delete', key, '', '', [notFound])
  }

  /** The number after; undefined when there is none. */
  async increment(key: string): Promise<number | undefined> {
    const extras = Buffer.alloc(20)
    extras.writeUInt32BE(1, 4)
    // This expiry says: do not make one.
    extras.writeUInt32BE(0xffff_ffff, 16)
    const { header, val } = await this.#ask('increment', key, extras, '', [notFound])
    return header.status === notFound ? undefined : Number(val.readBigUInt64BE(0))
  }

  /** Begins its time anew. */
  async touch(key: string, seconds: number): Promise<void> {
    await this.#ask('touch', key, expiry(seconds), '', [notFound])
  }

  /** Hangs up; what is under way fails. Safe to call twice. */
  close(): void {
    this.#lost(new Error('it was closed'))
  }

  /** Resolves with an answer of status 0, or one that the caller `expects`. */
  async #ask(
    command: keyof typeof opcodes,
    key: string,
    extras: Buffer | '',
    value: Uint8Array | '',
    expects: readonly number[],
    version?: Uint8Array,
  ): Promise<Answer> {
    const what = `Memcached at ${this.#name} (${command})`
    if (this.#isOver)
      throw new MessagingError('MESSAGING_CONNECTION_CLOSED', 'connection', `${what}: it is closed`)
    const seq = this.#seq
    this.#seq = (seq % 0x7fff_ffff) + 1
    const request = this.#memjs.Utils.makeRequestBuffer(
      opcodes[command],
      key,
      extras,
      // An empty text is what memjs takes for nothing.
      value === '' ? '' : Buffer.from(value.buffer, value.byteOffset, value.byteLength),
      seq,
    )
    if (version) request.set(version, 16)
    let answer: Answer
    try {
      answer = await new Promise<Answer>((resolve, reject) => {
        this.#server.onResponse(seq, resolve)
        this.#server.onError(seq, reject)
        this.#server.write(request)
        const { clock, timeoutMs } = this.#options
        this.#pending.set(seq, clock.monotonic() + timeoutMs)
        this.#watch()
      })
    } catch (error) {
      throw linkError(error, what)
    } finally {
      this.#pending.delete(seq)
      if (this.#pending.size === 0) this.#unwatch()
    }
    const { status } = answer.header
    if (status === 0 || expects.includes(status)) return answer
    const reason = `${what}: ${reasons[status] ?? `it answered ${status}`}`
    if (status === tooLarge) throw new MessagingError('MESSAGING_TOO_LARGE', 'message', reason)
    if (status === refusedLogin)
      throw new MessagingError('MESSAGING_AUTHENTICATION_FAILED', 'fatal', reason)
    throw new MessagingError('MESSAGING_STORE_FAILED', 'message', reason)
  }

  /** One timer for all: the oldest command is over first. */
  #watch(): void {
    if (this.#cancelWatch) return
    const [oldest] = this.#pending.values()
    if (oldest === undefined) return
    const { clock, timeoutMs } = this.#options
    this.#cancelWatch = clock.after(Math.max(0, oldest - clock.monotonic()), () => {
      this.#cancelWatch = undefined
      const [first] = this.#pending.values()
      if (first !== undefined && first <= clock.monotonic())
        this.#lost(new Error(`no answer within ${timeoutMs} ms`))
      else this.#watch()
    })
  }

  #unwatch(): void {
    this.#cancelWatch?.()
    this.#cancelWatch = undefined
  }

  #lost(reason: Error): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#unwatch()
    this.#server.error(reason)
    this.#socket.destroy()
  }
}

/** No flags: what Python's clients take for bytes. */
function storeExtras(seconds: number): Buffer {
  return Buffer.concat([Buffer.alloc(4), expiry(seconds)])
}

function expiry(seconds: number): Buffer {
  const buffer = Buffer.alloc(4)
  buffer.writeUInt32BE(seconds)
  return buffer
}

function linkError(error: unknown, what: string): MessagingError {
  if (MessagingError.is(error)) return error
  const text = messageOf(error)
  if (/authentication failed/.test(text))
    return new MessagingError('MESSAGING_AUTHENTICATION_FAILED', 'fatal', `${what}: ${text}`)
  return new MessagingError('MESSAGING_CONNECTION_LOST', 'connection', `${what}: ${text}`, {
    cause: error,
  })
}
