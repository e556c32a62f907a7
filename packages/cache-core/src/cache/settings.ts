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
} from '@millrace/kit'
import type { CreateInsight } from '../advise/insight.ts'
import { LARGEST_MAP } from '../key/key-index.ts'
import {
  type Check,
  LOAD_CHECKS,
  type LoadPlan,
  planLoads,
  withDefaults,
} from '../load/load-options.ts'
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

const adaptive: CreatePolicy = free => new Adaptive(free)

/** Every option of a cache with its check. */
export const CACHE_CHECKS: Readonly<Record<keyof CacheOptions<unknown, unknown>, Check>> = {
  ...LOAD_CHECKS,
  maxEntries: checkEntries,
  maxBytes: checkPositiveOrInfinity,
  weigher: checkFunction,
  idleTtl: checkPositiveOrInfinity,
  ttlJitter: (option, value) => checkRange(option, value, 0, 1),
  sweepInterval: checkPositiveOrInfinity,
  policy: checkPolicy,
  enabled: checkBoolean,
  onRemove: checkFunction,
  memoryPressure: (option, value) => checkFunction(option, value, '`memoryPressure()`'),
  insight: (option, value) => checkFunction(option, value, '`insight()`'),
  clock: (option, value) => checkMethods(option, value, 'a Clock', ['now', 'setTimer']),
}

/** @throws {InvalidOptionError} if an option is outside its bounds or unknown. */
export function settingsOf<K, V>(options: CacheOptions<K, V>): Settings<K, V> {
  checkOptions('', options as CacheOptions<unknown, unknown>, CACHE_CHECKS)
  const { maxBytes = Infinity, weigher } = options
  const defaults: Settings<K, V> = {
    maxEntries: maxBytes === Infinity ? 256 : LARGEST_MAP,
    maxBytes,
    weigher,
    ttl: Infinity,
    idleTtl: Infinity,
    ttlJitter: 0,
    sweepInterval: Infinity,
    policy: adaptive,
    enabled: true,
    onRemove: undefined,
    memoryPressure: undefined,
    insight: undefined,
    clock: monotonicClock,
    loads: planLoads(options),
  }
  const settings = withDefaults(options, defaults, CACHE_CHECKS)
  if (maxBytes !== Infinity) checkWeighted(weigher !== undefined)
  return settings
}

/** What it makes is looked at when it is made. */
function checkPolicy(option: string, create: CreatePolicy): CreatePolicy {
  const expected = 'one of `@millrace/cache-core/policies`'
  checkFunction(option, create, expected)
  return free => checkMethods(option, create(free), expected, ['evict', 'exchange'])
}

/** @throws {InvalidOptionError} */
export function checkEntries(option: string, maxEntries: unknown): number {
  return checkInteger(option, maxEntries, 1, LARGEST_MAP)
}

/** @throws {InvalidOptionError} */
export function checkWeighted(weighted: boolean): void {
  if (weighted) return
  throw new InvalidOptionError('weigher', 'a function, as `maxBytes` is given', undefined)
}
