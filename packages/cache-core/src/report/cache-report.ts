import {
  checkMethods,
  checkNonNegative,
  checkPositiveOrInfinity,
  checkRange,
  checkText,
  InvalidOptionError,
  isError,
  type OptionRules,
  type Resolved,
  required,
  resolveOptions,
  withDefault,
} from '@millrace/kit'
import type { CacheStats } from '../cache/cache-stats.ts'

/** A cache that can be reported on: `Cache` is one. */
export interface ReportedCache {
  stats(): CacheStats
}

/** What is known of a cache besides its counters. */
export interface ReportedOptions {
  readonly cache: ReportedCache
  /** Its `maxBytes`, above 0, for the share of memory. Default: Infinity, its memory is not judged. */
  readonly maxBytes?: number | undefined
  /** Its `maxEntries`, above 0, to tell a cache that is too small from one that has room. Default: Infinity. */
  readonly maxEntries?: number | undefined
}

/** When a number is a cause for concern. */
export interface AlertThresholds {
  /** Least hit rate, 0 to 1. Default: 0.8. */
  readonly hitRate?: number | undefined
  /** Greatest share of `maxBytes` in use, 0 to 1. Default: 0.9. */
  readonly memory?: number | undefined
  /** Greatest share of reads that evict an entry, 0 to 1. Default: 0.1. */
  readonly evictions?: number | undefined
  /** Reads below which a cache is not judged, at least 0. Default: 100. */
  readonly reads?: number | undefined
}

/** The numbers of one cache. */
export interface CacheFigures {
  /** Reads since its creation or the last `resetStats`. */
  readonly reads: number
  readonly hits: number
  /** hits / reads; 0 without reads. */
  readonly hitRate: number
  readonly entries: number
  readonly bytes: number
  /** bytes / maxBytes; 0 where there is no limit. */
  readonly memory: number
  /** entries / maxEntries; 0 where there is no limit. A cache that is in use is full sooner or later: that alone is no alert. */
  readonly fill: number
  /** Evictions per read; 0 without reads. */
  readonly evictionRate: number
  /** Share of the reads that were answered with a stale value. */
  readonly staleRate: number
  /** Share of the loads that failed. */
  readonly loadFailureRate: number
  /** ms that a load takes on average. */
  readonly loadTime: number
}

/** Something that should be looked at. */
export interface Finding {
  /** Name of the cache; `undefined` if it is about all of them. */
  readonly cache: string | undefined
  readonly kind:
    | 'hitRate'
    | 'memory'
    | 'evictions'
    | 'expiry'
    | 'loadFailures'
    | 'refusals'
    | 'unused'
    | 'oversized'
    | 'unreadable'
  readonly severity: 'warning' | 'critical'
  /** What is so, with the numbers. */
  readonly finding: string
  /** What to do about it. */
  readonly recommendation: string
}

/** The state of all caches. */
export interface Report {
  readonly caches: Readonly<Record<string, CacheFigures>>
  /** Hits of all caches over reads of all caches. */
  readonly hitRate: number
  readonly bytes: number
  /** 0 to 100: the hit rate, less what memory and evictions beyond their thresholds take off. See {@link CacheReporter}. */
  readonly score: number
  /** Those findings that passed a threshold. */
  readonly alerts: readonly Finding[]
}

const THRESHOLDS: OptionRules<AlertThresholds> = {
  hitRate: withDefault(0.8, checkRange, 0, 1),
  memory: withDefault(0.9, checkRange, 0, 1),
  evictions: withDefault(0.1, checkRange, 0, 1),
  reads: withDefault(100, checkNonNegative),
}
const REPORTED: OptionRules<ReportedOptions> = {
  cache: required(checkMethods<ReportedCache>, 'a Cache', ['stats']),
  maxBytes: withDefault(Infinity, checkPositiveOrInfinity),
  maxEntries: withDefault(Infinity, checkPositiveOrInfinity),
}

/** The counters of the caches that gave them, and a finding for each other. */
interface Readings {
  readonly stats: ReadonlyMap<string, CacheStats>
  readonly unreadable: readonly Finding[]
}

/** What evictions and memory beyond their thresholds take off the score at most. */
const PENALTY = 20

/** Share of `maxEntries` from which on there is no room, and below which most of it is not needed. */
const FULL = 0.95
const ALMOST_EMPTY = 0.05

