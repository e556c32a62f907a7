/**
 * An eviction policy: it orders slots, nothing else. Keys and values, expiry and limits are the
 * kernel's business.
 *
 * A slot is a small integer the kernel hands out; a policy keeps its columns (links, counters,
 * hashes) in typed arrays indexed by slot, so that neither a hit nor an insert allocates. The
 * kernel calls, in this order:
 * - on a hit: `touch`, unless the two low bits of `frequency[slot]` are both set
 * - on a new key: `exchange(hash)` where that will do; else `arrive(hash)`, then `evict` until there is room, then `insert(slot, hash)`
 * - on deletion or expiry: `remove`
 *
 * Weights are read from the kernel's column: `weights[slot]` counts from `insert` on, and `reweigh`
 * is called before it changes. Without a weigher the column is null and every entry weighs 1.
 * Entries of weight 0 are pinned and never reach a policy.
 */
export interface Policy {
  /** One of {@link PolicyName}, or one of its own: a snapshot's state is loaded into a policy of the same name. */
  readonly name: string
  /**
   * Whether `arrive` and `insert` read the hash. If not, the kernel passes 0 and saves computing
   * it.
   */
  readonly hashed: boolean
  /**
   * One byte per slot. The two low bits say how often the entry was hit since the policy last
   * looked; at 3 a hit changes nothing and is not told. The other bits are the policy's own.
   * Replaced by `grow`.
   */
  readonly frequency: Uint8Array
  /**
   * Whether the slot of a removed entry stays queued until the policy, or `compact`, puts it into
   * the list of free slots.
   */
  readonly lazy: boolean
  /**
   * True while the last `evict` wants another one to follow whether or not there is room by now.
   */
  readonly owes: boolean
  /** Records a hit on a queued slot. O(1). */
  touch(slot: number): void
  /** Announces a key that is not in the cache and is about to be inserted. O(1). */
  arrive(hash: number): void
  /** Puts a slot that is not queued into its first place. O(1). */
  insert(slot: number, hash: number): void
  /**
   * `arrive`, `evict` and `insert` in one, for a full cache in which every entry weighs 1: the new key gets the slot of the victim.
   * Amortized O(1).
   *
   * @returns that slot, or -1 if one victim may not be enough; then nothing was done
   */
  exchange(hash: number): number
  /**
   * Like `insert`, but where an entry belongs whose frequency byte was that before a restart. O(1).
   */
  restore(slot: number, hash: number, frequency: number): void
  /**
   * What was learned that the order of entries does not say, as plain data; undefined if nothing.
   * O(n).
   */
  save(): PolicyState | undefined
  /** Goes on with what `save` of a cache of perhaps another size returned. O(n). */
  load(state: PolicyState): void
  /**
   * Takes the next victim out of its queue and returns its slot, or -1 if nothing is queued.
   * Amortized O(1).
   */
  evict(): number
  /** Takes a slot out of its queue without counting it as evicted. O(1). */
  remove(slot: number): void
  /** The entry in `slot` will weigh `weight` instead of what its column says now. O(1). */
  reweigh(slot: number, weight: number): void
  /** Makes room for slots 0 to `slots - 1` and hands over the column of weights. O(n). */
  grow(slots: number, weights: Float64Array | null): void
  /**
   * Sets the number of entries, or the total weight, that the policy divides among its queues.
   * O(n).
   */
  resize(capacity: number): void
  /** Frees all slots of removed entries. O(n). */
  compact(): void
  /**
   * Queued slots, those to be evicted first coming first as far as the policy has an order. O(n).
   */
  order(): number[]
}

/**
 * Which policy decides what to evict:
 * - `adaptive`: divides the cache between recent and frequent entries by what each share would earn
 * - `lru`: the least recently used entry goes
 * - `sieve`: one queue and a hand that spares entries hit since it last passed
 * - `s3-fifo`: a small probationary queue, a main queue and a memory of what left the first too
 *   early
 * - `w-tinylfu`: a window and a segmented main queue, admission by estimated frequency
 */
export type PolicyName = 'adaptive' | 'lru' | 'sieve' | 's3-fifo' | 'w-tinylfu'

/** Value of the two low bits of a frequency byte at which a hit is not told any more. */
export const SATURATED = 3

/** What a policy learned, as plain data. */
export interface PolicyState {
  /** Share of the capacity that is window, 0 to 1. */
  readonly window: number
  /** What is known of keys, in words of 32 bits, and how they are arranged. */
  readonly words: ArrayLike<number>
  readonly lowBits: number
  /** Sights counted since all counts were halved. */
  readonly increments: number
}
