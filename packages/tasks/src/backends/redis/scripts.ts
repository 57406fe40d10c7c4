/** The atomic acts of the Redis backend. All keys of one call lie in one slot. */
import type { RedisClient } from '@celeriac/messaging/internal'

/** Stores and announces records, but never over a SUCCESS in JSON. KEYS: records; ARGV: ttl, then the texts. */
const store = `
local ttl = tonumber(ARGV[1])
for i, key in ipairs(KEYS) do
  local before = redis.call('GETRANGE', key, 0, 19)
  if not string.find(before, '^{"status": ?"SUCCESS"') then
    if ttl > 0 then redis.call('SETEX', key, ttl, ARGV[i + 1])
    else redis.call('SET', key, ARGV[i + 1]) end
    redis.call('PUBLISH', key, ARGV[i + 1])
  end
end
return 1
`

/**
 * The same for records that only their reader can judge: stores each where what lies there is still what was
 * read ('' for nothing). KEYS: records; ARGV: ttl, then before and after of each. Answers 1 for what was stored.
 */
const swap = `
local ttl = tonumber(ARGV[1])
local done = {}
for i, key in ipairs(KEYS) do
  local before, after = ARGV[2 * i], ARGV[2 * i + 1]
  done[i] = 0
  if (redis.call('GET', key) or '') == before then
    if ttl > 0 then redis.call('SETEX', key, ttl, after) else redis.call('SET', key, after) end
    redis.call('PUBLISH', key, after)
    done[i] = 1
  end
end
return done
`

/**
 * Writes under a name of ours when what is there is expected. KEYS: the name; ARGV: '=' (this), '-' (nothing) or
 * '*' (whatever), what is expected, milliseconds (0 removes it), what is written. Answers whether, and what was.
 */
const own = `
local before = redis.call('GET', KEYS[1])
local isExpected = ARGV[1] == '*' or (ARGV[1] == '-' and not before) or (ARGV[1] == '=' and before == ARGV[2])
if isExpected then
  if ARGV[3] == '0' then redis.call('DEL', KEYS[1])
  else redis.call('SET', KEYS[1], ARGV[4], 'PX', ARGV[3]) end
end
return {isExpected and 1 or 0, before}
`

/** One part more, once for each id. KEYS: ids added, extra; ARGV: task id, ttl. */
const extend = `
if redis.call('SADD', KEYS[1], ARGV[1]) == 1 then redis.call('INCR', KEYS[2]) end
if tonumber(ARGV[2]) > 0 then
  for i = 1, 2 do redis.call('EXPIRE', KEYS[i], ARGV[2]) end
end
return 1
`

/**
 * Counts parts of a chord with `count` (Lua that makes of `score`, `member` and `id` how many there are now, and
 * whether this one is new). Celery counts the members of a sorted set or a list; a part that comes again with another
 * result would count twice there, so the member it was counted as is remembered and replaced.
 *
 * A Python worker that sends a group in a header makes the size of the whole that of the group, so there may be more
 * parts than expected. Who met the size has joined them: one of us, which the empty id remembers; or, when there are
 * parts that none of us has counted, perhaps Python, whose keys will soon be gone then. Parts without a size wait.
 *
 * KEYS: parts, extra, size, counted; ARGV: ttl, then score, member and task id of each. Answers for each 0 (others are
 * missing, or it has been joined), 1 (late) or 2 (complete); and the parts there were when one was complete, read by `all`.
 */
const steps = (count: string, all: string): string => `
local size = redis.call('GET', KEYS[3])
local expected = size and tonumber(size) + tonumber(redis.call('GET', KEYS[2]) or 0)
local answers, parts = {}, {}
for i = 2, #ARGV, 3 do
  local score, member, id = ARGV[i], ARGV[i + 1], ARGV[i + 2]
  local before = redis.call('HGET', KEYS[4], id)
  ${count}
  redis.call('HSET', KEYS[4], id, member)
  local answer = 0
  if expected and count >= expected then
    answer = 2
    if count > expected and isNew then
      if redis.call('HEXISTS', KEYS[4], '') == 1 then answer = 0
      elseif redis.call('HLEN', KEYS[4]) < count then answer = 1 end
    end
  end
  if answer == 2 then
    redis.call('HSET', KEYS[4], '', 1)
    parts = ${all}
  end
  answers[#answers + 1] = answer
end
if tonumber(ARGV[1]) > 0 then
  for i = 1, 4 do redis.call('EXPIRE', KEYS[i], ARGV[1]) end
end
return {answers, parts}
`

const step = steps(
  `if before and before ~= member then redis.call('ZREM', KEYS[1], before) end
  local isNew = redis.call('ZADD', KEYS[1], score, member) == 1 and not before
  local count = redis.call('ZCARD', KEYS[1])`,
  `redis.call('ZRANGE', KEYS[1], 0, -1)`,
)

/** In the order in which the parts ended: Celery's result_chord_ordered=False. */
const stepList = steps(
  `if before and before ~= member then redis.call('LREM', KEYS[1], 1, before) end
  if before ~= member then redis.call('RPUSH', KEYS[1], member) end
  local isNew = not before
  local count = redis.call('LLEN', KEYS[1])`,
  `redis.call('LRANGE', KEYS[1], 0, -1)`,
)

const sources = { store, swap, own, extend, step, stepList }
export type CallScript = (
  name: keyof typeof sources,
  keys: readonly string[],
  args: readonly (string | number | Buffer)[],
  /** Answer in bytes instead of texts. */
  binary?: boolean,
) => Promise<unknown>

export function defineScripts(client: RedisClient): CallScript {
  for (const [name, lua] of Object.entries(sources))
    client.defineCommand(`celeriac_result_${name}`, { lua })
  const commands = client as unknown as Record<string, (...args: unknown[]) => Promise<unknown>>
  return (name, keys, args, binary = false) =>
    commands[`celeriac_result_${name}${binary ? 'Buffer' : ''}`]!.call(
      client,
      keys.length,
      ...keys,
      ...args,
    )
}

/** Sends every script ahead, for a server on which a call must not need two attempts. */
export async function loadScripts(client: RedisClient): Promise<void> {
  await Promise.all(Object.values(sources).map((lua) => client.script('LOAD', lua)))
}
