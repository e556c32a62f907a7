import { checkRange, counters, describeStats, gauges } from '@millrace/kit'
import { discard } from '../export/discard.ts'
import { resourceOf } from '../export/resource.ts'
import { ExitFlush } from '../pipeline/exit-flush.ts'
import { GuardedExporter } from '../pipeline/guarded-exporter.ts'
import type { SlowSpan } from '../pipeline/slow-spans.ts'
import { SpanPipeline } from '../pipeline/span-pipeline.ts'
import type { TracerStats } from '../pipeline/tracer-stats.ts'
import { Propagation } from '../propagation/propagation.ts'
import { alwaysOff } from '../sampling/samplers.ts'
import { ScopedTracer } from './scoped-tracer.ts'
import { resolveTracer, type TracerOptions, type TracerSettings } from './tracer-options.ts'

/**
 * Makes spans, keeps the active one across asynchronous calls, and hands ended ones to an exporter.
 *
 * Guarantees: no call on a hot path throws; the event loop is never held for more than about 2 ms by encoding; memory is
 * bounded by the pool and the exporter's queue; a handle kept after its end does nothing; exported + dropped + queued equals
 * the recorded spans that ended.
 */
export class Tracer extends ScopedTracer {
  readonly #pipeline: SpanPipeline
  readonly #exit: ExitFlush | null

  /** @throws InvalidOptionError for an option that is unknown or cannot work */
  constructor(options: TracerOptions = {}) {
    const settings = resolveTracer(options)
    const { scope, propagators, signals, exitTimeout } = settings
    const enabled = settings.enabled && settings.exporter !== undefined
    const pipeline = pipelineFor(settings, enabled)
    super({ pipeline, enabled, propagation: new Propagation(propagators) }, scope)
    this.#pipeline = pipeline
    this.#exit = enabled ? new ExitFlush(pipeline, signals, exitTimeout) : null
  }

  /**
   * Moves the share of traces on the pooled path, in percent; running spans finish on the path they began on. Give it to
   * a guard as rollback: `onTrip: () => tracer.setOptimized(0)`.
   *
   * @throws InvalidOptionError unless it is a number from 0 to 100
   */
  setOptimized(percent: number): void {
    this.#pipeline.setOptimized(checkRange('percent', percent, 0, 100))
  }

  /**
   * The slowest roots of the last quarter of an hour that were handed to the exporter, at most 20, newest first: what
   * `@millrace/perf-metrics/dashboard` shows as slow spans. Empty where nothing is recorded.
   */
  slowSpans(): SlowSpan[] {
    return this.#pipeline.slowSpans()
  }

  stats(): TracerStats {
    return this.#pipeline.stats()
  }

  /** Resolves when all spans that have ended were delivered or given up. Never rejects. */
  async flush(): Promise<void> {
    await this.#pipeline.flush()
  }

  /** Encodes what waits and makes a last synchronous attempt: for `process.on('exit')`. */
  flushSync(): void {
    this.#pipeline.flushSync()
  }

  /** Flushes, stops timers and closes the exporter. Spans that end later are dropped. Never rejects. */
  async close(): Promise<void> {
    this.#exit?.close()
    await this.#pipeline.close()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }
}

function pipelineFor(settings: TracerSettings, enabled: boolean): SpanPipeline {
  const { exporter = discard, service, resource } = settings
  const guarded = new GuardedExporter(exporter)
  guarded.open(resourceOf(service, resource))
  const made = { ...settings, exporter: guarded }
  if (enabled) return new SpanPipeline(made)
  return new SpanPipeline({
    ...made,
    sampler: alwaysOff,
    pool: 0,
    tail: undefined,
    budget: undefined,
  })
}

describeStats<TracerStats>(Tracer.prototype, {
  ...counters('started', 'ended', 'unpooled', 'lateCalls', 'rejected', 'exported', 'dropped'),
  ...gauges('poolFree', 'waiting', 'held', 'queued', 'queuedBytes'),
  ...gauges('overhead', 'allowed', 'optimized'),
  encoding: 'milliseconds',
})
