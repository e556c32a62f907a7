import { Script } from './script.ts'

/*
 * The window is a sorted set of permits by time, in microseconds. Members that lie in the future were written before
 * the server's clock was set back; they count from now.
 */
const load = `
local window = tonumber(ARGV[1])
for _, member in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], '(' .. string.format('%.0f', now), '+inf')) do
  redis.call('ZADD', KEYS[1], now, member)
end
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', string.format('%.0f', now - window))
local function enter(at, nonce, cost)
  for i = 1, cost do redis.call('ZADD', KEYS[1], at, nonce .. ':' .. i) end
  redis.call('PEXPIRE', KEYS[1], math.ceil(window / 1000) + 1)
end
`

/**
 * Keys: window. Arguments: window in us, limit, cost, a name for the permits that is used once.
 * Answers { 1 if granted, us until it could be, permits left, us until the window is empty }.
 */
export const takeScript: Script = new Script(`${load}
local limit, cost = tonumber(ARGV[2]), tonumber(ARGV[3])
local used, wait = redis.call('ZCARD', KEYS[1]), 0
if used + cost <= limit then
  enter(now, ARGV[4], cost)
  used = used + cost
else
  local place = used + cost - limit - 1
  wait = redis.call('ZRANGE', KEYS[1], place, place, 'WITHSCORES')[2] + window - now
end
local last = redis.call('ZRANGE', KEYS[1], -1, -1, 'WITHSCORES')[2]
local reset = last and last + window - now or 0
return { wait == 0 and 1 or 0, math.ceil(wait), math.max(0, limit - used), math.ceil(reset) }
`)

/**
 * Enters permits that passed while the store was away, however many there are already. Keys: window. Arguments: window in
 * us, then of each grant: its age in us, its name, its cost.
 */
export const enterScript: Script = new Script(`${load}
for i = 2, #ARGV, 3 do enter(now - ARGV[i], ARGV[i + 1], tonumber(ARGV[i + 2])) end
return { 1 }
`)

/** Takes permits back. Keys: window. Arguments: window in us, their name, their cost. */
export const forgetScript: Script = new Script(`${load}
for i = 1, tonumber(ARGV[3]) do redis.call('ZREM', KEYS[1], ARGV[2] .. ':' .. i) end
return { 1 }
`)
