import type { Labels } from '../labels/label-index.ts'
import type { Counter, CounterSeries } from './counter.ts'
import type { Family } from './family.ts'
import type { Gauge, GaugeSeries } from './gauge.ts'
import type { Histogram } from './histogram.ts'
import type { HistogramSeries } from './histogram-series.ts'
import type { Series } from './series.ts'
import { inSeconds, type Timing, TimingSeries } from './timing.ts'
import type { UpDownCounter, UpDownCounterSeries } from './up-down-counter.ts'

/** What all metrics with labels have in common. */
class Labelled<L extends string, I, S extends Series & I> {
  readonly family: Family<S>

  constructor(family: Family<S>) {
    this.family = family
  }

  /** The series of these labels, to keep and to update without a look-up. @throws LabelError */
  labels(labels: Labels<L>): I {
    return this.family.bind(labels)
  }

  /**
   * Drops the series of `labels`: a tenant that left, a queue that was closed. A handle to it stays valid, and its next
   * update brings the series back, from zero and with a new start time. Returns whether it is gone: there may be none, and
   * the overflow series and those in memory shared with other threads stay. @throws LabelError
   */
  remove(labels: Labels<L>): boolean {
    return this.family.remove(labels)
  }
}

/** A metric with labels: bind them once with `labels`, or pass them with every update. */
export class CounterFamily<L extends string = string> extends Labelled<L, Counter, CounterSeries> {
  /** Adds to the series of `labels`. Wrong labels are counted in `millrace_metrics_mislabelled_total`, not thrown. */
  inc(labels: Labels<L>, amount = 1): void {
    this.family.find(labels).inc(amount)
  }
}

/** As {@link CounterFamily}, for counts that go both ways. */
export class UpDownCounterFamily<L extends string = string> extends Labelled<
  L,
  UpDownCounter,
  UpDownCounterSeries
> {
  inc(labels: Labels<L>, amount = 1): void {
    this.family.find(labels).inc(amount)
  }

  dec(labels: Labels<L>, amount = 1): void {
    this.family.find(labels).dec(amount)
  }
}

/** As {@link CounterFamily}, for values of the moment. */
export class GaugeFamily<L extends string = string> extends Labelled<L, Gauge, GaugeSeries> {
  set(labels: Labels<L>, value: number): void {
    this.family.find(labels).set(value)
  }

  inc(labels: Labels<L>, amount = 1): void {
    this.family.find(labels).inc(amount)
  }

  dec(labels: Labels<L>, amount = 1): void {
    this.family.find(labels).dec(amount)
  }
}

/** As {@link CounterFamily}, for distributions. */
export class HistogramFamily<L extends string = string> extends Labelled<
  L,
  Histogram,
  HistogramSeries
> {
  observe(labels: Labels<L>, value: number): void {
    this.family.find(labels).observe(value)
  }
}

/** As {@link CounterFamily}, for durations. */
export class TimingFamily<L extends string = string> {
  readonly durations: Family<Series & Histogram>
  readonly failures: Family<Series & Counter>
  readonly #now: () => number

  constructor(
    durations: Family<Series & Histogram>,
    failures: Family<Series & Counter>,
    now: () => number,
  ) {
    this.durations = durations
    this.failures = failures
    this.#now = now
  }

  labels(labels: Labels<L>): Timing {
    return new TimingSeries(this.durations.bind(labels), this.failures.bind(labels), this.#now)
  }

  /** Measures one call under these labels. */
  time<T>(labels: Labels<L>, fn: () => T): T {
    return new TimingSeries(
      this.durations.find(labels),
      this.failures.find(labels),
      this.#now,
    ).time(fn)
  }

  /** Records a duration in milliseconds under these labels. */
  record(labels: Labels<L>, milliseconds: number, failed = false): void {
    this.durations.find(labels).observe(inSeconds(milliseconds))
    if (failed) this.failures.find(labels).inc()
  }

  /** As {@link CounterFamily.remove}, with the failures beside it. */
  remove(labels: Labels<L>): boolean {
    const removed = this.failures.remove(labels)
    return this.durations.remove(labels) || removed
  }
}
