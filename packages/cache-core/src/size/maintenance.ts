import { assertNumber, assertPositive, assertWeighted, ENTRIES } from '../cache/cache-options.ts'
import type { Kernel } from '../kernel/kernel.ts'
import type { Clock, Timer } from '../time/turn-clock.ts'
import type { CreateRelief, PressureRelief } from './memory-pressure.ts'
import { repeat } from './repeat.ts'

/** Keeps a cache within its limits: the timers that sweep it and watch the memory, and `resize`. */
export class Upkeep {
  readonly #kernel: Kernel<unknown, unknown>
  readonly #relief: PressureRelief | undefined
  readonly #timers: Timer[] = []

  constructor(
    kernel: Kernel<unknown, unknown>,
    clock: Clock,
    sweepInterval: number,
    memoryPressure: CreateRelief | undefined,
  ) {
    this.#kernel = kernel
    this.#relief = memoryPressure?.(kernel)
    if (sweepInterval !== Infinity) this.#timers.push(repeat(clock, sweepInterval, kernel, purge))
    if (this.#relief !== undefined) {
      this.#timers.push(repeat(clock, this.#relief.interval, this.#relief, check))
    }
  }

  /** @throws {InvalidOptionError} if a limit is outside its bounds, or `maxBytes` is given without a weigher. */
  resize(maxEntries: number | undefined, maxBytes: number | undefined): void {
    const kernel = this.#kernel
    const limits = this.#relief
    const entries = maxEntries ?? limits?.entries ?? kernel.maxEntries
    const weight = maxBytes ?? limits?.weight ?? kernel.maxWeight
    assertNumber('maxEntries', entries, ENTRIES)
    assertPositive('maxBytes', weight)
    if (maxBytes !== undefined) assertWeighted(kernel.weights !== null)
    if (limits === undefined) kernel.resize(entries, weight)
    else limits.relimit(entries, weight)
  }

  [Symbol.dispose](): void {
    for (const timer of this.#timers) timer.cancel()
  }
}

// Outside the class: a function made in its constructor would keep the cache alive, and a timer the function.
function purge(kernel: Kernel<unknown, unknown>): void {
  kernel.purge()
}

function check(relief: PressureRelief): void {
  relief.check()
}
