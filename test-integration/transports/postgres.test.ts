// The transport suite on a real server, through a proxy that breaks links.
import { transports, Connection } from '@celeriac/messaging'
import { FaultProxy, transportSuite } from '@celeriac/messaging/testing'
import { afterAll, beforeAll, describe, it } from '@jest/globals'
import { describeWith, uniqueName, urlOf } from '../services/brokers.ts'

const { capabilities } = await transports.postgres.load()

describeWith('postgres', 'the transport suite', () => {
  let proxy: FaultProxy

  beforeAll(async () => {
    proxy = await FaultProxy.to(urlOf('postgres'))
  })

  afterAll(async () => {
    await proxy.close()
  })

  transportSuite(
    { describe, it },
    {
      name: 'postgres',
      capabilities,
      connect: () => new Connection(proxy.through(urlOf('postgres'))),
      unique: uniqueName,
      resumes: true,
      breakLinks: () => {
        proxy.breakAll()
        return Promise.resolve()
      },
    },
  )
})