/**
 * Watches caches: their numbers, one score, alerts, and findings with a recommendation each.
 *
 * The score is 100 times the combined hit rate, less up to 20 for the share by which memory, and less up to 20 for the share by which
 * evictions, weighted by reads, pass their thresholds. It compares a system with itself.
 */
export class CacheReporter {
  readonly #caches = new Map<string, Resolved<ReportedOptions>>()
  readonly #thresholds: Resolved<AlertThresholds>

  /** @throws {InvalidOptionError} */
  constructor(thresholds: AlertThresholds = {}) {
    this.#thresholds = resolveOptions('', thresholds, THRESHOLDS)
  }

  /**
   * Watches a cache from now on; replaces one of that name. The first tier of a `TieredCache` is given as
   * `{ stats: () => cache.stats().l1 }`.
   *
   * @throws {InvalidOptionError} also where the counters are not those of a `Cache`
   */
  add(name: string, options: ReportedOptions): this {
    const resolved = resolveOptions('', options, REPORTED)
    const stats: Partial<CacheStats> | undefined = resolved.cache.stats()
    if (typeof stats?.hits !== 'number' || typeof stats.removals?.evicted !== 'number') {
      throw new InvalidOptionError('cache', 'a cache with the `stats()` of a `Cache`', stats)
    }
    this.#caches.set(checkText('name', name), resolved)
    return this
  }

  /** The numbers now; of a cache whose `stats` throws an alert in their place. O(caches). */
  report(): Report {
    return this.#reportOf(this.#read())
  }

  /** What is wrong, and what to do about it: the alerts, and what the other counters say. The worst first. */
  diagnose(): readonly Finding[] {
    const readings = this.#read()
    const { caches, alerts } = this.#reportOf(readings)
    const more = [...readings.stats].flatMap(([name, stats]) =>
      this.#symptoms(name, caches[name]!, stats),
    )
    return [...alerts, ...more].sort(
      (a, b) => Number(b.severity === 'critical') - Number(a.severity === 'critical'),
    )
  }

