// The floor on MongoDB: insertMany of 1,000, claims of 100 by a find and an updateMany, one deleteMany for
// each batch.
import { MongoClient } from 'mongodb'
import { floor } from './envelope.mjs'

const client = await MongoClient.connect(process.env.BROKER_URL)
const floors = client.db('floor').collection('floor')
await floors.deleteMany({})
await floors.createIndex({ queue: 1, _id: 1 })
await floor({
  push: (texts) => floors.insertMany(texts.map((text) => ({ queue: 'bench', text }))),
  async take(count) {
    const found = await floors.find({ queue: 'bench' }).sort({ _id: 1 }).limit(count).toArray()
    const ids = found.map(({ _id }) => _id)
    if (ids.length > 0)
      await floors.updateMany({ _id: { $in: ids }, queue: 'bench' }, { $set: { queue: 'held' } })
    return found
  },
  ack: (taken) => floors.deleteMany({ _id: { $in: taken.map(({ _id }) => _id) } }),
})
await client.close()
