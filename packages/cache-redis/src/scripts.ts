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

/** Remembers a version under which everything older is refused, for so many ms. */
const raise = `
local function raise(barrier, version, life)
  if tonumber(redis.call('GET', barrier) or 0) < tonumber(version) then
    redis.call('SET', barrier, version, 'PX', life)
  end
end
`

/**
 * KEYS value, barrier; ARGV envelope, life in ms or 0 for ever, then of a load: fence epoch, fence time in us, longest life of
 * a fence in us; of a write, which wins over all loads that began before: '', its version, life of the barrier in ms. Returns 1,
 * or 0 if the value was invalidated since the fence or a later one is there.
 */
export const put: Script = new Script(`${nextVersion}${versionOf}${raise}
if ARGV[3] ~= '' then
  local fence = tonumber(ARGV[3])
  if tonumber(redis.call('GET', KEYS[2]) or 0) > fence then return 0 end
  if versionOf(KEYS[1]) > fence then return 0 end
  if now() - tonumber(ARGV[4]) > tonumber(ARGV[5]) then return 0 end
else
  raise(KEYS[2], ARGV[4], ARGV[5])
end
if ARGV[2] == '0' then
  redis.call('SET', KEYS[1], ARGV[1])
else
  redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
end
return 1`)

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

/**
 * KEYS tag; ARGV version of a value that is about to carry it, life of the value in ms or 0. A tag that is not there may have
 * been lost, so whatever is older than this value counts as deleted. Returns the version of the tag's last invalidation.
 */
export const keepTag: Script = new Script(`${keepFor}
local versions = redis.call('HMGET', KEYS[1], 'd', 'e')
local existed = versions[1] or versions[2]
if not existed then redis.call('HSET', KEYS[1], 'd', ARGV[1]) end
keepFor(KEYS[1], tonumber(ARGV[2]), existed)
if not existed then return '0' end
local deleted, expired = tonumber(versions[1] or 0), tonumber(versions[2] or 0)
return string.format('%.0f', math.max(deleted, expired))`)

/** KEYS tag; ARGV field 'd' or 'e', version, least life in ms. */
export const invalidateTag: Script = new Script(`${keepFor}
local existed = redis.call('EXISTS', KEYS[1]) == 1
local version = tonumber(redis.call('HGET', KEYS[1], ARGV[1]) or 0)
if version < tonumber(ARGV[2]) then redis.call('HSET', KEYS[1], ARGV[1], ARGV[2]) end
keepFor(KEYS[1], tonumber(ARGV[3]), existed)
return 1`)
