import { Script } from './script.ts'

/*
 * Holders are a sorted set by the time at which their lease ends, in microseconds. One that ends later than a lease can
 * last was written before the server's clock was set back; it ends one lease from now.
 */
const load = `
local ttl = tonumber(ARGV[1])
local latest = string.format('%.0f', now + ttl)
for _, holder in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], '(' .. latest, '+inf')) do
  redis.call('ZADD', KEYS[1], latest, holder)
end
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', string.format('%.0f', now))
`

/**
 * Keys: holders, fence. Arguments: lease in us, permits, holder.
 * Answers { 1, fencing token } or { 0, us until the next lease ends }. The token is at least the time, so that it grows
 * even if the server has forgotten the last one.
 */
export const enterScript: Script = new Script(`${load}
if redis.call('ZCARD', KEYS[1]) >= tonumber(ARGV[2]) then
  return { 0, math.ceil(redis.call('ZRANGE', KEYS[1], 0, 0, 'WITHSCORES')[2] - now) }
end
local fence = math.max(tonumber(redis.call('GET', KEYS[2]) or 0) + 1, now)
redis.call('SET', KEYS[2], string.format('%.0f', fence))
redis.call('ZADD', KEYS[1], latest, ARGV[3])
redis.call('PEXPIRE', KEYS[1], math.ceil(ttl / 1000) + 1)
return { 1, fence }
`)

/**
 * Renews leases. Keys: holders. Arguments: lease in us, permits, holders. Answers 1 or 0 for each: 0 if it was lost and
 * its place is taken; a place that is free is taken again.
 */
export const renewScript: Script = new Script(`${load}
local kept = {}
for i = 3, #ARGV do
  local here = redis.call('ZSCORE', KEYS[1], ARGV[i])
  if here or redis.call('ZCARD', KEYS[1]) < tonumber(ARGV[2]) then
    redis.call('ZADD', KEYS[1], latest, ARGV[i])
    kept[i - 2] = 1
  else
    kept[i - 2] = 0
  end
end
redis.call('PEXPIRE', KEYS[1], math.ceil(ttl / 1000) + 1)
return kept
`)

/** Enters a holder, however many there are already. Keys: holders. Arguments: lease in us, holder. */
export const restoreScript: Script = new Script(`${load}
redis.call('ZADD', KEYS[1], latest, ARGV[2])
redis.call('PEXPIRE', KEYS[1], math.ceil(ttl / 1000) + 1)
return { 1 }
`)

/** Keys: holders. Arguments: lease in us, holder, channel on which to tell those who wait. */
export const leaveScript: Script = new Script(`${load}
local left = redis.call('ZREM', KEYS[1], ARGV[2])
if left == 1 then redis.call('PUBLISH', ARGV[3], '') end
return { left }
`)
