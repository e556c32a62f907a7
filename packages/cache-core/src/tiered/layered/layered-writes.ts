import type { Fence, StoreItem } from '../../store/contract/store.ts'
import type { RecoveryQueue } from '../recovery/recovery-queue.ts'
import type { BoundedStore } from '../store/bounded-store.ts'

/** One fence for both; that of a store which did not answer is missing, and nothing is written there. */
export interface LayeredFence extends Fence {
  readonly near: Fence | undefined
  readonly far: Fence | undefined
}

const NO_FENCES: Partial<LayeredFence> = {}

/** The fence of both, from those of either. */
export function joined(near: Fence | undefined, far: Fence | undefined): LayeredFence {
  const { epoch, at } = (far ?? near)!
  return { epoch, at, near, far }
}

/** What is written to `far`, under the fence of that. */
export function farItem<V>(item: StoreItem<V>): StoreItem<V> {
  return { ...item, fence: fencesOf(item).far }
}

/** Whether a value may be written to `far`: without a fence, or under one that `far` gave. */
export function isForFar<V>(item: StoreItem<V>): boolean {
  return item.fence === undefined || fencesOf(item).far !== undefined
}

function fencesOf<V>({ fence }: StoreItem<V>): Partial<LayeredFence> {
  return (fence as LayeredFence | undefined) ?? NO_FENCES
}

/** Where loaded values are written to. */
export interface Layers<V> {
  readonly near: BoundedStore<V>
  readonly far: BoundedStore<V>
  /** ms for which `near` keeps a value at most. */
  readonly nearTtl: number
  /** What `near` has still to be told of. */
  readonly missed: RecoveryQueue
}

/**
 * Stores what loads made, each value under its fences: first in `far`, then in `near` what that did not refuse. Whether each is stored.
 * Rejects if neither store could be asked.
 */
export async function writeLoaded<V>(
  { near, far, nearTtl, missed }: Layers<V>,
  items: readonly StoreItem<V>[],
): Promise<boolean[]> {
  const verdicts = new Map<StoreItem<V>, boolean>()
  const write = async (
    store: BoundedStore<V>,
    chosen: readonly StoreItem<V>[],
    toItem: (item: StoreItem<V>) => StoreItem<V>,
  ): Promise<unknown> => {
    if (chosen.length === 0) return undefined
    try {
      const stored = await store.call(inner => inner.setMany(chosen.map(toItem)))
      for (const [index, item] of chosen.entries()) {
        verdicts.set(item, stored[index]! || verdicts.get(item) === true)
      }
      return undefined
    } catch (error) {
      return error
    }
  }
  const forFar = items.filter(item => fencesOf(item).far !== undefined)
  const failed = await write(far, forFar, farItem)
  const forNear = items.filter(
    item =>
      verdicts.get(item) !== false &&
      fencesOf(item).near !== undefined &&
      // It would be there for a moment only.
      missed.verdict(item.key, item.tags ?? []) === undefined,
  )
  const failedNear = await write(near, forNear, item => ({
    ...item,
    ttl: Math.min(item.ttl ?? Infinity, nearTtl),
    fence: fencesOf(item).near,
  }))
  if (verdicts.size === 0 && (failed ?? failedNear) !== undefined) throw failed ?? failedNear
  return items.map(item => verdicts.get(item) ?? false)
}