  #read(): Readings {
    const stats = new Map<string, CacheStats>()
    const unreadable: Finding[] = []
    for (const [name, { cache }] of this.#caches) {
      try {
        stats.set(name, cache.stats())
      } catch (error) {
        unreadable.push({
          cache: name,
          kind: 'unreadable',
          severity: 'critical',
          finding: `Its \`stats()\` throws: ${messageOf(error)}`,
          recommendation: 'Mend what it throws for; until then it is in none of the numbers',
        })
      }
    }
    return { stats, unreadable }
  }

  #reportOf({ stats, unreadable }: Readings): Report {
    const caches = new Map<string, CacheFigures>()
    for (const [name, each] of stats) {
      const { maxBytes, maxEntries } = this.#caches.get(name)!
      caches.set(name, figuresOf(each, maxBytes, maxEntries))
    }
    const all = [...caches.values()]
    const reads = sum(all, each => each.reads)
    const hitRate = reads === 0 ? 0 : sum(all, each => each.hits) / reads
    return {
      caches: Object.fromEntries(caches),
      hitRate,
      bytes: sum(all, each => each.bytes),
      score: this.#score(all, hitRate, reads),
      alerts: [
        ...unreadable,
        ...[...caches].flatMap(([name, figures]) => this.#alerts(name, figures)),
      ],
    }
  }

  #score(all: readonly CacheFigures[], hitRate: number, reads: number): number {
    const { memory, evictions } = this.#thresholds
    const beyond = (value: number, limit: number): number =>
      limit >= 1 ? 0 : Math.min(1, Math.max(0, (value - limit) / (1 - limit)))
    const worst = Math.max(0, ...all.map(each => beyond(each.memory, memory)))
    const evicted = reads === 0 ? 0 : sum(all, each => each.evictionRate * each.reads) / reads
    return Math.max(0, 100 * hitRate - PENALTY * worst - PENALTY * beyond(evicted, evictions))
  }

  #alerts(cache: string, figures: CacheFigures): Finding[] {
    const { hitRate, memory, evictions, reads } = this.#thresholds
    const found: Finding[] = []
    if (figures.memory > memory) {
      found.push({
        cache,
        kind: 'memory',
        severity: 'critical',
        finding: `It holds ${percent(figures.memory)} of its bytes, more than ${percent(memory)}`,
        recommendation:
          'Raise `maxBytes`, give large values a shorter `ttl`, or store them compressed in a second tier',
      })
    }
    if (figures.reads < reads || figures.reads === 0) return found
    if (figures.hitRate < hitRate) {
      const evicting = figures.evictionRate > evictions || figures.fill > FULL
      found.push({
        cache,
        kind: 'hitRate',
        severity: figures.hitRate < hitRate / 2 ? 'critical' : 'warning',
        finding: `${percent(figures.hitRate)} of its reads hit, fewer than ${percent(hitRate)}`,
        recommendation: evicting
          ? 'It is too small for what is read: ask `advise()` what twice the size would give'
          : 'It has room: lengthen `ttl`, use `staleWhileRevalidate`, or warm it before it is read',
      })
    }
    if (figures.evictionRate > evictions) {
      found.push({
        cache,
        kind: 'evictions',
        severity: 'warning',
        finding: `${percent(figures.evictionRate)} of its reads end in an eviction, more than ${percent(evictions)}`,
        recommendation:
          'Raise `maxEntries` or `maxBytes`, or keep scans out of it; `advise()` estimates the gain',
      })
    }
    return found
  }

  #symptoms(cache: string, figures: CacheFigures, stats: CacheStats): Finding[] {
    const { removals, refusals, insertions, staleServed } = stats
    const found: Finding[] = []
    const note = (kind: Finding['kind'], finding: string, recommendation: string): void => {
      found.push({ cache, kind, severity: 'warning', finding, recommendation })
    }
    if (figures.reads === 0 && figures.entries > 0) {
      note(
        'unused',
        `Its ${figures.entries} entries have never been read`,
        'Do not fill it before it is read, or leave it out',
      )
    }
    const judged = figures.reads >= this.#thresholds.reads
    if (judged && figures.fill > 0 && figures.fill < ALMOST_EMPTY && removals.evicted === 0) {
      note(
        'oversized',
        `It holds ${percent(figures.fill)} of the entries that it may and has evicted none`,
        'Lower `maxEntries` to what is used, so that a burst of keys cannot take the memory',
      )
    }
    if (figures.loadFailureRate > 0.01) {
      note(
        'loadFailures',
        `${percent(figures.loadFailureRate)} of its loads fail`,
        staleServed === 0
          ? 'Give it `staleIfError`, so that readers have the last value while the source is in trouble'
          : 'Look at the source; readers are given stale values meanwhile',
      )
    }
    const misses = figures.reads - figures.hits
    if (misses >= this.#thresholds.reads && removals.expired > misses / 2) {
      note(
        'expiry',
        `${removals.expired} of its entries expired for ${misses} misses`,
        'Lengthen `ttl`, or refresh before it ends with `eagerRefresh`',
      )
    }
    if (refusals > 0 && refusals > insertions / 100) {
      note(
        'refusals',
        `It refused ${refusals} values, as heavy as the cache or while memory was scarce`,
        'Raise `maxBytes`, or leave such values out',
      )
    }
    return found
  }
}

function figuresOf(stats: CacheStats, maxBytes: number, maxEntries: number): CacheFigures {
  const { hits, misses, entries, bytes, removals, loads, loadFailures, loadTime, staleServed } =
    stats
  const reads = hits + misses
  const share = (part: number, whole: number): number => (whole === 0 ? 0 : part / whole)
  return {
    reads,
    hits,
    hitRate: share(hits, reads),
    entries,
    bytes,
    memory: maxBytes === Infinity ? 0 : bytes / maxBytes,
    fill: maxEntries === Infinity ? 0 : entries / maxEntries,
    evictionRate: share(removals.evicted, reads),
    staleRate: share(staleServed, reads),
    loadFailureRate: share(loadFailures, loads + loadFailures),
    loadTime: share(loadTime, loads + loadFailures),
  }
}

/** What was thrown, be it what it may. */
function messageOf(error: unknown): string {
  try {
    return isError(error) ? error.message : String(error)
  } catch {
    return 'something without a text'
  }
}

function sum(all: readonly CacheFigures[], of: (each: CacheFigures) => number): number {
  return all.reduce((total, each) => total + of(each), 0)
}

function percent(share: number): string {
  return `${(100 * share).toFixed(1)} %`
}
