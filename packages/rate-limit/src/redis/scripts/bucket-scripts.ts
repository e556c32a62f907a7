import { LONGEST } from '../../limiter/longest.ts'
import { Script } from './script.ts'
import { timeline } from './timeline.ts'

/*
 * The bucket is one string of six doubles: the virtual time of the last token handed out, when it was last written, the us per token and
 * the burst that rule, since when they do, and how often it was written. All times are us of the server's clock. An idle key vanishes when
 * its bucket is full, which is the same.
 *
 * What is stored decides, never what the caller believes:
 * - Settings: those of the limiter that was heard of last. Tokens saved are kept, up to the new burst; what is reserved keeps its time.
 * - A clock that was moved: see `timeline`.
 * - A state that was lost, or rolled back to an earlier one by a fail-over: what the caller still holds of it counts. Where that is yet to
 *   come others hold such too, which they have not told yet: nothing is given for as far ahead as they may have reserved.
 *
 * Further arguments of all: us per token, burst, last slot that the caller holds (0 for none), us until it (below 0 for one that is past), the writes that it has seen,
 * for how many us ahead others reserve.
 */
const load = `${timeline}
local interval, burst = tonumber(ARGV[5]), tonumber(ARGV[6])
local slot, writes, healed, known = 0, 0, false, false
local state = redis.call('GET', KEYS[1])
if state and #state == 48 then
  local at, i, b, s
  known = true
  slot, at, i, b, s, writes = struct.unpack('>dddddd', state)
  local by = shift(at)
  if by ~= 0 then
    slot, s, healed = slot + by, s + by, true
  end
  if s >= since then
    interval, burst, since = i, b, s
  elseif i ~= interval or b ~= burst then
    if slot < now then slot = now - math.min((now - slot) / i, burst) * interval end
    healed = true
  end
end
local full = now - burst * interval
lack = math.min(lack, burst * interval)
if not known then
  slot = full + lack
elseif slot < full then
  slot = full
end
local held, ahead = tonumber(ARGV[7]), tonumber(ARGV[8])
if held > 0 and (ahead > 0 or known and writes < tonumber(ARGV[9])) then
  -- As far from now as it was from the call: a call that was long under way, such as one sent again, looks like a clock that was moved.
  local floor = moved and now + ahead or held
  if ahead > 0 and writes < tonumber(ARGV[9]) then floor = math.max(floor, now + tonumber(ARGV[10])) end
  if floor > slot then
    slot = floor
    healed = true
  end
end
local function store()
  writes = writes + 1
  local life = math.max(slot - full, lack)
  if life > 0 then
    redis.call('SET', KEYS[1], struct.pack('>dddddd', slot, now, interval, burst, since, writes), 'PX', math.ceil(life / 1000) + 1)
  else
    redis.call('DEL', KEYS[1])
  end
end
local function answer(granted, wait)
  if healed and granted <= 0 then store() end
  return { string.format('%.6f', granted), math.ceil(wait), string.format('%.0f', now), string.format('%.3f', slot), string.format('%.17g', interval), string.format('%.17g', burst), writes, string.format('%.0f', since) }
end
`

/**
 * Reserves tokens. Keys: bucket. Further arguments: tokens wanted, tokens without which nothing is wanted, for how far ahead tokens are
 * given, for how far ahead those without which nothing is wanted.
 * Answers { tokens granted or -1, us until they are all there or until the least could be, time, last slot, the settings, writes, since }.
 */
export const reserveScript: Script = new Script(`${load}
local want, least = tonumber(ARGV[11]), tonumber(ARGV[12])
local near, far = tonumber(ARGV[13]), tonumber(ARGV[14])
local granted = want
local room = (now + near - slot) / interval + 0.000001
if room < want then granted = math.floor(room) end
if granted < least then
  if slot + least * interval - now <= far + 0.5 then granted = least else granted = -1 end
end
if granted < 0 then return answer(-1, slot + least * interval - now) end
slot = slot + granted * interval
if granted > 0 then store() end
return answer(granted, slot - now)
`)

/** Gives tokens back. Further argument: how many. */
export const refundScript: Script = new Script(`${load}
slot = math.max(slot - tonumber(ARGV[11]) * interval, full)
store()
return answer(0, 0)
`)

/**
 * Enters what was spent while the store was away. Time has refilled the bucket meanwhile, so that it is empty at worst.
 * Further argument: tokens. Answers as the others; granted is what was entered, the rest being forgiven.
 */
export const debitScript: Script = new Script(`${load}
local entered = math.max(slot, math.min(slot + tonumber(ARGV[11]) * interval, now))
local tokens = (entered - slot) / interval
slot = entered
store()
return answer(tokens, 0)
`)

/**
 * What an owner does to a bucket. Further arguments: 'penalize' and tokens, 'block' and us, or 'reset' and 0; 'get' changes nothing.
 */
export const adjustScript: Script = new Script(`${load}
local verb, amount = ARGV[11], tonumber(ARGV[12])
if verb == 'penalize' then
  slot = math.min(slot + amount * interval, now + ${LONGEST * 1_000})
elseif verb == 'block' then
  slot = math.max(slot, now + amount - interval)
elseif verb == 'reset' then
  slot = full
end
if verb ~= 'get' then store() end
return answer(0, slot - now)
`)
