/**
 * The atomic acts on a Redis broker, as Lua, and their typed calls. Each script first asks whether the
 * session's lease still stands: a session that was given up must not touch what others may hold by now.
 *
 * A server that has reached its maxmemory refuses a script's first write when it may take memory, and lets
 * later ones pass: each script begins with one that frees, or nothing could be consumed to make room again.
 */
import type { RedisClient } from '../../clients/redis.ts'

/**
 * Claims: moves up to ARGV[2] messages from the lists into `unacked`, `unacked_index` and the session's
 * own set. KEYS: sessions, unacked, unacked_index, held, parked list, where garbage in that list goes, then
 * the lists of each queue, step by step; ARGV: session, max, number of queues, then the queue names.
 * Answers 0 when the lease is gone, else a flat list: number parked, then receipt, queue number and text of
 * each message. A key that is no list is an error only when nothing else was there: what was popped before
 * would be lost with it.
 */
const claim = `
if not redis.call('ZSCORE', KEYS[1], ARGV[1]) then return 0 end
local left, queues = tonumber(ARGV[2]), tonumber(ARGV[3])
local time = redis.call('TIME')
local score = time[1] .. '.' .. string.format('%06d', time[2])
local out, index, tags, parked, broken = {0}, {}, {}, 0, nil
local function record(raw, queue, key)
  local tag = string.match(string.sub(raw, -160), '"delivery_tag": ?"([^"\\\\]+)"}}$')
  if not tag then
    local ok, message = pcall(cjson.decode, raw)
    if ok and type(message) == 'table' and type(message.properties) == 'table' then
      tag = message.properties.delivery_tag
    end
    if type(tag) ~= 'string' or tag == '' then
      redis.call('LPUSH', key == KEYS[5] and KEYS[6] or KEYS[5], raw)
      parked = parked + 1
      return
    end
  end
  local value = '[' .. raw .. ', "", ' .. cjson.encode(ARGV[3 + queue]) .. ']'
  local receipt, n = tag, 1
  while redis.call('HSETNX', KEYS[2], receipt, value) == 0 do
    n = n + 1
    receipt = tag .. '~' .. n
  end
  index[#index + 1] = score
  index[#index + 1] = receipt
  tags[#tags + 1] = receipt
  out[#out + 1] = receipt
  out[#out + 1] = queue
  out[#out + 1] = raw
end
local function pop(key, queue, count)
  local got = redis.pcall('RPOP', key, count)
  if not got then return 0 end
  if got.err then
    broken = got
    return 0
  end
  for i = 1, #got do record(got[i], queue, key) end
  return #got
end
local steps = (#KEYS - 6) / queues
for step = 0, steps - 1 do
  local first = 6 + step * queues
  if queues > 1 then
    for queue = 1, queues do
      if left <= 0 then break end
      left = left - pop(KEYS[first + queue], queue, math.ceil(left / (queues - queue + 1)))
    end
  end
  for queue = 1, queues do
    if left <= 0 then break end
    left = left - pop(KEYS[first + queue], queue, left)
  end
end
if #tags > 0 then
  redis.call('ZADD', KEYS[3], unpack(index))
  redis.call('SADD', KEYS[4], unpack(tags))
end
if broken and #tags + parked == 0 then return broken end
out[1] = parked
return out
`

/** Acknowledges. KEYS: sessions, unacked, unacked_index, held; ARGV: session, then the receipts. */
const settle = `
if not redis.call('ZSCORE', KEYS[1], ARGV[1]) then return 0 end
local tags = {}
for i = 2, #ARGV do tags[i - 1] = ARGV[i] end
redis.call('HDEL', KEYS[2], unpack(tags))
redis.call('ZREM', KEYS[3], unpack(tags))
redis.call('SREM', KEYS[4], unpack(tags))
return 1
`

/**
 * Gives messages back. KEYS as settle, then the parked list; ARGV: session or '' for a sweep, visibility
 * timeout when the sweep found them due, else '', then for each message: receipt, list, 'L' or 'R', new text.
 *
 * The receipt alone proves nothing: another sweeper may have given the message back, and somebody may have
 * claimed it again under the same receipt. So it moves only while it is still held by the session in
 * question, or still due. A list that is none must not stop the sweep for ever: its message is parked.
 */
const giveBack = `
if ARGV[1] ~= '' and not redis.call('ZSCORE', KEYS[1], ARGV[1]) then return -1 end
local moved, due = 0, nil
if ARGV[2] ~= '' then
  local time = redis.call('TIME')
  due = tonumber(time[1]) + tonumber(time[2]) / 1000000 - ARGV[2]
end
for i = 3, #ARGV, 4 do
  local ours
  if due then
    local score = redis.call('ZSCORE', KEYS[3], ARGV[i])
    ours = score and tonumber(score) <= due
  else
    ours = redis.call('SREM', KEYS[4], ARGV[i]) == 1
  end
  if ours then
    if redis.call('HDEL', KEYS[2], ARGV[i]) == 1 then
      local pushed = redis.pcall(ARGV[i + 2] == 'L' and 'LPUSH' or 'RPUSH', ARGV[i + 1], ARGV[i + 3])
      if type(pushed) == 'table' and pushed.err then redis.call('LPUSH', KEYS[5], ARGV[i + 3]) end
      moved = moved + 1
    end
    redis.call('ZREM', KEYS[3], ARGV[i])
  end
end
return moved
`

