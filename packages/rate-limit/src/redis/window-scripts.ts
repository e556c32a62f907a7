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
local used = redis.call('ZCARD', KEYS[1])
`

/**
 * Keys: window. Arguments: window in us, limit, cost, a name for the permits that is used once.
 * Answers { 1 if granted, us until it could be, permits left, us until the window is empty }.
 */
export const windowScript: Script = new Script(`${load}
local limit, cost = tonumber(ARGV[2]), tonumber(ARGV[3])
local wait = 0
if used + cost <= limit then
  for i = 1, cost do redis.call('ZADD', KEYS[1], now, ARGV[4] .. ':' .. i) end
  redis.call('PEXPIRE', KEYS[1], math.ceil(window / 1000) + 1)
  used = used + cost
else
  local place = used + cost - limit - 1
  wait = redis.call('ZRANGE', KEYS[1], place, place, 'WITHSCORES')[2] + window - now
end
local last = redis.call('ZRANGE', KEYS[1], -1, -1, 'WITHSCORES')[2]
local reset = last and last + window - now or 0
return { wait == 0 and 1 or 0, math.ceil(wait), limit - used, math.ceil(reset) }
`)

/** Takes permits back by their names. Keys: window. Arguments: window in us, members. */
export const forgetScript: Script = new Script(`${load}
for i = 2, #ARGV do redis.call('ZREM', KEYS[1], ARGV[i]) end
return { 1 }
`)
