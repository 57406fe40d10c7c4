// The transport suite on a real server, through a proxy that breaks links.
import { transports, Connection } from '@celeriac/messaging'
import { FaultProxy, transportSuite } from '@celeriac/messaging/testing'
import { afterAll, beforeAll, describe, it } from '@jest/globals'
import { describeWith, uniqueName, urlOf } from '../services/brokers.ts'

const { capabilities } = await transports.amqp.load()

describeWith('rabbitmq', 'the transport suite', () => {
  let proxy: FaultProxy

  beforeAll(async () => {
    proxy = await FaultProxy.to(urlOf('rabbitmq'))
  })

  afterAll(async () => {
    await proxy.close()
  })

  transportSuite(
    { describe, it },
    {
      name: 'amqp',
      capabilities,
      connect: () => new Connection(proxy.through(urlOf('rabbitmq'))),
      unique: uniqueName,
      breakLinks: () => {
        proxy.breakAll()
        return Promise.resolve()
      },
    },
  )
})
