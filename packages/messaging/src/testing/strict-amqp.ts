/**
 * A proxy before a RabbitMQ of any version that refuses what 4.3 refuses: put it between a client and its
 * server to see whether the client is ready. It speaks AMQP 0-9-1 without TLS.
 *
 * Since 4.3 two deprecated features are off: queues that are neither durable nor exclusive end the
 * connection with 541, and a prefetch for a whole channel is no more. A broker whose configuration
 * switches the latter off takes it for a prefetch of each consumer, without a word; `refuse` is stricter,
 * so that a client that still asks is found.
 */
import { connect, createServer, type Server, type Socket } from 'node:net'
import { connectionClose, frameHeader, FrameReader, type AmqpFrame } from './amqp-frames.ts'
import { addressOf, listen, portOf, urlThrough, type Address } from './loopback.ts'

export interface StrictAmqpOptions {
  /** Queues that are neither durable nor exclusive; default `refuse`: 541, as 4.3. */
  readonly transientQueues?: 'refuse' | 'allow'
  /** `basic.qos` with `global`; default `refuse`: 540. `downgrade`: as if asked for each consumer. */
  readonly globalQos?: 'refuse' | 'downgrade' | 'allow'
  /** The version the server seems to have; default `4.3.0`, `false` leaves its own. */
  readonly version?: string | false
  /** Sees every frame before anything is done with it; one for which it answers `drop` goes no further. */
  readonly onFrame?: (frame: AmqpFrame) => 'drop' | void
}

interface Link {
  readonly client: Socket
  readonly server: Socket
  /** The client was told to go: nothing passes any more. */
  refused: boolean
}

export class StrictAmqpProxy {
  /** What was refused since the start, as the client was told. */
  readonly refusals: string[] = []
  readonly #server: Server
  readonly #target: Address
  readonly #options: StrictAmqpOptions
  readonly #links = new Set<Link>()
  #accepted = 0

  private constructor(target: Address, options: StrictAmqpOptions) {
    this.#target = target
    this.#options = options
    this.#server = createServer({ noDelay: true }, (client) => this.#accept(client))
  }

  /** Listens on a free port of the loopback address, before the server of `url`. */
  static async to(url: string, options: StrictAmqpOptions = {}): Promise<StrictAmqpProxy> {
    const proxy = new StrictAmqpProxy(addressOf(url, 5672), options)
    await listen(proxy.#server)
    return proxy
  }

  get port(): number {
    return portOf(this.#server)
  }

  /** `url` with this proxy as its host and port. */
  through(url: string): string {
    return urlThrough(this.#server, url)
  }

  /** Connections that are open now. */
  get open(): number {
    return this.#links.size
  }

  /** Connections that came since the start. */
  get accepted(): number {
    return this.#accepted
  }

  /** Resets every connection; returns how many there were. */
  breakAll(): number {
    const count = this.#links.size
    for (const link of this.#links) this.#end(link)
    return count
  }

  async close(): Promise<void> {
    this.breakAll()
    await new Promise((resolve) => this.#server.close(resolve))
  }

  #accept(client: Socket): void {
    this.#accepted++
    const server = connect({ ...this.#target, noDelay: true })
    const link: Link = { client, server, refused: false }
    this.#links.add(link)
    client.on('error', () => this.#end(link))
    client.on('close', () => this.#end(link))
    for (const event of ['error', 'close'])
      // The client of a refused link is still to read why.
      server.on(event, () => link.refused || this.#end(link))
    const fromClient = new FrameReader('to-server')
    const fromServer = new FrameReader('to-client')
    client.on('data', (chunk: Buffer) => {
      for (const frame of fromClient.read(chunk)) this.#toServer(link, frame)
    })
    server.on('data', (chunk: Buffer) => {
      for (const frame of fromServer.read(chunk)) this.#toClient(link, frame)
    })
    client.on('end', () => server.end())
    server.on('end', () => client.end())
  }

  #toServer(link: Link, frame: AmqpFrame): void {
    const { onFrame, globalQos = 'refuse', transientQueues = 'refuse' } = this.#options
    if (onFrame?.(frame) === 'drop' || link.refused) return
    const { method, bytes } = frame
    if (method === '50.10' && transientQueues === 'refuse') {
      const queue = transientQueue(bytes)
      if (queue !== undefined) return this.#refuse(link, 541, transientRefusal, method)
    }
    if (method === '60.10' && globalQos !== 'allow' && bytes[globalBit] === 1) {
      if (globalQos === 'refuse') return this.#refuse(link, 540, globalRefusal, method)
      bytes[globalBit] = 0
    }
    pass(bytes, link.client, link.server)
  }

  #toClient(link: Link, frame: AmqpFrame): void {
    const { onFrame, version = '4.3.0' } = this.#options
    if (onFrame?.(frame) === 'drop' || link.refused) return
    const isStart = frame.method === '10.10' && version !== false
    pass(isStart ? withVersion(frame.bytes, version) : frame.bytes, link.server, link.client)
  }

  /** Between two frames of the server's, since frames are passed on whole. */
  #refuse(link: Link, code: number, text: string, method: string): void {
    link.refused = true
    this.refusals.push(text)
    link.server.destroy()
    link.client.end(connectionClose(code, text, method))
  }

  #end(link: Link): void {
    this.#links.delete(link)
    link.server.destroy()
    link.client.resetAndDestroy()
  }
}

const transientRefusal =
  'INTERNAL_ERROR - Feature `transient_nonexcl_queues` is deprecated.\nBy default, this feature is not permitted anymore.'
const globalRefusal =
  'NOT_IMPLEMENTED - Feature `global_qos` is deprecated.\nBy default, this feature is not permitted anymore.'

/** Where `global` stands in the frame of basic.qos. */
const globalBit = frameHeader + 4 + 4 + 2

/** The name of the queue a queue.declare wants, when it is to be made neither durable nor exclusive. */
function transientQueue(bytes: Buffer): string | undefined {
  const at = frameHeader + 4 + 2
  const length = bytes[at]!
  const flags = bytes[at + 1 + length]!
  const isPassive = (flags & 1) !== 0
  const isDurable = (flags & 2) !== 0
  const isExclusive = (flags & 4) !== 0
  if (isPassive || isDurable || isExclusive) return undefined
  return bytes.toString('utf8', at + 1, at + 1 + length)
}

/** connection.start with another version of the server in its table. */
function withVersion(bytes: Buffer, version: string): Buffer {
  const key = Buffer.from('\x07versionS', 'latin1')
  const at = bytes.indexOf(key)
  if (at < 0) return bytes
  const value = at + key.length
  const old = bytes.readUInt32BE(value)
  const text = Buffer.from(version)
  const size = Buffer.alloc(4)
  size.writeUInt32BE(text.length)
  const rest = bytes.subarray(value + 4 + old)
  const changed = Buffer.concat([bytes.subarray(0, value), size, text, rest])
  const longer = text.length - old
  changed.writeUInt32BE(bytes.readUInt32BE(3) + longer, 3)
  // After the version of the protocol: the length of the table.
  const table = frameHeader + 4 + 2
  changed.writeUInt32BE(bytes.readUInt32BE(table) + longer, table)
  return changed
}

function pass(bytes: Buffer, from: Socket, to: Socket): void {
  if (!to.writable || to.write(bytes)) return
  from.pause()
  to.once('drain', () => from.resume())
}
