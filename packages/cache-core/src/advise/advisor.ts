import { checkShare } from '@millrace/kit'
import { ABSENT, Kernel } from '../kernel/kernel.ts'
import type { KeyHasher } from '../key/key-hasher.ts'
import { LARGEST_MAP } from '../key/key-index.ts'
import { type CreatePolicy, policies } from '../policy/policies.ts'

/** What another configuration would give. */
export interface Estimate {
  /** Name of the policy. */
  readonly policy: string
  /** Capacity as a multiple of the present one. */
  readonly size: number
  /** Estimated share of reads that would hit. */
  readonly hitRate: number
  /** The same less the estimate for the present configuration. */
  readonly change: number
}

/** The result of `advise()`. */
export interface Advice {
  /** Share of the keys that was watched. */
  readonly sample: number
  /** Reads of watched keys so far; below some thousands the estimates are guesses. */
  readonly reads: number
  /** The real share of hits since the last `resetStats`. */
  readonly hitRate: number
  /**
   * Share of the removals that were expiries, the part of the misses that no size or policy avoids.
   */
  readonly expired: number
  /** The present configuration first, then half and twice the size, then the other policies. */
  readonly estimates: readonly Estimate[]
}

/** How `advise()` estimates. */
export interface AdviceOptions {
  /**
   * Share of the keys that is watched, above 0 and up to 1. Default: what makes simulated caches of
   * 256 entries, at least 1/64; 1/16 if only `maxBytes` limits the cache, as its number of entries
   * is not known then
   */
  readonly sample?: number | undefined
}

/** Entries a simulated cache has at least: smaller ones say too little. */
const FEWEST_ENTRIES = 256
const SMALLEST_SAMPLE = 1 / 64
const UNKNOWN_SIZE_SAMPLE = 1 / 16
const SIZES = [0.5, 2]

/** What is simulated: what matters of the inside of a cache. */
export interface Simulated {
  readonly index: { readonly hasher: KeyHasher }
  readonly maxEntries: number
  readonly maxWeight: number
  /** Null if every entry weighs 1. */
  readonly weights: Float64Array | null
}

interface Simulation<K> {
  readonly policy: string
  readonly size: number
  readonly kernel: Kernel<K, true>
}

/**
 * Simulates the cache with other sizes and policies on a sample of the keys, each simulation as
 * much smaller as the sample is: what holds for a random share of the keys holds for all (C.
 * Waldspurger et al., "Cache Modeling and Optimization using Miniature Simulations", USENIX ATC
 * 2017; the correction for popular keys is that of SHARDS, USENIX FAST 2015).
 *
 * Costs seven caches of keys alone, of at least 256 entries or 1/64 of the real one, and for each
 * read of a watched key seven reads.
 */
export class Advisor<K> {
  readonly sample: number
  /** Reads of watched keys. */
  reads = 0
  /** Reads of all keys. */
  #all = 0
  readonly #hasher: KeyHasher
  readonly #threshold: number
  readonly #simulations: Simulation<K>[]

  /** @throws {InvalidOptionError} */
  constructor(
    { index, maxEntries, maxWeight, weights }: Simulated,
    policy: CreatePolicy,
    { sample = defaultSample(maxEntries) }: AdviceOptions = {},
  ) {
    checkShare('advice.sample', sample)
    this.#hasher = index.hasher
    this.sample = sample
    this.#threshold = sample * 2 ** 32
    const simulate = (create: CreatePolicy, size: number): Simulation<K> => {
      const kernel = new Kernel<K, true>({
        policy: create,
        maxEntries: Math.max(1, Math.round(maxEntries * size * sample)),
        maxWeight: maxWeight * size * sample,
        weighted: weights !== null,
        clock: { now: () => 0 },
      })
      return { policy: kernel.policy.name, size, kernel }
    }
    const present = simulate(policy, 1)
    const others = Object.values(policies).map(create => simulate(create, 1))
    this.#simulations = [
      present,
      ...SIZES.map(size => simulate(policy, size)),
      ...others.filter(other => other.policy !== present.policy),
    ]
  }

  read(key: K, weight: number | undefined): void {
    this.#all++
    if (!this.#watches(key)) return
    this.reads++
    for (const { kernel } of this.#simulations) {
      if (kernel.find(key) === ABSENT && weight !== undefined) kernel.store(key, true, weight)
    }
  }

  stored(key: K, weight: number): void {
    if (!this.#watches(key)) return
    for (const { kernel } of this.#simulations) {
      if (kernel.locate(key) === ABSENT) kernel.store(key, true, weight)
    }
  }

  removed(key: K): void {
    if (!this.#watches(key)) return
    for (const { kernel } of this.#simulations) kernel.remove(key, 'deleted')
  }

  clear(): void {
    for (const { kernel } of this.#simulations) kernel.clear('cleared')
  }

  estimates(): Estimate[] {
    // Whether a few very popular keys are in the sample is chance; reads that are missing from
    // their share were hits of those.
    const expected = this.#all * this.sample
    const rate = ({ kernel }: Simulation<K>): number =>
      Math.min(1, Math.max(0, 1 - kernel.misses / Math.max(1, expected)))
    const present = rate(this.#simulations[0]!)
    return this.#simulations.map(simulation => ({
      policy: simulation.policy,
      size: simulation.size,
      hitRate: rate(simulation),
      change: rate(simulation) - present,
    }))
  }

  /**
   * Other bits of the hash than the policies place keys by, so that the sample is as varied as the
   * whole.
   */
  #watches(key: K): boolean {
    return Math.imul(this.#hasher.hash(key), 0x2c1b3c6d) >>> 0 < this.#threshold
  }
}

function defaultSample(maxEntries: number): number {
  if (maxEntries === LARGEST_MAP) return UNKNOWN_SIZE_SAMPLE
  return Math.min(1, Math.max(SMALLEST_SAMPLE, FEWEST_ENTRIES / maxEntries))
}
