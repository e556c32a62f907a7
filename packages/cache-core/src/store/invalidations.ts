import type { Fence } from './contract/store.ts'

/** What an invalidation concerns. */
export type Scope = 'key' | 'tag' | 'all'

/** Versions of the last `delete` and the last `expire` of one key or tag. */
interface Barrier {
  deleted: number
  expired: number
}

/** What an invalidation is compared with: a value, by the epoch at which its load began. */
export interface Versioned {
  readonly version: number
  readonly tags: readonly string[]
}

/** How many keys' barriers are remembered by name; those that fall out outdate every older fence. */
const REMEMBERED_KEYS = 65_536

/**
 * All invalidations of a store as integer versions. A value is gone or stale if something that concerns it has a greater
 * version than the value's own. O(1) per operation, O(tags) per check.
 */
export class Invalidations {
  /** Version of the latest invalidation. */
  epoch = 0
  #all: Barrier = { deleted: 0, expired: 0 }
  readonly #tags = new Map<string, Barrier>()
  /** Oldest first. */
  readonly #keys = new Map<string, Barrier>()
  /** Fences before this may have missed an invalidation that is no longer remembered by name. */
  #horizon = 0

  /** How many tags have been invalidated since the last {@link forgetNames}. */
  get tags(): number {
    return this.#tags.size
  }

  /**
   * Begins anew at `epoch`, with no names and all fences outdated.
   *
   * @param origin what is older is gone, as its invalidations may be lost
   */
  begin(epoch: number, origin: number): void {
    this.epoch = epoch
    this.#all = { deleted: origin, expired: 0 }
    this.forgetNames()
  }

  /** Notes an invalidation; `version` must be greater than any before. `name` is ignored for `all`. */
  note(scope: Scope, name: string, expire: boolean, version: number): void {
    this.epoch = version
    const field = expire ? 'expired' : 'deleted'
    if (scope === 'all') {
      this.#all[field] = version
      return
    }
    const barriers = scope === 'tag' ? this.#tags : this.#keys
    const barrier = barriers.get(name) ?? { deleted: 0, expired: 0 }
    barrier[field] = version
    if (scope === 'key') barriers.delete(name)
    barriers.set(name, barrier)
    if (this.#keys.size > REMEMBERED_KEYS) this.#forgetOldestKey()
  }

  /** Whether a value under `key` may be stored with this fence: nothing that concerns it was invalidated since. */
  admits({ epoch }: Fence, key: string, tags: readonly string[]): boolean {
    if (epoch < this.#horizon || epoch < latest(this.#all)) return false
    // From a time that is lost.
    if (epoch > this.epoch) return false
    if (epoch < latest(this.#keys.get(key))) return false
    return tags.every(tag => epoch >= latest(this.#tags.get(tag)))
  }

  /** Whether a delete of its key, of one of its tags or of everything came after the value, or the value is from a time that is lost. */
  isDeleted(key: string, { version, tags }: Versioned): boolean {
    if (this.#all.deleted > version || version > this.epoch) return true
    if ((this.#keys.get(key)?.deleted ?? 0) > version) return true
    return tags.some(tag => (this.#tags.get(tag)?.deleted ?? 0) > version)
  }

  /** Whether its key was deleted or written by name after a value of this version. */
  isKeyDeleted(key: string, version: number): boolean {
    return (this.#keys.get(key)?.deleted ?? 0) > version
  }

  /** Whether an expiry of its key, of one of its tags or of everything came after the value. */
  isExpired(key: string, { version, tags }: Versioned): boolean {
    if (this.#all.expired > version) return true
    if ((this.#keys.get(key)?.expired ?? 0) > version) return true
    return tags.some(tag => (this.#tags.get(tag)?.expired ?? 0) > version)
  }

  /**
   * Forgets all names, once no stored value is concerned by them any more: the caller has visited them all. Fences taken
   * before are outdated.
   */
  forgetNames(): void {
    this.#tags.clear()
    this.#keys.clear()
    this.#horizon = this.epoch
  }

  #forgetOldestKey(): void {
    const [oldest] = this.#keys
    if (oldest === undefined) return
    this.#keys.delete(oldest[0])
    this.#horizon = Math.max(this.#horizon, latest(oldest[1]))
  }
}

function latest(barrier: Barrier | undefined): number {
  return barrier === undefined ? 0 : Math.max(barrier.deleted, barrier.expired)
}
