import { JOURNAL_SOURCE } from './journal-source.ts'

/**
 * The one script of the protocol: applies a list of operations to one shard, atomically. INVALIDATION.md has the argument why it keeps
 * its promise whatever Redis loses.
 *
 * KEYS: journal, recent, then the values in the order in which the operations name them.
 * ARGV: number for a new incarnation, `1` to compare the server with the one the journal was written on or `2` to begin a new life, as
 * its clock was set back, sender, most notes in `recent`, most tags in the journal, bytes above which a
 * value is not sent, `1` if values are named by their keys, `2` if by hashes, or `0` if none are named, `1` to read what is written, so
 * that it is tracked, the incarnations that the caller has seen, each with an epoch, then the operations with their arguments.
 *
 * | operation | arguments | value | result |
 * |---|---|---|---|
 * | `g` read | | yes | bytes; list of bytes: stale; `false`: none; number: see below; list of size, version, stale: too large |
 * | `a` is it there | | yes | 1 or 0 |
 * | `s` write | name, body, one text of ttl, retention, deadline in us, fence and its incarnation | yes | 1 stored, 0 refused, 2 too late |
 * | `d` delete, `x` expire | name | yes | 1 or 0: whether there was a value |
 * | `D` delete tag, `X` expire tag | tag | | 1 |
 * | `C` clear, `E` expire all | | | 1 |
 * | `p` publish | verb, target, name | | 1 |
 * | `m` missed | epoch, its incarnation | | list of what was invalidated since: `kKEY`, `dTAG`, `eTAG`, `C`, `E`; or 0: not known |
 * | `u` free | | yes | 1 if the value was dead and is freed |
 *
 * The name of a value is given only where its key in Redis has a hash of it.
 *
 * Where a value is asked for, 3 means bytes that are none of ours and 4 a key of another type, which is left alone. A string result
 * of a write is Redis' own error.
 *
 * Returns incarnation (0 if there is no memory for one), epoch, time in us, then the results.
 */
