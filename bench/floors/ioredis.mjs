// The floor on Redis: LPUSH of 1,000 in a pipeline; claims of 100 by one script into Kombu's `unacked` and
// `unacked_index`, acknowledged in batches, with envelope and body parsed.
import { Redis } from 'ioredis'
import { timed } from '../systems/message.mjs'
import { envelope } from './envelope.mjs'

const [role, text] = process.argv.slice(2)
const count = Number(text)
const redis = new Redis(process.env.BROKER_URL, { protocol: 2 })
redis.defineCommand('claim', {
  numberOfKeys: 3,
  lua: `
local got = redis.call('RPOP', KEYS[1], ARGV[1])
if not got then return {} end
local entries, index = {}, {}
for i, raw in ipairs(got) do
  local tag = string.match(raw, '"delivery_tag":"([^"]+)"')
  entries[#entries + 1] = tag
  entries[#entries + 1] = '[' .. raw .. ',"","bench"]'
  index[#index + 1] = ARGV[2]
  index[#index + 1] = tag
end
redis.call('HSET', KEYS[2], unpack(entries))
redis.call('ZADD', KEYS[3], unpack(index))
return got`,
})

async function publish(many) {
  for (let sent = 0; sent < many; sent += 1000) {
    const pipeline = redis.pipeline()
    for (let i = 0; i < Math.min(1000, many - sent); i++) pipeline.lpush('bench', envelope())
    await pipeline.exec()
  }
}

async function consume() {
  const claim = () => redis.claim('bench', 'unacked', 'unacked_index', 100, Date.now() / 1000)
  let seen = 0
  let next = claim()
  while (seen < count) {
    const texts = await next
    next = claim()
    const tags = texts.map((one) => {
      const message = JSON.parse(one)
      JSON.parse(Buffer.from(message.body, 'base64').toString())
      return message.properties.delivery_tag
    })
    seen += tags.length
    if (tags.length > 0)
      await Promise.all([redis.hdel('unacked', ...tags), redis.zrem('unacked_index', ...tags)])
  }
  await next
}

await redis.del('bench', 'unacked', 'unacked_index')
if (role !== 'consume') {
  await publish(1000)
  await timed(count, () => publish(count))
} else {
  await publish(count)
  await timed(count, consume)
}
redis.disconnect()
