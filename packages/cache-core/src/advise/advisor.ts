import type { KeyHasher } from '../hash.ts'
import { ABSENT, Kernel } from '../kernel.ts'
import { createPolicy } from '../policy/create-policy.ts'
import type { PolicyName } from '../policy/policy.ts'

/** What another configuration would give. */
export interface Estimate {
  readonly policy: PolicyName
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
  /** Share of the removals that were expiries, the part of the misses that no size or policy avoids. */
  readonly expired: number
  /** The present configuration first, then half and twice the size, then the other policies. */
  readonly estimates: readonly Estimate[]
}

/** Entries a simulated cache has at least: smaller ones say too little. */
const FEWEST_ENTRIES = 256
const SMALLEST_SAMPLE = 1 / 64
const SIZES = [0.5, 2]
const POLICIES: readonly PolicyName[] = ['adaptive', 'lru', 'sieve', 's3-fifo', 'w-tinylfu']

interface Simulation<K> {
  readonly policy: PolicyName
  readonly size: number
  readonly kernel: Kernel<K, true>
}

/**
 * Simulates the cache with other sizes and policies on a sample of the keys, each simulation as much smaller as the sample is: what holds for
 * a random share of the keys holds for all (C. Waldspurger et al., "Cache Modeling and Optimization using Miniature
 * Simulations", USENIX ATC 2017).
 *
 * Costs seven caches of keys alone, of at least 256 entries or 1/64 of the real one, and for each read of a watched key seven
 * reads.
 */
export class Advisor<K> {
  readonly sample: number
  reads = 0
  readonly #hasher: KeyHasher
  readonly #threshold: number
  readonly #simulations: Simulation<K>[]

  constructor(
    hasher: KeyHasher,
    policy: PolicyName,
    maxEntries: number,
    maxWeight: number,
    weighted: boolean,
  ) {
    this.#hasher = hasher
    this.sample = Math.min(1, Math.max(SMALLEST_SAMPLE, FEWEST_ENTRIES / maxEntries))
    this.#threshold = this.sample * 2 ** 32
    const simulate = (name: PolicyName, size: number): Simulation<K> => ({
      policy: name,
      size,
      kernel: new Kernel<K, true>(
        free => createPolicy(name, free),
        Math.max(1, Math.round(maxEntries * size * this.sample)),
        maxWeight * size * this.sample,
        weighted,
        0,
        { now: () => 0 },
      ),
    })
    this.#simulations = [
      simulate(policy, 1),
      ...SIZES.map(size => simulate(policy, size)),
      ...POLICIES.filter(name => name !== policy).map(name => simulate(name, 1)),
    ]
  }

  read(key: K, weight: number | undefined): void {
    if (!this.#watches(key)) return
    this.reads++
    for (const { kernel } of this.#simulations) {
      if (kernel.find(key) === ABSENT && weight !== undefined)
        kernel.store(key, true, Infinity, Infinity, weight)
    }
  }

  stored(key: K, weight: number): void {
    if (!this.#watches(key)) return
    for (const { kernel } of this.#simulations) {
      if (kernel.locate(key) === ABSENT) kernel.store(key, true, Infinity, Infinity, weight)
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
    const rate = ({ kernel }: Simulation<K>): number =>
      kernel.hits / Math.max(1, kernel.hits + kernel.misses)
    const present = rate(this.#simulations[0]!)
    return this.#simulations.map(simulation => ({
      policy: simulation.policy,
      size: simulation.size,
      hitRate: rate(simulation),
      change: rate(simulation) - present,
    }))
  }

  /** Other bits of the hash than the policies place keys by, so that the sample is as varied as the whole. */
  #watches(key: K): boolean {
    return Math.imul(this.#hasher.hash(key), 0x2c1b3c6d) >>> 0 < this.#threshold
  }
}
