import { Script } from '../client/script.ts'
import { HEARTBEAT } from '../client/store-guard.ts'
import { ruledSet, timeline } from './timeline.ts'

/** For so long, in ms, nothing passes where a window was lost to a step of the clock: two heartbeats, by which processes notice it. */
export const NOTICE: number = 2 * HEARTBEAT

/*
 * The window is a sorted set of permits by time, in microseconds. The settings that rule are its limit and its length; what has left a
 * window before it was made longer is forgotten. Its counter counts permits that were entered.
 */
const load = `${timeline}${ruledSet}
local limit, window = first, second
if lost and lack > 0 then
  -- Gone by a step of the clock: those that had permits in it enter them meanwhile.
  paused, dirty = math.max(paused, now + math.min(lack, window, ${NOTICE * 1_000})), true
end
-- Nothing passes in the future, whatever the state says of the clock.
for _, member in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], '(' .. string.format('%.0f', now), '+inf')) do
  redis.call('ZADD', KEYS[1], string.format('%.0f', now), member)
end
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', string.format('%.0f', now - window))
local function enter(at, nonce, cost)
  for i = 1, cost do counter = counter + redis.call('ZADD', KEYS[1], string.format('%.0f', at), nonce .. ':' .. i) end
  redis.call('PEXPIRE', KEYS[1], math.ceil(window / 1000) + 1)
  dirty = true
end
local function answer(granted, wait)
  local last = redis.call('ZRANGE', KEYS[1], -1, -1, 'WITHSCORES')[2]
  local ends = last and last + window or 0
  if dirty then store(ends, window) end
  local left = paused > now and 0 or math.max(0, limit - redis.call('ZCARD', KEYS[1]))
  return { granted, math.ceil(wait), left, math.ceil(math.max(ends - now, paused - now, 0)), string.format('%.0f', now), string.format('%.0f', since), limit, string.format('%.0f', window), string.format('%.0f', lineage), counter, string.format('%.0f', math.max(0, paused - now)) }
end
`

/**
 * Keys: window, state. Arguments: timeline, limit, window in us, cost, a name for the permits that is used once, the lineage in which the
 * caller's own permits of this window were entered (0 for none), the counter that it was told then. A cost of 0 only looks, for one permit.
 * Answers { 1 if granted, us until it could be or, where that was the last permit, until the next one could, permits left, us until the
 * window is empty, time, since, the settings that rule, lineage, counter, us for which it is blocked still }, or -1 first if the window was
 * lost or rolled back: then those who use it have to enter what they were given again.
 */
export const takeScript: Script = new Script(`${load}
local cost = tonumber(ARGV[7])
local known, seen = tonumber(ARGV[9]), tonumber(ARGV[10])
if known > 0 and (known ~= lineage or counter < seen) then
  if known == lineage then lineage = now end
  dirty = true
  return answer(-1, 0)
end
local missing = redis.call('ZCARD', KEYS[1]) + math.max(1, cost) - limit
if cost > 0 and paused <= now and missing <= 0 then
  enter(now, ARGV[8], cost)
  local spent = redis.call('ZCARD', KEYS[1]) - limit
  local oldest = spent >= 0 and redis.call('ZRANGE', KEYS[1], spent, spent, 'WITHSCORES')[2]
  return answer(1, oldest and oldest + window - now or 0)
end
local wait = math.max(0, paused - now)
if missing > 0 then
  local last = redis.call('ZRANGE', KEYS[1], missing - 1, missing - 1, 'WITHSCORES')[2]
  wait = math.max(wait, last and last + window - now or window)
end
return answer(cost > 0 and 0 or 1, wait)
`)

/**
 * Enters permits that passed while the store was away, however many there are already. Further arguments: of each grant its age in us,
 * its name, its cost.
 */
export const enterScript: Script = new Script(`${load}
for i = 7, #ARGV, 3 do enter(now - ARGV[i], ARGV[i + 1], tonumber(ARGV[i + 2])) end
return answer(1, 0)
`)

/** Takes permits back. Further arguments: of each grant its name, and after which and up to which of its permits. */
export const forgetScript: Script = new Script(`${load}
for i = 7, #ARGV, 3 do
  for permit = ARGV[i + 1] + 1, ARGV[i + 2] do redis.call('ZREM', KEYS[1], ARGV[i] .. ':' .. string.format('%d', permit)) end
end
dirty = true
return answer(1, 0)
`)

/** Lets nothing pass for a while. Further argument: us. A shorter block than there is changes nothing. */
export const blockScript: Script = new Script(`${load}
paused = math.max(paused, now + ARGV[7])
dirty = true
return answer(1, 0)
`)

/** Empties the window and ends its block. What others have entered before is not lost, so that they do not enter it again. */
export const clearScript: Script = new Script(`${load}
redis.call('DEL', KEYS[1])
paused = 0
dirty = true
return answer(1, 0)
`)
