import { countPeers } from '../outage/peers.ts'
import { Script } from './script.ts'

/*
 * The bucket is one string: the virtual time of the last token handed out, in microseconds with three decimals (whole
 * ones would bend a rate of 30,000/s by 1 %). Lua's tostring keeps 14 digits, hence the format. An idle key vanishes
 * when its bucket is full, which is the same.
 *
 * A time further ahead than any reservation can be means that the server's clock was set back: the bucket is then taken
 * to be empty now.
 */
const load = `
local burst, horizon = tonumber(ARGV[1]), tonumber(ARGV[2])
local full = now - burst
local slot = tonumber(redis.call('GET', KEYS[1]) or '') or full
if slot > now + horizon then slot = now elseif slot < full then slot = full end
local function store(at)
  redis.call('SET', KEYS[1], string.format('%.3f', at), 'PX', math.ceil((at - full) / 1000) + 1)
end
`

/**
 * Reserves a cost. Keys: bucket. Arguments: burst, horizon, cost, longest wait, all in us.
 * Answers { 1 if reserved, wait in us, credit left in us }; half a microsecond of wait is rounding.
 */
export const reserveScript: Script = new Script(`${load}
local cost, most = tonumber(ARGV[3]), tonumber(ARGV[4])
local wait = slot + cost - now
if wait > most + 0.5 then return { 0, math.ceil(wait), math.floor(now - slot) } end
store(slot + cost)
return { 1, math.ceil(math.max(wait, 0)), math.floor(-wait) }
`)

/**
 * Reserves the next tokens for a process to hand out by itself, and counts it. Keys: bucket, peers. Arguments: burst,
 * horizon, us per token, tokens, process, us after which a silent one no longer counts.
 * Answers { time of the first slot from now in us, processes }.
 */
export const leaseScript: Script = new Script(`${load}${countPeers}
local interval = tonumber(ARGV[3])
store(slot + interval * tonumber(ARGV[4]))
return { math.ceil(slot + interval - now), count(KEYS[2], ARGV[5], tonumber(ARGV[6])) }
`)

/** Gives a cost back. Keys: bucket. Arguments: burst, horizon, cost in us. */
export const refundScript: Script = new Script(`${load}
store(math.max(slot - tonumber(ARGV[3]), full))
return { 1 }
`)

/**
 * Enters what was spent while the store was away. Time has refilled the bucket meanwhile, so that it is empty at worst.
 * Keys: bucket. Arguments: burst, horizon, cost in us. Answers { what was entered in ns }, the rest being forgiven.
 */
export const debitScript: Script = new Script(`${load}
local entered = math.max(slot, math.min(slot + tonumber(ARGV[3]), now))
store(entered)
return { math.floor((entered - slot) * 1000) }
`)
