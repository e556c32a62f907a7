import {
  checkFunction,
  checkPositiveOrInfinity,
  checkRange,
  checkShare,
  type OptionRules,
  type Resolved,
  resolveOptions,
  withDefault,
} from '@millrace/kit'
import { tellListener } from '../tell-listener.ts'
import { heapShare } from './heap-share.ts'

/** Options of {@link memoryPressure}. */
export interface MemoryPressureOptions {
  /**
   * Share of the memory from which on the cache gives up a quarter of what it holds at a check, and half at each further one, above 0 and up to 1.
   * Default: 0.8
   */
  readonly shrinkAt?: number | undefined
  /**
   * Share from which on it is halved at each check and admits no new keys either, at least `shrinkAt`, up to 1. Default: 0.9
   */
  readonly stopAt?: number | undefined
  /** ms between checks, > 0: what is stored between two must fit into what `stopAt` leaves. Default: 100 */
  readonly interval?: number | undefined
  /**
   * Share of the memory in use, 0 to 1. Default: the larger of V8's old generation against its limit and the
   * process against the limit of its container, if it has one. While it throws nothing changes, and each check is a warning of the process
   */
  readonly usage?: (() => number) | undefined
}

/**
 * - `normal`: the cache has its limits back
 * - `shrinking`: it gave up a part
 * - `full`: it was halved and admits no new keys
 */
type Pressure = 'normal' | 'shrinking' | 'full'

/** What gives way: the inside of a cache. */
export interface MemoryPressureTarget {
  readonly maxEntries: number
  readonly maxWeight: number
  readonly size: number
  readonly weight: number
  /** While true no new keys are admitted. */
  full: boolean
  resize(maxEntries: number, maxWeight: number): void
}

/** Makes a cache give way when memory gets scarce: the result of {@link memoryPressure}. */
export type MemoryPressureFactory = (target: MemoryPressureTarget) => MemoryPressureControl

/** Holds a cache within what memory allows. */
export interface MemoryPressureControl {
  /** ms between checks. */
  readonly interval: number
  /** Limits of the cache when memory is not scarce. */
  readonly entries: number
  readonly weight: number
  /** The user wants these limits; they hold from the next check on where memory is scarce now. */
  relimit(entries: number, weight: number): void
  check(): void
}

type Settings = Resolved<MemoryPressureOptions>

/**
 * Part that is given up at the first check that finds memory scarce, and at each further one. Less would keep more, but stay so near to the
 * limit that a heap runs out of memory before it has been collected. Benchmark case: tiers "under memory pressure".
 */
const FIRST_PART = 1 / 4
const FURTHER_PART = 1 / 2

const OPTIONS: OptionRules<MemoryPressureOptions> = {
  shrinkAt: withDefault(0.8, checkShare),
  stopAt: withDefault(0.9, checkShare),
  interval: withDefault(100, checkPositiveOrInfinity),
  usage: (option, usage = memoryUsage()) => checkFunction(option, usage as () => number),
}

/**
 * Makes a cache give up more and more at each check while memory is scarce, admit no new keys if that does not help, and get its limits
 * back afterwards: `new Cache({ memoryPressure: memoryPressure() })`.
 *
 * @throws {InvalidOptionError}
 */
export function memoryPressure(options: MemoryPressureOptions = {}): MemoryPressureFactory {
  const settings = resolveOptions('memoryPressure', options, OPTIONS)
  checkRange('memoryPressure.stopAt', settings.stopAt, settings.shrinkAt, 1)
  return target => new PressureRelief(target, settings)
}

/** What a share of memory in use means for a cache. */
function pressureOf({ shrinkAt, stopAt, usage }: Settings): Pressure {
  const share = usage()
  if (share >= stopAt) return 'full'
  return share >= shrinkAt ? 'shrinking' : 'normal'
}

/** The container's limit is asked for once, as that reads files, and does not change while a process runs. */
function memoryUsage(): () => number {
  const container = process.constrainedMemory()
  // Without a limit the kernel reports 0 or more than any machine has.
  if (!(container > 0 && container < 2 ** 50)) return heapShare
  return () => Math.max(heapShare(), process.memoryUsage.rss() / container)
}

/**
 * Takes more and more from a cache while memory is scarce, closes it to new keys if that does not help, and gives its limits back
 * afterwards. A quarter at first, as what it has forgotten it has to load again.
 */
class PressureRelief implements MemoryPressureControl {
  readonly #target: MemoryPressureTarget
  readonly #settings: Settings
  readonly interval: number
  entries: number
  weight: number
  pressure: Pressure = 'normal'

  constructor(target: MemoryPressureTarget, settings: Settings) {
    this.#target = target
    this.#settings = settings
    this.interval = settings.interval
    this.entries = target.maxEntries
    this.weight = target.maxWeight
  }

  relimit(entries: number, weight: number): void {
    this.entries = entries
    this.weight = weight
    if (this.pressure === 'normal') this.#target.resize(entries, weight)
  }

  /** O(1), O(n) where the cache shrinks. */
  check(): void {
    const target = this.#target
    const before = this.pressure
    const failure = tellListener('usage', () => {
      this.pressure = pressureOf(this.#settings)
    })
    if (failure !== undefined) return
    target.full = this.pressure === 'full'
    if (this.pressure !== 'normal') {
      const left = 1 - (before === 'normal' && !target.full ? FIRST_PART : FURTHER_PART)
      const weight = target.maxWeight === Infinity ? Infinity : Math.max(1, target.weight * left)
      target.resize(Math.max(1, Math.floor(target.size * left)), weight)
    } else if (before !== 'normal') {
      target.resize(this.entries, this.weight)
    }
  }
}