export const APPLY_SOURCE: string = `${JOURNAL_SOURCE}

-- Of the beginning of a value: its version, or nil if the bytes are none of ours.
local function versionOf(head)
  if #head < 40 or string.sub(head, 1, 2) ~= 'M\\2' then return nil end
  local born, _, version = struct.unpack('<I4dd', head, 5)
  if born ~= id then return -1 end
  return version
end

-- 'dead', 'fresh' or 'stale', and the version; nil if the bytes are none of ours.
local function judge(bytes)
  local version = versionOf(bytes)
  if not version then return nil end
  if version < cleared or version < 0 then return 'dead', version end
  local stale = version < expired
  local at = 41
  for _ = 1, struct.unpack('<I2', bytes, 39) do
    if at + 3 > #bytes then return nil end
    local last = at + 3 + struct.unpack('<I4', bytes, at)
    local deleted, tagExpired = tagVersions(string.sub(bytes, at + 4, last))
    if deleted > version then return 'dead', version end
    stale = stale or tagExpired > version
    at = last + 1
  end
  return stale and 'stale' or 'fresh', version
end

local keyIndex, argIndex = 2, 9
local function nextKey()
  keyIndex = keyIndex + 1
  return KEYS[keyIndex]
end
local function nextArg()
  argIndex = argIndex + 1
  return ARGV[argIndex]
end

-- What a value is called after its group.
local function labelOf(key)
  return string.sub(key, #journal + 2)
end
local function nextName(key)
  return layout == 2 and nextArg() or labelOf(key)
end

local function read()
  local bytes = redis.pcall('GET', nextKey())
  if not bytes then return false end
  if type(bytes) == 'table' then return 4 end
  local verdict, version = judge(bytes)
  if not verdict then return 3 end
  if verdict == 'dead' then return false end
  if #bytes > tonumber(ARGV[6]) then
    return {#bytes, string.format('%.0f', version), verdict == 'stale' and 1 or 0}
  end
  return verdict == 'stale' and {bytes} or bytes
end

local function isThere()
  local bytes = redis.pcall('GET', nextKey())
  if type(bytes) ~= 'string' then return 0 end
  local verdict = judge(bytes)
  return (verdict == 'fresh' or verdict == 'stale') and 1 or 0
end

-- Whether nothing that concerns a value was invalidated since its fence.
local function admits(head, noted, body, fence, born)
  if born ~= id then return false end
  openRecent()
  if fence > epoch or fence < cleared or fence < expired then return false end
  local last = scores(recent, noted)[1] or recentFloor
  if last > fence then return false end
  local present = versionOf(head)
  if present and present > fence then return false end
  local at = 9
  for _ = 1, struct.unpack('<I2', body, 7) do
    local last = at + 3 + struct.unpack('<I4', body, at)
    local deleted, tagExpired = tagVersions(string.sub(body, at + 4, last))
    if deleted > fence or tagExpired > fence then return false end
    at = last + 1
  end
  return true
end

local function write()
  local key = nextKey()
  local name, body = nextName(key), nextArg()
  local ttl, retention, deadline, fence, born = string.match(nextArg(), '(%S+) (%S+) (%S+) ?(%S*) ?(%S*)')
  ttl, retention, deadline, fence, born = tonumber(ttl), tonumber(retention), tonumber(deadline), tonumber(fence), tonumber(born)
  local noted = 'k' .. labelOf(key)
  if now > deadline then return 2 end
  if id == 0 then return 0 end
  local head = redis.pcall('GETRANGE', key, 0, 39)
  if type(head) == 'table' then return 4 end
  if fence and not admits(head, noted, body, fence, born) then return 0 end
  local version = fence or advance()
  local expires = math.floor(now / 1000) + ttl
  local life = math.ceil(ttl + retention)
  local bytes = 'M\\2\\0\\0' .. struct.pack('<I4ddd', id, expires, version, expires + retention) .. body
  local stored
  if life < 9007199254740992 then
    stored = redis.pcall('SET', key, bytes, 'PX', string.format('%.0f', life))
  else
    stored = redis.pcall('SET', key, bytes)
  end
  if not done(stored) then return stored.err end
  if ARGV[8] == '1' then redis.call('GETRANGE', key, 0, 0) end
  if not fence then
    note(noted, version)
    tell(0, 0, name)
  end
  return 1
end

local function invalidate(verb)
  local key = nextKey()
  local name = nextName(key)
  local head = redis.pcall('GETRANGE', key, 0, 39)
  local foreign = type(head) == 'table'
  open()
  local there = 0
  if not foreign then
    local version = versionOf(head)
    if version and version >= cleared and version >= 0 then there = 1 end
    if verb == 0 then
      redis.call('UNLINK', key)
    elseif there == 1 and not done(redis.pcall('SETRANGE', key, 8, string.rep('\\0', 8))) then
      redis.call('UNLINK', key)
    end
  end
  note('k' .. labelOf(key), advance())
  tell(verb, 0, name)
  return foreign and 4 or there
end

local function invalidateTag(verb, prefix)
  local tag = nextArg()
  tags[tag] = nil
  open()
  if id ~= 0 and not done(redis.pcall('ZADD', journal, advance(), prefix .. tag)) then forget() end
  tell(verb, 1, tag)
  return 1
end

local function invalidateAll(verb)
  local version = advance()
  open()
  if verb == 0 then cleared = version else expired = version end
  local name = verb == 0 and '#cleared' or '#expired'
  if id ~= 0 and not done(redis.pcall('ZADD', journal, version, name)) then forget() end
  tell(verb, 3, '')
  return 1
end

local function free()
  local key = nextKey()
  local head = redis.pcall('GETRANGE', key, 0, 39)
  if type(head) ~= 'string' then return 0 end
  local version = versionOf(head)
  if not version or version >= math.max(cleared, 0) then return 0 end
  return redis.call('UNLINK', key)
end

-- For who knows what was told until then: what was not listed since, or too much, is not known.
local function missed()
  local since, born = tonumber(nextArg()), tonumber(nextArg())
  if born ~= id or since < floor or since < unlisted or state[8] == 2 then return 0 end
  local found = scores(recent, '#id', '#floor')
  if found[1] ~= id or not found[2] or found[2] > since then return 0 end
  local names = {}
  if cleared > since then names[1] = 'C' elseif expired > since then names[1] = 'E' end
  for key, skipped in pairs({[journal] = '^#', [recent] = '^[#v]'}) do
    local members = redis.call('ZRANGEBYSCORE', key, string.format('(%.0f', since), '+inf', 'LIMIT', 0, 2001)
    for _, member in ipairs(members) do
      if not string.find(member, skipped) then names[#names + 1] = member end
    end
    if #members > 2000 or #names > 1000 then return 0 end
  end
  return names
end

local results = {0, 0, 0}
while argIndex < #ARGV do
  local operation = nextArg()
  local result
  if operation == 'g' then result = read()
  elseif operation == 's' then result = write()
  elseif operation == 'd' then result = invalidate(0)
  elseif operation == 'x' then result = invalidate(1)
  elseif operation == 'D' then result = invalidateTag(0, 'd')
  elseif operation == 'X' then result = invalidateTag(1, 'e')
  elseif operation == 'C' then result = invalidateAll(0)
  elseif operation == 'E' then result = invalidateAll(1)
  elseif operation == 'a' then result = isThere()
  elseif operation == 'u' then result = free()
  elseif operation == 'm' then result = missed()
  elseif operation == 'p' then
    open()
    if id ~= 0 and not done(redis.pcall('ZADD', journal, advance(), '#told')) then forget() end
    local verb, target = nextArg(), nextArg()
    tell(verb, target, nextArg())
    result = 1
  end
  results[#results + 1] = result
end

if epoch ~= before then
  if id ~= 0 then
    open()
    openRecent()
    -- That it was, so that who has seen it can tell whether this is the same past.
    local noted = done(redis.pcall('ZADD', recent, epoch, string.format('v%.0f', epoch)))
    if not done(redis.pcall('ZADD', journal, epoch, '#epoch')) or not noted then redis.call('UNLINK', recent) end
  end
  prune(recent, tonumber(ARGV[4]), '#floor')
  prune(journal, tonumber(ARGV[5]), '#floor')
end
if #told > 0 then
  local text = string.format('[2,"%.0f","%.0f","%.0f",%s,%s]', id, before, epoch, cjson.encode(ARGV[3]), table.concat(told, ','))
  redis.call('PUBLISH', journal, text)
end
results[1], results[2], results[3] = id, epoch, now
return results`
