// Broken links between us and Redis: deadlines, typed errors, no hanging promise.
import { Connection, silentLogger } from '@celeriac/messaging'
import { FaultProxy } from '@celeriac/messaging/testing'
import { afterEach, expect, it } from '@jest/globals'
import { describeWith, uniqueName, urlOf } from '../services/brokers.ts'

const cleanups: (() => Promise<void>)[] = []

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup()
})

function connect(url: string, options: ConstructorParameters<typeof Connection>[1] = {}) {
  const connection = new Connection(url, { ambient: { log: silentLogger }, ...options })
  cleanups.push(() => connection.close())
  return connection
}

async function startProxy(): Promise<FaultProxy> {
  const proxy = await FaultProxy.to(urlOf('redis'))
  cleanups.push(() => proxy.close())
  return proxy
}

describeWith('redis', 'broken links to Redis', () => {
  it('gives up a server that says nothing by the deadline', async () => {
    const proxy = await startProxy()
    proxy.setMode('blackhole')
    const started = performance.now()

    const connection = connect(proxy.through(urlOf('redis')), { connectTimeout: 0.3 })

    await expect(connection.connect()).rejects.toMatchObject({
      code: 'MESSAGING_CONNECT_FAILED',
      fault: 'connection',
    })
    expect(performance.now() - started).toBeLessThan(2000)
  })

  it('notices a link on which nothing moves, and comes back', async () => {
    const proxy = await startProxy()
    const connection = connect(proxy.through(urlOf('redis')), { heartbeat: 1 })
    await connection.connect()
    const lost = connection.signals.once('disconnected', AbortSignal.timeout(8000))

    proxy.setMode('blackhole')
    const channel = await connection.channel()
    await expect(channel.get(uniqueName('any'))).rejects.toMatchObject({ fault: 'connection' })

    await lost
    proxy.setMode('pass')
    expect((await connection.channel()).isOpen).toBe(true)
  })
})
