import { Script } from '../protocol/script.ts'

/**
 * KEYS lease, last token of its group; ARGV holder, life in ms, least token. Returns {1, fencing token} if it was free, else {0, ms it has
 * left}. The token is the server's time in us, so that a later holder has a larger one even if Redis has forgotten the last one; and larger
 * than the last one and the least, in case the server's clock was set back. It is read first: where that is not permitted, the script fails
 * before it has taken a lease without a holder.
 */
export const takeLease: Script = new Script(`
local time = redis.call('TIME')
if redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2], 'NX') then
  local last = redis.pcall('GET', KEYS[2])
  local token = math.max(time[1] * 1000000 + time[2], tonumber(ARGV[3]))
  if type(last) ~= 'table' then
    token = math.max(token, (tonumber(last or 0) or 0) + 1)
    redis.call('SET', KEYS[2], string.format('%.0f', token))
  end
  return {1, token}
end
return {0, redis.call('PTTL', KEYS[1])}`)

/** KEYS lease; ARGV holder, life in ms. Extends it; 0 if it has run out, whether or not another has it now. */
export const keepLease: Script = new Script(`
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call('PEXPIRE', KEYS[1], ARGV[2])`)

/** KEYS lease; ARGV holder, channel. Ends it and wakes those who wait, unless it has run out and another has it. */
export const dropLease: Script = new Script(`
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
redis.call('UNLINK', KEYS[1])
redis.call('PUBLISH', ARGV[2], KEYS[1])
return 1`)
