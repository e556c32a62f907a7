import { Script } from './script.ts'

/*
 * Versions are integers from one counter, kept above the server's time in microseconds, so that a counter which was lost
 * (a flush, an eviction, a fail-over that lost the last writes) goes on above all versions given out before. They stay below
 * 2^53, and '%.0f' prints them exactly where Lua's tostring would round.
 */
const nextVersion = `
local function now()
  local time = redis.call('TIME')
  return time[1] * 1000000 + time[2]
end
local function text(version) return string.format('%.0f', version) end
`

/** KEYS state; returns {epoch, server time in us}: the epoch begins with the first fence. */
export const takeFence: Script = new Script(`${nextVersion}
local time = now()
local epoch = redis.call('HGET', KEYS[1], 'epoch')
if not epoch then
  epoch = text(time)
  redis.call('HSET', KEYS[1], 'epoch', epoch)
end
return {epoch, text(time)}`)

/** KEYS state, ARGV field that also gets the version, or ''; returns the new version. */
export const advance: Script = new Script(`${nextVersion}
local epoch = tonumber(redis.call('HGET', KEYS[1], 'epoch') or 0)
local version = text(math.max(epoch + 1, now()))
redis.call('HSET', KEYS[1], 'epoch', version)
if ARGV[1] ~= '' then redis.call('HSET', KEYS[1], ARGV[1], version) end
return version`)

/** Version of the value under a key, from its envelope; 0 if there is none. */
const versionOf = `
local function versionOf(key)
  local bytes = redis.call('GETRANGE', key, 24, 31)
  if #bytes < 8 then return 0 end
  return (struct.unpack('<d', bytes))
end
`

/**
 * KEYS state, then values, all on one server. Returns the versions of the last clears and, per value, its bytes and the versions
 * of its tags' last invalidations, of which the envelope (see cache-core) has the names; false for what is not there.
 */
export const readAll: Script = new Script(`
local base = string.sub(KEYS[1], 1, -#'state' - 1)
local reply = redis.call('HMGET', KEYS[1], 'cleared', 'expired')
for i = 2, #KEYS do
  local bytes = redis.call('GET', KEYS[i])
  local entry = bytes and {bytes}
  if bytes and #bytes >= 38 then
    local at = 39 + struct.unpack('<I4', bytes, 33)
    for _ = 1, struct.unpack('<I2', bytes, 37) do
      if at + 1 > #bytes then break end
      local last = at + 1 + struct.unpack('<I2', bytes, at)
      local versions = redis.call('HMGET', base .. '{t' .. string.sub(bytes, at + 2, last) .. '}', 'd', 'e')
      entry[#entry + 1] = versions[1]
      entry[#entry + 1] = versions[2]
      at = last + 1
    end
  end
  reply[i + 1] = entry
end
return reply`)

/** Remembers a version under which everything older is refused, for so many ms. */
const raise = `
local function raise(barrier, version, life)
  if tonumber(redis.call('GET', barrier) or 0) < tonumber(version) then
    redis.call('SET', barrier, version, 'PX', life)
  end
end
`

/** Extends a key's life to at least so many ms; 0 is for ever. */
const keepFor = `
local function keepFor(key, life, existed)
  if life == 0 then
    redis.call('PERSIST', key)
    return
  end
  local left = redis.call('PTTL', key)
  if not existed or (left >= 0 and left < life) then redis.call('PEXPIRE', key, life) end
end
`

/** Makes a tag outlive a value of a version that carries it; returns the version of the tag's last invalidation. */
const keep = `${keepFor}
local function keep(tag, version, life)
  local versions = redis.call('HMGET', tag, 'd', 'e')
  local existed = versions[1] or versions[2]
  if not existed then redis.call('HSET', tag, 'd', version) end
  keepFor(tag, life, existed)
  if not existed then return 0 end
  return math.max(tonumber(versions[1] or 0), tonumber(versions[2] or 0))
end
`

/**
 * KEYS value, barrier, then the value's tags where one server has them all; ARGV version, envelope, life in ms or 0 for ever,
 * fence time in us or '' for a write, which wins over all loads that began before, life of barriers in ms. Returns 1, or 0 if the
 * value of a load was invalidated since its fence or a later one is there, or if a tag was invalidated since the version.
 */
export const put: Script = new Script(`${nextVersion}${versionOf}${raise}${keep}
local version = tonumber(ARGV[1])
local result = 1
for i = 3, #KEYS do
  if keep(KEYS[i], ARGV[1], tonumber(ARGV[3])) > version then result = 0 end
end
if ARGV[4] == '' then
  raise(KEYS[2], ARGV[1], ARGV[5])
else
  if result == 0 then return 0 end
  if tonumber(redis.call('GET', KEYS[2]) or 0) > version then return 0 end
  if versionOf(KEYS[1]) > version then return 0 end
  if now() - tonumber(ARGV[4]) > tonumber(ARGV[5]) * 1000 then return 0 end
end
if ARGV[3] == '0' then
  redis.call('SET', KEYS[1], ARGV[2])
else
  redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
end
return result`)

/** KEYS value, barrier; ARGV version, life of the barrier in ms. Returns whether there was a value. */
export const remove: Script = new Script(`${versionOf}${raise}
raise(KEYS[2], ARGV[1], ARGV[2])
if versionOf(KEYS[1]) >= tonumber(ARGV[1]) then return 0 end
return redis.call('UNLINK', KEYS[1])`)

/** Like {@link remove}, but the value stays and is stale: its `expires` becomes 0 where it lies. */
export const expire: Script = new Script(`${versionOf}${raise}
raise(KEYS[2], ARGV[1], ARGV[2])
if redis.call('EXISTS', KEYS[1]) == 0 or versionOf(KEYS[1]) >= tonumber(ARGV[1]) then return 0 end
redis.call('SETRANGE', KEYS[1], 8, string.rep('\\0', 8))
return 1`)

/** KEYS lease; ARGV token. Ends it unless it has run out and another has it. */
export const dropLease: Script = new Script(`
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call('UNLINK', KEYS[1])`)

/**
 * KEYS tag; ARGV version of a value that is about to carry it, life of the value in ms or 0. A tag that is not there may have
 * been lost, so whatever is older than this value counts as deleted. Returns the version of the tag's last invalidation.
 */
export const keepTag: Script = new Script(`${keep}
return string.format('%.0f', keep(KEYS[1], ARGV[1], tonumber(ARGV[2])))`)

/** KEYS tag; ARGV field 'd' or 'e', version, least life in ms. */
export const invalidateTag: Script = new Script(`${keepFor}
local existed = redis.call('EXISTS', KEYS[1]) == 1
local version = tonumber(redis.call('HGET', KEYS[1], ARGV[1]) or 0)
if version < tonumber(ARGV[2]) then redis.call('HSET', KEYS[1], ARGV[1], ARGV[2]) end
keepFor(KEYS[1], tonumber(ARGV[3]), existed)
return 1`)
