import type { LoadPlan } from '../../load/load-options.ts'
import { Loaded } from '../../load/loaded.ts'

/** A loaded value on its way to the second tier. */
export interface TierWrite<V> {
  readonly key: string
  readonly value: V
  readonly ttl: number
  readonly retention: number
  readonly tags: readonly string[]
  readonly store: boolean
}

/** What the loader's result and the call's options come to. */
export function toWrite<V>(key: string, item: V | Loaded<V>, plan: LoadPlan): TierWrite<V> {
  const own = item instanceof Loaded ? item : undefined
  const value = own === undefined ? (item as V) : own.value
  const ttl = own?.ttl ?? (value === null ? plan.negativeTtl : undefined) ?? plan.ttl ?? Infinity
  const retention = Math.max(plan.staleWhileRevalidate, plan.staleIfError)
  return { key, value, ttl, retention, tags: own?.tags ?? plan.tags, store: own?.store ?? true }
}
