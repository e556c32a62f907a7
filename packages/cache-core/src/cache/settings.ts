import {
  type Clock,
  checkBoolean,
  checkFunction,
  checkInteger,
  checkMethods,
  checkOptions,
  checkPositiveOrInfinity,
  checkRange,
  InvalidOptionError,
  monotonicClock,
  type OptionNames,
} from '@millrace/kit'
import type { CreateInsight } from '../advise/insight.ts'
import { LARGEST_MAP } from '../key/key-index.ts'
import { LOAD_BEHAVIOR, type LoadPlan, planLoads } from '../load/load-options.ts'
import { Adaptive } from '../policy/adaptive.ts'
import type { CreatePolicy } from '../policy/policies.ts'
import type { MemoryPressureFactory } from '../size/memory-pressure.ts'
import type { CacheOptions } from './cache-options.ts'

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
  readonly onRemove: CacheOptions<K, V>['onRemove']
  readonly memoryPressure: MemoryPressureFactory | undefined
  readonly insight: CreateInsight | undefined
  readonly clock: Clock
  readonly loads: LoadPlan
}

const NAMES: OptionNames<CacheOptions<unknown, unknown>> = {
  ...LOAD_BEHAVIOR,
  maxEntries: true,
  maxBytes: true,
  weigher: true,
  ttl: true,
  idleTtl: true,
  ttlJitter: true,
  sweepInterval: true,
  policy: true,
  enabled: true,
  onRemove: true,
  memoryPressure: true,
  insight: true,
  clock: true,
}

const adaptive: CreatePolicy = free => new Adaptive(free)

/** @throws {InvalidOptionError} if an option is outside its bounds or unknown. */
export function settingsOf<K, V>(options: CacheOptions<K, V>): Settings<K, V> {
  checkOptions<CacheOptions<never, never>>('', options as CacheOptions<never, never>, NAMES)
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
    clock = monotonicClock,
  } = options
  checkEntries(maxEntries)
  checkPositiveOrInfinity('maxBytes', maxBytes)
  checkPositiveOrInfinity('ttl', ttl)
  checkPositiveOrInfinity('idleTtl', idleTtl)
  checkPositiveOrInfinity('sweepInterval', sweepInterval)
  checkRange('ttlJitter', ttlJitter, 0, 1)
  checkBoolean('enabled', enabled)
  if (maxBytes !== Infinity) checkWeighted(weigher !== undefined)
  checkOptionalFunction('weigher', weigher)
  checkOptionalFunction('onRemove', onRemove)
  checkFunction('policy', policy, 'one of `@millrace/cache-core/policies`')
  checkOptionalFunction('memoryPressure', memoryPressure, '`memoryPressure()`')
  checkOptionalFunction('insight', insight, '`insight()`')
  checkMethods('clock', clock, 'a Clock', ['now', 'setTimer'])
  return {
    maxEntries,
    maxBytes,
    weigher,
    ttl,
    idleTtl,
    ttlJitter,
    sweepInterval,
    policy,
    enabled,
    onRemove,
    memoryPressure,
    insight,
    clock,
    loads: planLoads(options),
  }
}

/** @throws {InvalidOptionError} */
export function checkEntries(maxEntries: unknown): void {
  checkInteger('maxEntries', maxEntries, 1, LARGEST_MAP)
}

/** @throws {InvalidOptionError} */
export function checkWeighted(weighted: boolean): void {
  if (weighted) return
  throw new InvalidOptionError('weigher', 'a function, as `maxBytes` is given', undefined)
}

function checkOptionalFunction(option: string, value: unknown, expected?: string): void {
  if (value !== undefined) checkFunction(option, value, expected)
}
