// The proxy that all outage tests stand on must itself do what it says.
import { FaultProxy } from '@celeriac/messaging/testing'
import { afterEach, expect, it } from '@jest/globals'
import { connect, createServer, type AddressInfo, type Socket } from 'node:net'

const cleanups: (() => unknown)[] = []

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup()
})

/** An echo server behind a proxy. */
async function setup() {
  const server = createServer((socket) => {
    socket.on('error', () => undefined)
    socket.pipe(socket)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const proxy = await FaultProxy.start({
    host: '127.0.0.1',
    port: (server.address() as AddressInfo).port,
  })
  cleanups.push(
    () => new Promise((resolve) => server.close(resolve)),
    () => proxy.close(),
  )
  return proxy
}

function open(proxy: FaultProxy) {
  const socket = connect({ host: '127.0.0.1', port: proxy.port })
  cleanups.push(() => socket.destroy())
  let received = ''
  let error: Error | undefined
  socket.on('data', (chunk) => (received += chunk.toString()))
  socket.on('error', (reason) => (error = reason))
  const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()))
  return { socket, closed, received: () => received, error: () => error }
}

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))

async function echoed(client: { socket: Socket; received: () => string }, text: string) {
  const before = client.received()
  client.socket.write(text)
  for (let i = 0; i < 100 && client.received() !== before + text; i++) await pause(5)
  expect(client.received()).toBe(before + text)
}

it('passes bytes on', async () => {
  const proxy = await setup()
  const client = open(proxy)

  await echoed(client, 'hello')

  expect([proxy.open, proxy.accepted]).toEqual([1, 1])
  expect(proxy.through('redis://u:p@far:1/2')).toBe(`redis://u:p@127.0.0.1:${proxy.port}/2`)
})

it('refuses new connections and leaves others alone', async () => {
  const proxy = await setup()
  const old = open(proxy)
  await echoed(old, 'a')

  proxy.setMode('refuse')
  const refused = open(proxy)
  await refused.closed

  expect(refused.received()).toBe('')
  await echoed(old, 'b')
})

it('resets what is open', async () => {
  const proxy = await setup()
  const client = open(proxy)
  await echoed(client, 'a')

  expect(proxy.breakAll()).toBe(1)
  await client.closed

  expect(client.error()).toMatchObject({ code: 'ECONNRESET' })
  await echoed(open(proxy), 'b')
  proxy.setMode('reset')
  expect(proxy.open).toBe(0)
})

it('moves nothing as a black hole, and everything afterwards', async () => {
  const proxy = await setup()
  const client = open(proxy)
  await echoed(client, 'a')

  proxy.setMode('blackhole')
  client.socket.write('b')
  await pause(50)
  expect(client.received()).toBe('a')
  proxy.setMode('pass')
  await echoed(client, 'c').catch(() => undefined)

  expect(client.received()).toBe('abc')
})

it('delays', async () => {
  const proxy = await setup()
  const client = open(proxy)
  await echoed(client, 'a')

  proxy.setMode({ delay: 60 })
  client.socket.write('b')
  await pause(90)
  expect(client.received()).toBe('a')
  await pause(100)

  expect(client.received()).toBe('ab')
})

it('cuts after a number of bytes', async () => {
  const proxy = await setup()
  proxy.setMode({ cut: 3, direction: 'to-client' })
  const client = open(proxy)

  client.socket.write('abcdef')
  await client.closed

  expect('abc'.startsWith(client.received())).toBe(true)
})
