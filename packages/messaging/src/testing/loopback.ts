/** What proxies for tests have in common: a place on the loopback address, and URLs that lead through it. */
import type { AddressInfo, Server } from 'node:net'

export interface Address {
  readonly host: string
  readonly port: number
}

/** Host and port of a URL. */
export function addressOf(url: string, defaultPort = 0): Address {
  const { hostname, port } = new URL(url)
  return { host: hostname.replace(/^\[(.*)\]$/, '$1'), port: Number(port || defaultPort) }
}

/** Listens on a free port. */
export async function listen(server: Server): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(0, '127.0.0.1', resolve)
  })
}

export function portOf(server: Server): number {
  return (server.address() as AddressInfo).port
}

/** `url` with this server as its host and port. */
export function urlThrough(server: Server, url: string): string {
  const changed = new URL(url)
  changed.hostname = '127.0.0.1'
  changed.port = String(portOf(server))
  return changed.href
}
