/**
 * The atomic acts about leases and the lives of queues, as Lua; called through scripts.ts. Times are the
 * server's: no two clocks have to agree. What is said there about a full server holds here too.
 */

const clock = `
local time = redis.call('TIME')
local now = tonumber(time[1]) + tonumber(time[2]) / 1000000
local function ms(value) return string.format('%.0f', value) end
`

/**
 * Begins a lease, or takes over that of a session whose link broke: under a new name, so that what the old
 * link still had under way comes to nothing. KEYS: sessions; ARGV: name of a fresh session, name of one that
 * goes on, identity it goes on with or '', lease ms, prefix of the held sets. Answers 1 when it goes on.
 */
const enter = `${clock}
redis.call('ZREM', KEYS[1], ARGV[1])
local ends = ms(now * 1000 + ARGV[4])
if ARGV[3] ~= '' then
  local later = ARGV[3] .. '~'
  for _, name in ipairs(redis.call('ZRANGE', KEYS[1], 0, -1)) do
    if name == ARGV[3] or string.sub(name, 1, #later) == later then
      redis.call('ZREM', KEYS[1], name)
      if redis.call('EXISTS', ARGV[5] .. name) == 1 then
        redis.call('RENAME', ARGV[5] .. name, ARGV[5] .. ARGV[2])
      end
      redis.call('ZADD', KEYS[1], ends, ARGV[2])
      return 1
    end
  end
end
redis.call('ZADD', KEYS[1], ends, ARGV[1])
return 0
`

/**
 * Queues that end when nobody uses them. `renew` gives the queues named in ARGV (name, ms) a new end and
 * their lists with it; `reap` removes those whose end has come, with all they own: 'L' and a list, or 'B',
 * the length of a key, ':', the key of a binding set and the member. Lists lie elsewhere in a cluster.
 */
const ends = `
local function renew(expiring, prefix, from, lists)
  for i = from, #ARGV, 2 do
    local at = ms(now * 1000 + ARGV[i + 1])
    redis.call('ZADD', expiring, at, ARGV[i])
    if lists then
      for _, owned in ipairs(redis.call('SMEMBERS', prefix .. ARGV[i])) do
        if string.sub(owned, 1, 1) == 'L' then redis.call('PEXPIREAT', string.sub(owned, 2), at) end
      end
    end
  end
end
local function reap(expiring, prefix, lists)
  local gone = redis.call('ZRANGEBYSCORE', expiring, '-inf', ms(now * 1000), 'LIMIT', 0, 100)
  for _, queue in ipairs(gone) do
    for _, owned in ipairs(redis.call('SMEMBERS', prefix .. queue)) do
      if string.sub(owned, 1, 1) == 'B' then
        local length = string.match(owned, '^B(%d+):')
        local key = string.sub(owned, #length + 3, #length + 2 + length)
        redis.call('SREM', key, string.sub(owned, #length + 3 + length))
      elseif lists then
        redis.call('DEL', string.sub(owned, 2))
      end
    end
    redis.call('DEL', prefix .. queue)
    redis.call('ZREM', expiring, queue)
  end
  return gone
end
`

/** KEYS: expiring; ARGV: prefix of what queues own, '1' when lists are here, then queue and ms of each. */
const expiry = `${clock}${ends}
redis.call('ZREM', KEYS[1], '')
renew(KEYS[1], ARGV[1], 3, ARGV[2] == '1')
return reap(KEYS[1], ARGV[1], ARGV[2] == '1')
`

/**
 * A queue was used. KEYS: expiring, what it owns; ARGV: queue, ms, '1' never to bring its end forward, '1'
 * when lists are here, then what it owns besides. Answers the ms it has left.
 */
const touch = `${clock}
redis.call('ZREM', KEYS[1], '')
local at = now * 1000 + ARGV[2]
if ARGV[3] == '1' then
  local before = redis.call('ZSCORE', KEYS[1], ARGV[1])
  if before and tonumber(before) > at then at = tonumber(before) end
end
redis.call('ZADD', KEYS[1], ms(at), ARGV[1])
for i = 5, #ARGV do redis.call('SADD', KEYS[2], ARGV[i]) end
if ARGV[4] == '1' then
  for _, owned in ipairs(redis.call('SMEMBERS', KEYS[2])) do
    if string.sub(owned, 1, 1) == 'L' then redis.call('PEXPIREAT', string.sub(owned, 2), ms(at)) end
  end
end
return math.ceil(at - now * 1000)
`

/** Whether the end of a queue is still to come. KEYS: expiring; ARGV: queue. */
const alive = `${clock}
local at = redis.call('ZSCORE', KEYS[1], ARGV[1])
if at and tonumber(at) > now * 1000 then return 1 end
return 0
`

/**
 * Renews the lease and looks for what is to be given back. KEYS: sessions, unacked, unacked_index, held,
 * dead, then expiring where it lies here; ARGV: session, lease ms, visibility timeout s, limit, prefix of
 * the held sets, '1' to refresh the scores of what this session holds, channel on which the other socket
 * hears that both are alive (or ''), prefix of what queues own, then queue and ms of those in use. Answers 0
 * when the lease is gone, else {ms until the next one is due or the next lease ends, then dead session or
 * '', receipt and value of each to give back}.
 */
const tick = `${clock}${ends}
if not redis.call('ZSCORE', KEYS[1], ARGV[1]) then return 0 end
redis.call('ZREM', KEYS[1], ARGV[1])
redis.call('ZADD', KEYS[1], ms(now * 1000 + ARGV[2]), ARGV[1])
if ARGV[7] ~= '' then redis.pcall('PUBLISH', ARGV[7], '') end
if KEYS[6] then
  renew(KEYS[6], ARGV[8], 9, true)
  reap(KEYS[6], ARGV[8], true)
end
if ARGV[6] == '1' then
  for _, tag in ipairs(redis.call('SMEMBERS', KEYS[4])) do
    redis.call('ZADD', KEYS[3], 'XX', string.format('%.6f', now), tag)
  end
end
for _, gone in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', ms(now * 1000 - 1))) do
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
local next = math.max(1, math.ceil(tonumber(lease[2]) - now * 1000) + 2)
if out[1] < 0 or next < out[1] then out[1] = next end
return out
`

/**
 * Ends a session; what it still held is given back by whoever looks next. KEYS: as settle, then dead; ARGV:
 * session, '1' only when nothing at all is held or delayed here. Answers 1 when it ended.
 */
const leave = `
if ARGV[2] == '1' and redis.call('EXISTS', KEYS[2], KEYS[4], KEYS[5]) > 0 then return 0 end
redis.call('ZREM', KEYS[1], ARGV[1])
if redis.call('EXISTS', KEYS[4]) == 1 then redis.call('SADD', KEYS[5], ARGV[1]) end
return 1
`

export const leaseScripts = { enter, expiry, touch, alive, tick, leave } as const
