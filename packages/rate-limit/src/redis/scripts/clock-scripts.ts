import { Script } from '../client/script.ts'

/*
 * The last step forward of a server's clock that a process has noticed: three doubles in us of that clock, until when what was written
 * was written before the step, by how much it is to be moved, and when the step was noticed.
 */

/** Keys: record. Answers { until, by, noticed }, or nothing. */
export const hearScript: Script = new Script(`
local known = redis.call('GET', KEYS[1])
if not known or #known ~= 24 then return {} end
local step = {}
for i, number in ipairs({ struct.unpack('>ddd', known) }) do if i <= 3 then step[i] = string.format('%.0f', number) end end
return step
`)

/**
 * Keys: record. Arguments: until, by, noticed, when the process that noticed it was answered last, ms for which it matters. A step that
 * another process has told of is told once; one that follows on another is told with it. Set back, a clock goes again through times that were before the step once.
 */
export const tellScript: Script = new Script(`
local til, by, at, answered = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local known = redis.call('GET', KEYS[1])
local before, moved, noticed
if known and #known == 24 then before, moved, noticed = struct.unpack('>ddd', known) end
if by < 0 then
  if noticed then
    redis.call('SET', KEYS[1], struct.pack('>ddd', math.min(before, at), moved, math.min(noticed, at)), 'PX', ARGV[5])
  end
elseif not noticed or before < answered then
  redis.call('SET', KEYS[1], struct.pack('>ddd', til, by + (moved or 0), at), 'PX', ARGV[5])
end
return {}
`)