/**
 * Holds messages until their hour: they stay in 'unacked', with a score that makes any sweeper, also
 * Python's, find them expired then. KEYS as settle; ARGV: session, then receipt and score of each.
 */
const delay = `
if not redis.call('ZSCORE', KEYS[1], ARGV[1]) then return 0 end
for i = 2, #ARGV, 2 do
  if redis.call('SREM', KEYS[4], ARGV[i]) == 1 then
    redis.call('ZADD', KEYS[3], ARGV[i + 1], ARGV[i])
  end
end
return 1
`

/**
 * Renews the lease and looks for what is to be given back. KEYS: sessions, unacked, unacked_index, held,
 * dead; ARGV: session, lease ms, visibility timeout s, limit, prefix of the held sets, '1' at the first
 * call, '1' to refresh the scores of what this session holds. Answers 0 when the lease is gone, else
 * {ms until the next one is due or the next lease ends, then dead session or '', receipt and value of each
 * to give back}.
 */
const tick = `
local time = redis.call('TIME')
local now = tonumber(time[1]) + tonumber(time[2]) / 1000000
if ARGV[6] ~= '1' and not redis.call('ZSCORE', KEYS[1], ARGV[1]) then return 0 end
redis.call('ZREM', KEYS[1], ARGV[1])
redis.call('ZADD', KEYS[1], string.format('%.0f', now * 1000 + ARGV[2]), ARGV[1])
if ARGV[7] == '1' then
  for _, tag in ipairs(redis.call('SMEMBERS', KEYS[4])) do
    redis.call('ZADD', KEYS[3], 'XX', string.format('%.6f', now), tag)
  end
end
for _, gone in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', string.format('%.0f', now * 1000 - 1))) do
  redis.call('ZREM', KEYS[1], gone)
  redis.call('SADD', KEYS[5], gone)
end
local out, left = {-1}, tonumber(ARGV[4])
local function add(session, tag)
  local value = redis.call('HGET', KEYS[2], tag)
  if not value then return false end
  out[#out + 1] = session
  out[#out + 1] = tag
  out[#out + 1] = value
  left = left - 1
  return true
end
for _, gone in ipairs(redis.call('SMEMBERS', KEYS[5])) do
  local held = ARGV[5] .. gone
  local tags = redis.call('SRANDMEMBER', held, math.max(left, 1))
  for _, tag in ipairs(tags) do
    if not add(gone, tag) then redis.call('SREM', held, tag) end
  end
  if #tags == 0 then
    redis.call('DEL', held)
    redis.call('SREM', KEYS[5], gone)
  end
  if left <= 0 then break end
end
if left > 0 then
  local due = redis.call('ZRANGEBYSCORE', KEYS[3], 0, string.format('%.6f', now - ARGV[3]), 'LIMIT', 0, left)
  for _, tag in ipairs(due) do
    if not add('', tag) then redis.call('ZREM', KEYS[3], tag) end
  end
end
local nearest = redis.call('ZRANGEBYSCORE', KEYS[3], string.format('(%.6f', now - ARGV[3]), '+inf', 'WITHSCORES', 'LIMIT', 0, 1)
if nearest[2] then
  out[1] = math.ceil((tonumber(nearest[2]) + ARGV[3] - now) * 1000)
end
local lease = redis.call('ZRANGE', KEYS[1], 0, 0, 'WITHSCORES')
local ends = math.max(1, math.ceil(tonumber(lease[2]) - now * 1000) + 2)
if out[1] < 0 or ends < out[1] then out[1] = ends end
return out
`

/** Ends a session; what it still held is given back by whoever looks next. */
const leave = `
local stood = redis.call('ZREM', KEYS[1], ARGV[1])
if redis.call('EXISTS', KEYS[4]) == 1 then redis.call('SADD', KEYS[5], ARGV[1]) end
return stood
`

const sources = { claim, settle, giveBack, delay, tick, leave }
export type ScriptName = keyof typeof sources

/** Calls a script by name; the script is sent once and then by its digest. */
export type CallScript = (
  name: ScriptName,
  keys: readonly string[],
  args: readonly (string | number)[],
) => Promise<unknown>

export function defineScripts(client: RedisClient): CallScript {
  for (const [name, lua] of Object.entries(sources))
    client.defineCommand(`celeriac_${name}`, { lua })
  const commands = client as unknown as Record<string, (...args: unknown[]) => Promise<unknown>>
  return (name, keys, args) =>
    commands[`celeriac_${name}`]!.call(client, keys.length, ...keys, ...args)
}
