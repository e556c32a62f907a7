/**
 * An eviction policy: it orders slots, nothing else. Keys and values, expiry and limits are the kernel's business.
 *
 * A slot is a small integer the kernel hands out; a policy keeps its columns (links, counters, hashes) in typed
 * arrays indexed by slot, so that neither a hit nor an insert allocates. The kernel calls, in this order:
 * - on a hit: `touch`, only while `frequency[slot] < saturation`
 * - on a new key: `arrive(hash)`, then `evict` as often as room is needed, then `insert(slot, hash, weight)`
 * - on deletion or expiry: `remove`
 */
export interface Policy {
  readonly name: PolicyName
  /** Whether `arrive` and `insert` read the hash. If not the kernel passes 0 and saves computing it. */
  readonly hashed: boolean
  /** One byte per slot that only hits and the policy's own moves change. Replaced by `grow`. */
  readonly frequency: Uint8Array
  /** Value of `frequency` from which on a hit changes nothing, so that the kernel need not call `touch`. */
  readonly saturation: number
  /** Number of slots queued. */
  readonly size: number
  /** Records a hit on a queued slot. O(1). */
  touch(slot: number): void
  /** Announces a key that is not in the cache and is about to be inserted. O(1). */
  arrive(hash: number): void
  /** Puts a slot that is not queued into its first place. O(1). */
  insert(slot: number, hash: number, weight: number): void
  /** Takes the next victim out of its queue and returns its slot, or -1 if there is none. Amortized O(1). */
  evict(): number
  /** Takes a slot out of its queue without counting it as evicted. O(1). */
  remove(slot: number): void
  /** The entry in `slot` weighs differently now. O(1). */
  reweigh(slot: number, weight: number): void
  /** Makes room for slots 0 to `slots - 1`. O(n). */
  grow(slots: number): void
  /** Sets the total weight (or number of entries) the policy divides among its queues. */
  resize(capacity: number): void
  /** Forgets every slot and everything learned. */
  clear(): void
  /** Queued slots, those to be evicted first coming first as far as the policy has an order. O(n). */
  order(): number[]
}

/**
 * Which policy decides what to evict:
 * - `adaptive`: divides the cache between recent and frequent entries by what each share would earn
 * - `lru`: the least recently used entry goes
 * - `sieve`: one queue and a hand that spares entries hit since it last passed
 * - `s3-fifo`: a small probationary queue, a main queue and a memory of what left the first too early
 * - `w-tinylfu`: a window and a segmented main queue, admission by estimated frequency
 */
export type PolicyName = 'adaptive' | 'lru' | 'sieve' | 's3-fifo' | 'w-tinylfu'
