import { type Clock, checkPositiveOrInfinity, type Timer } from '@millrace/kit'
import type { Kernel } from '../kernel/kernel.ts'
import type { MemoryPressureControl, MemoryPressureFactory } from '../size/memory-pressure.ts'
import { repeat } from '../size/repeat.ts'
import { checkEntries, checkWeighted } from './settings.ts'

/** When a cache is maintained. */
export interface MaintenanceOptions {
  readonly clock: Clock
  /** ms between removals of expired entries; Infinity = never. */
  readonly sweepInterval: number
  readonly memoryPressure: MemoryPressureFactory | undefined
}

/** Keeps a cache within its limits: the timers that sweep it and watch the memory, and `resize`. */
export class Maintenance {
  readonly #kernel: Kernel<unknown, unknown>
  readonly #pressure: MemoryPressureControl | undefined
  readonly #timers: Timer[] = []

  constructor(kernel: Kernel<unknown, unknown>, options: MaintenanceOptions) {
    const { clock, sweepInterval, memoryPressure } = options
    this.#kernel = kernel
    this.#pressure = memoryPressure?.(kernel)
    if (sweepInterval !== Infinity) this.#timers.push(repeat(clock, sweepInterval, kernel, purge))
    if (this.#pressure !== undefined) {
      this.#timers.push(repeat(clock, this.#pressure.interval, this.#pressure, check))
    }
  }

  /** @throws {InvalidOptionError} if a limit is outside its bounds, or `maxBytes` is given without a weigher. */
  resize(maxEntries: number | undefined, maxBytes: number | undefined): void {
    const kernel = this.#kernel
    const limits = this.#pressure
    const entries = maxEntries ?? limits?.entries ?? kernel.maxEntries
    const weight = maxBytes ?? limits?.weight ?? kernel.maxWeight
    checkEntries('maxEntries', entries)
    checkPositiveOrInfinity('maxBytes', weight)
    if (maxBytes !== undefined) checkWeighted(kernel.weights !== null)
    if (limits === undefined) kernel.resize(entries, weight)
    else limits.relimit(entries, weight)
  }

  close(): void {
    for (const timer of this.#timers) timer.cancel()
  }
}

// Outside the class: a function made in its constructor would keep the cache alive, and a timer the function.
function purge(kernel: Kernel<unknown, unknown>): void {
  kernel.purge()
}

function check(pressure: MemoryPressureControl): void {
  pressure.check()
}
