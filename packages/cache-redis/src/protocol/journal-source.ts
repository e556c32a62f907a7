/**
 * The first part of the script: reads the journal, begins a new life where that is lost or cannot be trusted, and has what the operations
 * need to advance the epoch, to note what was invalidated, and to tell of it.
 */
export const JOURNAL_SOURCE = `
local journal, recent = KEYS[1], KEYS[2]
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]

local function scores(key, ...)
  local found = redis.call('ZMSCORE', key, ...)
  for i = 1, #found do found[i] = found[i] and tonumber(found[i]) end
  return found
end

-- Whether a command that needs memory was carried out.
local function done(reply)
  return type(reply) ~= 'table' or reply.err == nil
end

local state = scores(journal, '#id', '#epoch', '#cleared', '#expired', '#floor', '#node', '#told', '#layout', '#begun')
local id, epoch = state[1], state[2]
local cleared, expired, floor, unlisted = state[3] or 0, state[4] or 0, state[5] or 0, state[7] or 0
local layout = tonumber(ARGV[7])
if id and layout ~= 0 and state[8] and state[8] ~= layout then
  return redis.error_reply('MILLRACE stores of one prefix must agree about hashKeys')
end

-- Which server this is, or nil if it does not say, and whether it is a replica.
local function thisNode()
  local text, replica = '', false
  for _, section in ipairs({'server', 'replication'}) do
    local info = redis.pcall('INFO', section)
    if type(info) == 'string' then
      replica = replica or string.find(info, 'role:slave', 1, true) ~= nil
      text = text .. (string.match(info, 'run_id:(%x+)') or '') .. (string.match(info, 'master_replid:(%x+)') or '')
    end
  end
  return text ~= '' and tonumber(string.sub(redis.sha1hex(text), 1, 12), 16) or nil, replica
end

if id and ARGV[2] == '1' then
  local node, replica = thisNode()
  -- Its primary may have acknowledged what it does not have yet.
  if replica then return redis.error_reply('READONLY MILLRACE does not read from replicas') end
  -- Another server than that on which the journal began may lack what was invalidated last.
  if node and state[6] ~= node then id = nil end
end

-- Whether the caller has seen what is neither now nor in the past of this state: an older one was put back, and may have gone on from there.
local function forked()
  local names = {'#id', '#floor'}
  for life, known in string.gmatch(ARGV[9], '(%d+) (%d+)') do
    local at = tonumber(known)
    if tonumber(life) ~= id then
      -- Lives that came before this one ended before it began, or in what is the future since the clock was set back.
      if at > (state[9] or 0) and at <= now + 1000000 then return true end
    elseif at > epoch then
      return true
    elseif at < epoch then
      names[#names + 1] = 'v' .. known
    end
  end
  if #names == 2 then return false end
  local found = scores(recent, unpack(names))
  if found[1] ~= id or not found[2] then return false end
  for i = 3, #names do
    if not found[i] and tonumber(string.sub(names[i], 2)) > found[2] then return true end
  end
  return false
end
if id and epoch and ARGV[9] ~= '' and forked() then id, epoch = nil, nil end

-- Times to live were measured by another clock. Nothing is compared between lives, so the epoch may go back with it.
if id and epoch and (ARGV[2] == '2' or now + 1000000 < epoch) then id, epoch = nil, nil end

-- Everything older is dead and every fence outdated: what refused them is gone.
local function forget()
  -- A key of another type in the place of the notes is an error, as in that of the journal, and stays.
  redis.call('ZCARD', recent)
  redis.call('UNLINK', journal, recent)
  id, epoch, cleared, expired, floor, unlisted = 0, math.max(epoch or 0, now), 0, 0, 0, 0
end

if not id or not epoch then
  forget()
  local born = tonumber(ARGV[1])
  if done(redis.pcall('ZADD', journal, born, '#id', epoch, '#epoch', epoch, '#begun')) then
    id = born
    -- The server that began it: without, no fail-over after it could be noticed.
    local node = thisNode()
    if node then redis.pcall('ZADD', journal, node, '#node') end
    redis.pcall('ZADD', recent, id, '#id', epoch, '#floor')
    state[8] = nil
  else
    redis.call('UNLINK', journal)
  end
end
if id ~= 0 and layout ~= 0 and not state[8] then redis.pcall('ZADD', journal, layout, '#layout') end

local before = epoch
local told = {}
local recentFloor

local function advance()
  epoch = math.max(epoch + 1, now)
  return epoch
end

-- Redis refuses what needs memory only as the first write of a script. This one changes nothing and needs none, so that invalidations
-- are noted even where there is no room.
local opened = false
local function open()
  if not opened then redis.call('ZREM', journal, '') end
  opened = true
end

local function tell(verb, target, name)
  told[#told + 1] = verb .. ',' .. target .. ',' .. cjson.encode(name)
end

-- Makes sure that the notes are those of this incarnation; if they were lost, all fences are outdated.
local function openRecent()
  if recentFloor then return end
  local found = scores(recent, '#id', '#floor')
  if found[1] == id and found[2] then
    recentFloor = found[2]
    return
  end
  redis.call('UNLINK', recent)
  recentFloor = advance()
  redis.pcall('ZADD', recent, id, '#id', recentFloor, '#floor')
end

-- Remembers that whatever was computed before this version is outdated.
local function note(name, version)
  openRecent()
  if not done(redis.pcall('ZADD', recent, version, name)) then redis.call('UNLINK', recent) end
end

local function prune(key, limit, floorName)
  if redis.call('ZCARD', key) <= limit then return end
  local oldest = redis.call('ZRANGE', key, 0, math.floor(limit / 16) + 8, 'WITHSCORES')
  local gone, highest = {}, 0
  for i = 1, #oldest, 2 do
    if string.sub(oldest[i], 1, 1) ~= '#' then
      gone[#gone + 1] = oldest[i]
      highest = math.max(highest, tonumber(oldest[i + 1]))
    end
  end
  if #gone == 0 then return end
  if done(redis.pcall('ZADD', key, highest, floorName)) then redis.call('ZREM', key, unpack(gone)) end
end

local tags = {}
local function tagVersions(tag)
  local found = tags[tag]
  if not found then
    found = scores(journal, 'd' .. tag, 'e' .. tag)
    tags[tag] = found
  end
  return found[1] or floor, found[2] or floor
end`
