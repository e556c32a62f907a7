import type { Labels } from '../labels/label-index.ts'
import { type Distribution, emptyDistribution } from '../store/distribution.ts'
import { FINEST_SCHEMA } from '../store/exponential.ts'
import type { Counter } from './counter.ts'
import type { Gauge } from './gauge.ts'
import type { Histogram } from './histogram.ts'
import type { Timing, TimingSpan, TimingStats } from './timing.ts'

/** Without series: every label leads to the same. */
abstract class Noop {
  labels(_labels: Labels): this {
    return this
  }

  remove(_labels: Labels): boolean {
    return false
  }
}

/**
 * What a disabled registry hands out: instruments whose methods are empty, so that a call costs what an empty call
 * costs and nothing tests a flag. One class serves all value instruments, bound or with labels.
 */
export class NoopInstrument extends Noop implements Counter, Gauge {
  readonly value = 0
  readonly min: number = NaN
  readonly max: number = NaN
  readonly lastUpdate = 0

  inc(): void {}
  dec(): void {}
  set(): void {}
  observeTotal(): void {}
}

export class NoopHistogram extends Noop implements Histogram {
  readonly count = 0
  readonly sum = 0

  observe(): void {}

  quantile(): number {
    return NaN
  }

  recent(): undefined {}

  distribution(): Distribution {
    return emptyDistribution(FINEST_SCHEMA)
  }
}

const ENDED: TimingSpan = {
  close: () => 0,
  fail: () => 0,
  [Symbol.dispose]: () => {},
}

export class NoopTiming extends Noop implements Timing {
  readonly histogram: Histogram = new NoopHistogram()
  readonly failures: Counter = new NoopInstrument()

  start(): TimingSpan {
    return ENDED
  }

  time<T>(fn: () => T): T
  time<T>(labels: Labels, fn: () => T): T
  time<T>(first: Labels | (() => T), fn?: () => T): T {
    return typeof first === 'function' ? first() : fn!()
  }

  record(): void {}

  stats(): TimingStats {
    return {
      count: 0,
      successes: 0,
      failures: 0,
      total: 0,
      mean: NaN,
      min: NaN,
      max: NaN,
      p50: NaN,
      p90: NaN,
      p95: NaN,
      p99: NaN,
      p999: NaN,
    }
  }
}
