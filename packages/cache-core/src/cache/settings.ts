import type { CreateInsight } from '../advise/insight.ts'
import { Adaptive } from '../policy/adaptive.ts'
import type { CreatePolicy } from '../policy/policies.ts'
import type { CreateRelief } from '../size/memory-pressure.ts'
import { type Clock, systemClock } from '../time/turn-clock.ts'
import {
  assertFunction,
  assertNumber,
  assertPositive,
  assertWeighted,
  type CacheOptions,
  ENTRIES,
  FRACTION,
  LARGEST_MAP,
} from './cache-options.ts'

/** Options of a cache, checked, with what was not given. */
export interface Settings<K, V> {
  readonly maxEntries: number
  readonly maxBytes: number
  readonly weigher: ((value: V, key: K) => number) | undefined
  readonly ttl: number
  readonly idleTtl: number
  readonly ttlJitter: number
  readonly sweepInterval: number
  readonly policy: CreatePolicy
  readonly enabled: boolean
  readonly memoryPressure: CreateRelief | undefined
  readonly insight: CreateInsight | undefined
  readonly clock: Clock
}

const adaptive: CreatePolicy = free => new Adaptive(free)

/** @throws {InvalidOptionError} if an option is outside its bounds. */
export function settingsOf<K, V>(options: CacheOptions<K, V>): Settings<K, V> {
  const {
    maxBytes = Infinity,
    maxEntries = maxBytes === Infinity ? 256 : LARGEST_MAP,
    weigher,
    ttl = Infinity,
    idleTtl = Infinity,
    ttlJitter = 0,
    policy = adaptive,
    enabled = true,
    onRemove,
    sweepInterval = Infinity,
    memoryPressure,
    insight,
    clock = systemClock,
  } = options
  const settings = {
    maxEntries,
    maxBytes,
    weigher,
    ttl,
    idleTtl,
    ttlJitter,
    sweepInterval,
    policy,
    enabled,
    memoryPressure,
    insight,
    clock,
  }
  assertNumber('maxEntries', maxEntries, ENTRIES)
  for (const option of ['maxBytes', 'ttl', 'idleTtl', 'sweepInterval'] as const) {
    assertPositive(option, settings[option])
  }
  assertNumber('ttlJitter', ttlJitter, FRACTION)
  if (maxBytes !== Infinity) assertWeighted(weigher !== undefined)
  assertFunction('weigher', weigher)
  assertFunction('onRemove', onRemove)
  assertFunction('policy', policy, 'one of `@millrace/cache-core/policies`')
  assertFunction('memoryPressure', memoryPressure, '`memoryPressure()`')
  assertFunction('insight', insight, '`insight()`')
  return settings
}
