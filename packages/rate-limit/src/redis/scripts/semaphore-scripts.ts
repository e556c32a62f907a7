import { Script } from '../client/script.ts'
import { ruledSet, timeline } from './timeline.ts'

/*
 * Holders are a sorted set by the time at which their lease ends, in microseconds: each by the ttl of its own process. How many permits
 * one holds stands behind the `*` of its name. The settings that rule are the permits and the longest ttl that was heard of, in which
 * every holder that lives has renewed its lease; the counter is the last fence.
 *
 * A state that was lost, or rolled back by a fail-over, does not know who is inside. The first process that knew an older one finds that
 * out, and for half the longest ttl nothing enters but what holds a permit already, by renewing it: every third of its ttl. A process
 * that has heard nothing for longer than a state lives unused knows of none.
 *
 * Arguments of all: timeline, permits, ttl in us, the lineage that the caller knows (0 for none; or the time
 * before a loss, below 0) and its counter, the longest ttl that it
 * has heard of in us. Answers begin with time, since, the permits that rule, lineage, counter, the longest ttl.
 */
const load = `${timeline}${ruledSet}
local permits, ttl = first, tonumber(ARGV[6])
local knew, seen = tonumber(ARGV[7]), tonumber(ARGV[8])
second = math.max(ttl, former, tonumber(ARGV[9]))
if knew > lineage or knew == lineage and counter < seen then
  lineage, lost = now, true
elseif paused == 0 and (knew > 0 and knew ~= lineage or knew < 0 and lineage > -knew) then
  lost = true
end
if lost then paused, dirty = now + second / 2, true end
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
  dirty = true
end
local function answer(own)
  if dirty then
    local last = redis.call('ZRANGE', KEYS[1], -1, -1, 'WITHSCORES')[2]
    if last then redis.call('PEXPIRE', KEYS[1], math.ceil((last - now) / 1000) + 1) end
    store(last and tonumber(last) or 0, 10 * second)
  end
  local all = {}
  for i, number in ipairs({ now, since, permits, lineage, counter, second }) do all[i] = string.format('%.0f', number) end
  for _, number in ipairs(own) do all[#all + 1] = string.format('%.0f', number) end
  return all
end
`

/**
 * Keys: holders, state. Argument: holder. Answers 1 and the fencing token; or 0 and us until the next lease ends; or -1 and us for which
 * nothing enters. The token is at least the time, so that it grows although the state has expired or was lost.
 */
export const enterScript: Script = new Script(`${load}
if paused > now then return answer({ -1, paused - now }) end
if used() + weight(ARGV[10]) > permits then
  local next = redis.call('ZRANGE', KEYS[1], 0, 0, 'WITHSCORES')[2]
  return answer({ 0, next and next - now or ttl })
end
counter = math.max(counter + 1, now)
enter(ARGV[10])
return answer({ 1, counter })
`)

/** Renews leases. Arguments: holders. Answers 1 or 0 for each: 0 if it was lost and its place is taken; one that is free is taken again. */
export const renewScript: Script = new Script(`${load}
local kept, inside = {}, nil
for i = 10, #ARGV do
  local holds = redis.call('ZSCORE', KEYS[1], ARGV[i])
  if not holds then
    inside = (inside or used()) + weight(ARGV[i])
    holds = inside <= permits
    if not holds then inside = inside - weight(ARGV[i]) end
  end
  if holds then enter(ARGV[i]) end
  kept[i - 9] = holds and 1 or 0
end
return answer(kept)
`)

/** Enters a holder, however many there are already. Argument: holder. */
export const restoreScript: Script = new Script(`${load}
enter(ARGV[10])
return answer({})
`)

/** Arguments: holder, channel on which to tell those who wait. */
export const leaveScript: Script = new Script(`${load}
if redis.call('ZREM', KEYS[1], ARGV[10]) == 1 then
  dirty = true
  redis.call('PUBLISH', ARGV[11], '')
end
return answer({})
`)
