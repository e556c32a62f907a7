/**
 * Lua of all scripts that keep a state: by how much a state that was written at a time has to be moved, because the server's clock was
 * moved since.
 * - Set back, a state comes from the future: it counts as written now.
 * - Set forward, the caller tells what it has noticed before, and between which times the clock should be by now. What was written before
 *   a step is moved by it, but not beyond the present: what comes to be had meanwhile comes later, never sooner. What is missing may have
 *   expired by a step: `lack` is for how many us of real time it may have had to live still.
 *
 * Differences below a second are taken for the time that calls take.
 *
 * First arguments of all: us since which this limiter is known (0 for its first call), the earliest and the latest time that it should
 * be, and steps forward, if there were any: the lack at the last one, when that was noticed, and of each until when what was written was
 * written before it, and by how much it moved the clock.
 */
export const timeline = `
local since, earliest, latest = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local drift = 0
if since == 0 then since = now else drift = now > latest and now - latest or math.min(0, now - earliest) end
local forward = drift > 1000000
local moved = forward or drift < -1000000
local steps, lack = {}, 0
if ARGV[4] ~= '' then
  for number in string.gmatch(ARGV[4], '%S+') do steps[#steps + 1] = tonumber(number) end
  local noticed = table.remove(steps, 2)
  local age = now - noticed - (forward and drift or 0)
  lack = math.max(0, table.remove(steps, 1) - math.max(0, age))
end
if forward then
  steps[#steps + 1] = latest
  steps[#steps + 1] = drift
  lack = lack + drift
end
local function shift(at)
  local by = 0
  for i = 1, #steps, 2 do
    if at <= steps[i] then by = by + steps[i + 1] end
  end
  return math.min(by, now - at)
end
`

/**
 * The same for a state of times in a sorted set, KEYS[1], with a string of doubles beside it, KEYS[2]: when it was last written, the two
 * settings that rule, since when they do, a counter, a number that is another once the state was lost (its lineage), until when nothing
 * new passes, and until when the set lives. The settings of the limiter that was heard of last rule, and are stored though nothing is
 * granted. A set that is gone before its time was evicted, or expired by a step of the clock: it is lost, and so may be one without a
 * state. Arguments: the two.
 */
export const ruledSet = `
local first, second = tonumber(ARGV[5]), tonumber(ARGV[6])
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
elseif lack > 0 then
  lost, dirty = true, true
end
local function store(ends, life)
  redis.call('SET', KEYS[2], struct.pack('>dddddddd', now, first, second, since, counter, lineage, paused, ends), 'PX', math.ceil(math.max(life, ends - now, paused - now) / 1000) + 1)
end
`
