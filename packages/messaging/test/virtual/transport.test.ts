import { expect, it } from '@jest/globals'
import { Connection } from '../../src/connection/connection.ts'
import { capabilities } from '../../src/transports/memory/transport.ts'
import { MemoryBroker } from '../../src/transports/memory/broker.ts'
import { MemoryStore } from '../../src/transports/memory/store.ts'
import { virtualTransport } from '../../src/virtual/transport.ts'

it('closes a store that opened after the deadline', async () => {
  let openNow!: () => void
  const mayOpen = new Promise<void>((resolve) => (openNow = resolve))
  let closed: Promise<unknown> | undefined
  const late = virtualTransport({
    name: 'late',
    capabilities,
    async open(_, context) {
      await mayOpen
      const store = new MemoryStore(new MemoryBroker(), context)
      closed = store.closed
      return store
    },
  })
  const connection = new Connection('late://', {
    transports: { late: { load: () => Promise.resolve(late), defaultPort: undefined } },
    connectTimeout: 0.01,
  })

  await expect(connection.connect()).rejects.toMatchObject({ code: 'MESSAGING_CONNECT_FAILED' })
  openNow()
  await new Promise((resolve) => setImmediate(resolve))

  await expect(closed).resolves.toBeUndefined()
  await connection.close()
})
