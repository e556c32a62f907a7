import { Script } from './script.ts'
import { ruledSet, timeline } from './timeline.ts'

/*
 * Holders are a sorted set by the time at which their lease ends, in microseconds: each by the ttl of its own process. How many permits
 * one holds stands behind the `*` of its name. The settings that rule are the permits and the ttl, of which the latter only says for how
 * long the last fence is remembered; the counter is that fence.
 */
const load = `${timeline}${ruledSet}
local permits, ttl = first, tonumber(ARGV[5])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', string.format('%.0f', now))
local function weight(holder)
  return tonumber(string.match(holder, '%*(%d+)$')) or 1
end
local function used()
  local sum = 0
  for _, holder in ipairs(redis.call('ZRANGE', KEYS[1], 0, -1)) do sum = sum + weight(holder) end
  return sum
end
local function enter(holder)
  redis.call('ZADD', KEYS[1], string.format('%.0f', now + ttl), holder)
end
local function keep()
  local last = redis.call('ZRANGE', KEYS[1], -1, -1, 'WITHSCORES')[2]
  if last then redis.call('PEXPIRE', KEYS[1], math.ceil((last - now) / 1000) + 1) end
  store(math.max(10 * ttl, last and last - now or 0))
end
local function answer(granted, value)
  if changed then keep() end
  return { granted, string.format('%.0f', value), string.format('%.0f', now), string.format('%.0f', since), permits }
end
`

/**
 * Keys: holders, state. Arguments: timeline, permits, ttl in us, holder.
 * Answers { 1, fencing token, … } or { 0, us until the next lease ends, … }, then time, since and the permits that rule. The token is at
 * least the time, so that it grows although the state has expired or was lost.
 */
export const enterScript: Script = new Script(`${load}
if used() + weight(ARGV[6]) > permits then
  local next = redis.call('ZRANGE', KEYS[1], 0, 0, 'WITHSCORES')[2]
  return answer(0, next and next - now or ttl)
end
counter = math.max(counter + 1, now)
enter(ARGV[6])
keep()
return answer(1, counter)
`)

/**
 * Renews leases. Arguments: timeline, permits, ttl, holders. Answers { time, since, permits } and 1 or 0 for each: 0 if it was lost and
 * its place is taken; a place that is free is taken again.
 */
export const renewScript: Script = new Script(`${load}
local kept = { string.format('%.0f', now), string.format('%.0f', since), permits }
for i = 6, #ARGV do
  if redis.call('ZSCORE', KEYS[1], ARGV[i]) or used() + weight(ARGV[i]) <= permits then
    enter(ARGV[i])
    kept[i - 2] = 1
  else
    kept[i - 2] = 0
  end
end
keep()
return kept
`)

/** Enters a holder, however many there are already. Arguments: timeline, permits, ttl, holder. */
export const restoreScript: Script = new Script(`${load}
enter(ARGV[6])
keep()
return answer(1, 0)
`)

/** Arguments: timeline, permits, ttl, holder, channel on which to tell those who wait. */
export const leaveScript: Script = new Script(`${load}
local left = redis.call('ZREM', KEYS[1], ARGV[6])
if left == 1 then
  keep()
  redis.call('PUBLISH', ARGV[7], '')
end
return answer(left, 0)
`)
