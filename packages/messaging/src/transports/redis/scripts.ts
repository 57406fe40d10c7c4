/**
 * The atomic acts on a Redis broker, as Lua, and their typed calls. Each script first asks whether the
 * session's lease still stands: a session that was given up must not touch what others may hold by now.
 *
 * A server that has reached its maxmemory refuses a script's first write when it may take memory, and lets
 * later ones pass: each script begins with one that frees, or nothing could be consumed to make room again.
 */
import type { RedisClient } from '../../clients/redis.ts'
import { leaseScripts } from './lease-scripts.ts'

/**
 * Claims: moves up to ARGV[2] messages from the lists into `unacked`, `unacked_index` and the session's
 * own set. KEYS: sessions, unacked, unacked_index, held, parked list, where garbage in that list goes, then
 * the lists of each queue, step by step; ARGV: session, max, number of queues, '1' to share fairly among
 * them (else the first named come first), then the queue names.
 * Answers 0 when the lease is gone, else a list: number parked, numbers of the queues of which a key is no
 * list, then receipt, queue number and text of each message. Such a key is no error of the others' messages:
 * what was popped before would be lost with it.
 */
const claim = `
if not redis.call('ZSCORE', KEYS[1], ARGV[1]) then return 0 end
local left, queues = tonumber(ARGV[2]), tonumber(ARGV[3])
local time = redis.call('TIME')
local score = time[1] .. '.' .. string.format('%06d', time[2])
local out, index, tags, parked, failed, broken = {0, {}}, {}, {}, 0, nil, {}
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
  local value = '[' .. raw .. ', "", ' .. cjson.encode(ARGV[4 + queue]) .. ']'
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
    if string.sub(got.err, 1, 9) == 'WRONGTYPE' then broken[queue] = true else failed = got end
    return 0
  end
  for i = 1, #got do record(got[i], queue, key) end
  return #got
end
local steps = (#KEYS - 6) / queues
for step = 0, steps - 1 do
  local first = 6 + step * queues
  if queues > 1 and ARGV[4] == '1' then
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
if failed and #tags + parked == 0 then return failed end
out[1] = parked
for queue in pairs(broken) do out[2][#out[2] + 1] = queue end
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

/** Empties a queue. KEYS: its lists. Answers the number of messages; a key that is no list has none. */
const purge = `
local count = 0
for _, key in ipairs(KEYS) do
  local length = redis.pcall('LLEN', key)
  if type(length) == 'number' then
    count = count + length
    redis.call('DEL', key)
  end
end
return count
`

const sources = { claim, settle, giveBack, delay, purge, ...leaseScripts }
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

/** Sends every script ahead, for a server on which a call must not need two attempts. */
export async function loadScripts(client: RedisClient): Promise<void> {
  await Promise.all(Object.values(sources).map((lua) => client.script('LOAD', lua)))
}
