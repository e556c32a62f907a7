import { getHeapStatistics } from 'node:v8'
import { InvalidOptionError } from '../errors.ts'
import type { Kernel } from '../kernel/kernel.ts'

/** Options of {@link memoryPressure}. */
export interface MemoryPressureOptions {
  /**
   * Share of the memory from which on the cache is halved at each check, above 0 and up to 1.
   * Default 0.8.
   */
  readonly shrinkAt?: number
  /**
   * Share from which on no new keys are admitted either, at least `shrinkAt`, up to 1. Default 0.9.
   */
  readonly stopAt?: number
  /** ms between checks, > 0. Default 1,000. */
  readonly interval?: number
  /**
   * Share of the memory in use, 0 to 1. Default: the larger of V8's heap against its limit and the
   * process against the limit of its container, if it has one.
   */
  readonly usage?: () => number
}

/**
 * - `normal`: the cache has its limits back
 * - `shrinking`: it was halved
 * - `full`: it was halved and admits no new keys
 */
export type Pressure = 'normal' | 'shrinking' | 'full'

/** Makes a cache give way when memory gets scarce; called with what is under it. */
export type CreateRelief = (kernel: Kernel<unknown, unknown>) => PressureRelief

/**
 * Makes a cache halve itself at each check while memory is scarce, admit no new keys if that does not help, and get its limits
 * back afterwards: `new Cache({ memoryPressure: memoryPressure() })`.
 *
 * @throws {InvalidOptionError}
 */
export function memoryPressure({
  shrinkAt = 0.8,
  stopAt = 0.9,
  interval = 1_000,
  usage = memoryUsage,
}: MemoryPressureOptions = {}): CreateRelief {
  if (!(shrinkAt > 0 && shrinkAt <= 1)) {
    throw new InvalidOptionError(
      'memoryPressure.shrinkAt',
      'a number above 0 and up to 1',
      shrinkAt,
    )
  }
  if (!(stopAt >= shrinkAt && stopAt <= 1)) {
    throw new InvalidOptionError('memoryPressure.stopAt', 'a number from `shrinkAt` to 1', stopAt)
  }
  if (!(interval > 0)) {
    throw new InvalidOptionError('memoryPressure.interval', 'a number > 0', interval)
  }
  if (typeof usage !== 'function') {
    throw new InvalidOptionError('memoryPressure.usage', 'a function', usage)
  }
  return kernel => new PressureRelief(kernel, { shrinkAt, stopAt, interval, usage })
}

/** What a share of memory in use means for a cache. */
function pressureOf({ shrinkAt, stopAt, usage }: Required<MemoryPressureOptions>): Pressure {
  const share = usage()
  if (share >= stopAt) return 'full'
  return share >= shrinkAt ? 'shrinking' : 'normal'
}

function memoryUsage(): number {
  const { used_heap_size, heap_size_limit } = getHeapStatistics()
  const container = process.constrainedMemory()
  // Without a limit the kernel reports 0 or more than any machine has.
  const resident = container > 0 && container < 2 ** 50 ? process.memoryUsage.rss() / container : 0
  return Math.max(used_heap_size / heap_size_limit, resident)
}

/**
 * Halves a cache while memory is scarce, closes it to new keys if that does not help, and gives its
 * limits back afterwards.
 */
export class PressureRelief {
  readonly #kernel: Kernel<unknown, unknown>
  readonly #options: Required<MemoryPressureOptions>
  /** ms between checks. */
  readonly interval: number
  /** Limits of the cache when memory is not scarce. */
  entries: number
  weight: number
  pressure: Pressure = 'normal'

  constructor(kernel: Kernel<unknown, unknown>, options: Required<MemoryPressureOptions>) {
    this.#kernel = kernel
    this.#options = options
    this.interval = options.interval
    this.entries = kernel.maxEntries
    this.weight = kernel.maxWeight
  }

  /** The user wants these limits; they hold from the next check on where memory is scarce now. */
  relimit(entries: number, weight: number): void {
    this.entries = entries
    this.weight = weight
    if (this.pressure === 'normal') this.#kernel.resize(entries, weight)
  }

  /** O(1), O(n) where the cache is halved. */
  check(): void {
    const kernel = this.#kernel
    const before = this.pressure
    this.pressure = pressureOf(this.#options)
    kernel.full = this.pressure === 'full'
    if (this.pressure !== 'normal') {
      const weight = kernel.maxWeight === Infinity ? Infinity : Math.max(1, kernel.weight / 2)
      kernel.resize(Math.max(1, kernel.size >> 1), weight)
    } else if (before !== 'normal') {
      kernel.resize(this.entries, this.weight)
    }
  }
}
