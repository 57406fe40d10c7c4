// The transport suite on a server that speaks MongoDB's protocol, through a proxy that breaks links.
import { Connection, transports } from '@celeriac/messaging'
import { FaultProxy, transportSuite } from '@celeriac/messaging/testing'
import { afterAll, beforeAll, describe, it } from '@jest/globals'
import { describeWith, uniqueName, urlOf } from '../services/brokers.ts'

const { capabilities } = await transports.mongodb.load()

describeWith('mongodb', 'the transport suite', () => {
  let proxy: FaultProxy
  const database = uniqueName('suite')

  beforeAll(async () => {
    proxy = await FaultProxy.to(urlOf('mongodb'))
    const connection = new Connection(`${urlOf('mongodb')}/${database}`)
    const { server } = await connection.connect()
    await connection.close()
    console.log(`the suite runs on ${server}`)
  })

  afterAll(async () => {
    await proxy.close()
  })

  transportSuite(
    { describe, it },
    {
      name: 'mongodb',
      capabilities,
      connect: () => new Connection(`${proxy.through(urlOf('mongodb'))}/${database}`),
      unique: uniqueName,
      resumes: true,
      breakLinks: () => {
        proxy.breakAll()
        return Promise.resolve()
      },
    },
  )
})
