/**
 * Lua of all scripts that keep a state: by how much a state that was written at a time has to be moved, because the server's clock was
 * moved since. A state from the future tells that by itself; else the caller does, which knows at what time it was last answered and how
 * long ago that is by its own clock. Differences below a second are taken for the time that calls take.
 *
 * First arguments of all: us since which this limiter is known (0 for its first call), time of the last answer (0 for none), us since.
 */
export const timeline = `
local since, answered, elapsed = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
if since == 0 then since = now end
local drift = answered > 0 and now - answered - elapsed or 0
local moved = drift > 1000000 or drift < -1000000
local function shift(at)
  if at > now then return moved and drift or now - at end
  if drift > 1000000 and at <= answered + elapsed or drift < -1000000 and at < now - elapsed then return drift end
  return 0
end
`

/**
 * The same for a state of times in a sorted set, KEYS[1], with a string of doubles beside it, KEYS[2]: when it was last written, the two
 * settings that rule, since when they do, a counter, a number that is another once the state was lost (its lineage), until when nothing
 * new passes, and until when the set lives. The settings of the limiter that was heard of last rule, and are stored though nothing is
 * granted. A set that is gone before its time was evicted, or expired by a step of the clock: it is lost. Arguments: the two.
 */
export const ruledSet = `
local first, second = tonumber(ARGV[4]), tonumber(ARGV[5])
local counter, lineage, paused, former, dirty, lost = 0, now, 0, 0, false, false
local state = redis.call('GET', KEYS[2])
if state and #state == 64 then
  local at, f, s, known, ends
  at, f, s, known, counter, lineage, paused, ends = struct.unpack('>dddddddd', state)
  local by = shift(at)
  if by ~= 0 then
    known, ends, dirty = known + by, ends + by, true
    if paused > 0 then paused = paused + by end
    local members = redis.call('ZRANGE', KEYS[1], 0, -1, 'WITHSCORES')
    for i = 1, #members, 2 do redis.call('ZADD', KEYS[1], string.format('%.0f', members[i + 1] + by), members[i]) end
  end
  if ends > now and redis.call('EXISTS', KEYS[1]) == 0 then lineage, lost, dirty = now, true, true end
  former = s
  if known >= since then first, second, since = f, s, known elseif f ~= first or s ~= second then dirty = true end
end
local function store(ends, life)
  redis.call('SET', KEYS[2], struct.pack('>dddddddd', now, first, second, since, counter, lineage, paused, ends), 'PX', math.ceil(math.max(life, ends - now, paused - now) / 1000) + 1)
end
`
