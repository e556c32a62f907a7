import { LONGEST } from '../../limiter/longest.ts'
import { Script } from '../client/script.ts'
import { timeline } from './timeline.ts'

/*
 * The bucket is one string of seven doubles: the virtual time of the last token handed out, when it was last written, the us per token and
 * the burst that rule, since when they do, how often it was written, and until when it is blocked (0 for never). All times are us of the
 * server's clock. An idle key vanishes when its bucket is full, which is the same.
 *
 * While it is blocked the first token comes at the end of that at the earliest, whatever is given back and whichever settings come.
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
local slot, writes, paused, healed, known = 0, 0, 0, false, false
local state = redis.call('GET', KEYS[1])
if state and #state == 56 then
  local at, i, b, s
  known = true
  slot, at, i, b, s, writes, paused = struct.unpack('>ddddddd', state)
  local by = shift(at)
  if by ~= 0 then
    slot, s, healed = slot + by, s + by, true
    if paused > 0 then paused = paused + by end
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
local function blocked(at) return paused > now and math.max(at, paused - math.min(1, burst) * interval) or at end
slot = blocked(slot)
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
  local life = math.max(slot - full, lack, paused - now)
  if life > 0 then
    redis.call('SET', KEYS[1], struct.pack('>ddddddd', slot, now, interval, burst, since, writes, paused), 'PX', math.ceil(life / 1000) + 1)
  else
    redis.call('DEL', KEYS[1])
  end
end
local function answer(granted, wait)
  if healed and granted <= 0 then store() end
  return { string.format('%.6f', granted), math.ceil(wait), string.format('%.0f', now), string.format('%.3f', slot), string.format('%.17g', interval), string.format('%.17g', burst), writes, string.format('%.0f', since), string.format('%.0f', math.max(0, paused - now)) }
end
`

/**
 * Reserves tokens. Keys: bucket. Further arguments: tokens wanted, tokens without which nothing is wanted, for how far ahead tokens are
 * given, for how far ahead those without which nothing is wanted.
 * Answers { tokens granted or -1, us until they are all there or until the least could be, time, last slot, the settings, writes, since,
 * us for which the bucket is blocked still }.
 */
export const reserveScript: Script = new Script(`${load}
local want, least = tonumber(ARGV[11]), tonumber(ARGV[12])
local near, far = tonumber(ARGV[13]), tonumber(ARGV[14])
local granted = want
local room = (now + near - slot) / interval + 0.000001
if paused > now + near then room = 0 end
if room < want then granted = math.floor(room) end
local due = math.max(slot + least * interval, paused)
if granted < least then
  if due - now <= far + 0.5 then granted = least else granted = -1 end
end
if granted < 0 then return answer(-1, due - now) end
slot = slot + granted * interval
if granted > 0 then store() end
return answer(granted, slot - now)
`)

/** Gives tokens back. Further argument: how many. */
export const refundScript: Script = new Script(`${load}
slot = math.max(blocked(slot - tonumber(ARGV[11]) * interval), full)
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
  paused = math.max(paused, now + amount)
  slot = blocked(slot)
elseif verb == 'reset' then
  slot, paused = full, 0
end
if verb ~= 'get' then store() end
return answer(0, slot - now)
`)
