/**
 * A TCP proxy that breaks: put it between a client and its server to test what a bad network does.
 * Works for every protocol, since it looks at nothing.
 */
import { connect, createServer, type Server, type Socket } from 'node:net'
import { addressOf, listen, portOf, urlThrough, type Address } from './loopback.ts'

/**
 * What happens to the bytes. `pass`: nothing; `refuse`: new connections are reset at once; `reset`: all
 * connections are reset, and new ones too; `blackhole`: connections stay open and nothing moves in either
 * direction; `delay`: every chunk arrives `ms` later; `cut`: each connection that is opened from now on is
 * reset after `bytes` in the given direction.
 */
export type FaultMode =
  | 'pass'
  | 'refuse'
  | 'reset'
  | 'blackhole'
  | { readonly delay: number }
  | { readonly cut: number; readonly direction: 'to-server' | 'to-client' }

interface Link {
  readonly client: Socket
  readonly server: Socket
}

export class FaultProxy {
  readonly #server: Server
  readonly #target: Address
  readonly #links = new Set<Link>()
  #mode: FaultMode = 'pass'
  #accepted = 0

  private constructor(target: Address) {
    this.#target = target
    this.#server = createServer({ noDelay: true }, (client) => this.#accept(client))
  }

  /** Listens on a free port of the loopback address and passes everything on to `target`. */
  static async start(target: Address): Promise<FaultProxy> {
    const proxy = new FaultProxy(target)
    await listen(proxy.#server)
    return proxy
  }

  /** As `start`, with the host and port of a URL. */
  static async to(url: string): Promise<FaultProxy> {
    return await FaultProxy.start(addressOf(url))
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

  get mode(): FaultMode {
    return this.#mode
  }

  /** Holds from now on, for connections that are open too (but `refuse` and `cut`, which wait for new ones). */
  setMode(mode: FaultMode): void {
    const frozen = this.#mode === 'blackhole'
    this.#mode = mode
    if (mode === 'reset') this.breakAll()
    if (mode === 'blackhole') for (const link of this.#links) freeze(link, true)
    else if (frozen) for (const link of this.#links) freeze(link, false)
  }

  /** From now on nothing moves on one of the open connections, by its place in their order of arrival. */
  freezeOne(place: number): void {
    const link = [...this.#links][place]
    if (!link) throw new Error(`there is no connection ${place}, only ${this.#links.size}`)
    freeze(link, true)
  }

  /** Resets every connection; new ones are treated as the mode says. Returns how many there were. */
  breakAll(): number {
    const count = this.#links.size
    for (const link of this.#links) this.#reset(link)
    return count
  }

  /** Resets what is open and listens no more. */
  async close(): Promise<void> {
    this.breakAll()
    await new Promise((resolve) => this.#server.close(resolve))
  }

  #accept(client: Socket): void {
    this.#accepted++
    client.on('error', () => undefined)
    if (this.#mode === 'refuse' || this.#mode === 'reset') return void client.resetAndDestroy()
    const server = connect({ ...this.#target, noDelay: true })
    const link: Link = { client, server }
    this.#links.add(link)
    server.on('error', () => this.#reset(link))
    client.on('close', () => this.#end(link))
    server.on('close', () => this.#end(link))
    const cut = typeof this.#mode === 'object' && 'cut' in this.#mode ? this.#mode : undefined
    this.#pass(link, client, server, cut?.direction === 'to-server' ? cut.cut : Infinity)
    this.#pass(link, server, client, cut?.direction === 'to-client' ? cut.cut : Infinity)
    if (this.#mode === 'blackhole') freeze(link, true)
  }

  #pass(link: Link, from: Socket, to: Socket, limit: number): void {
    let left = limit
    from.on('data', (chunk: Buffer) => {
      const part = chunk.length > left ? chunk.subarray(0, left) : chunk
      left -= chunk.length
      const mode = this.#mode
      if (typeof mode === 'object' && 'delay' in mode) {
        setTimeout(() => to.writable && to.write(part), mode.delay)
      } else if (left <= 0) {
        // What was let through arrives before the reset.
        if (part.length > 0) to.write(part, () => this.#reset(link))
        else this.#reset(link)
        from.pause()
      } else if (!to.write(part)) {
        from.pause()
        to.once('drain', () => {
          if (this.#mode !== 'blackhole') from.resume()
        })
      }
    })
    from.on('end', () => {
      const mode = this.#mode
      // Not before what is on its way.
      if (typeof mode === 'object' && 'delay' in mode) setTimeout(() => to.end(), mode.delay)
      else to.end()
    })
  }

  #reset(link: Link): void {
    this.#links.delete(link)
    link.client.resetAndDestroy()
    link.server.resetAndDestroy()
  }

  #end(link: Link): void {
    if (!this.#links.delete(link)) return
    link.client.destroy()
    link.server.destroy()
  }
}

function freeze({ client, server }: Link, frozen: boolean): void {
  for (const socket of [client, server]) {
    if (frozen) socket.pause()
    else socket.resume()
  }
}
