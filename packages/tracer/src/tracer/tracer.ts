import { checkRange, describeStats } from '@millrace/kit'
import { discard } from '../export/discard.ts'
import { resourceOf } from '../export/resource.ts'
import { ExitFlush } from '../pipeline/exit-flush.ts'
import type { SlowSpan } from '../pipeline/slow-spans.ts'
import { SpanPipeline } from '../pipeline/span-pipeline.ts'
import type { TracerStats } from '../pipeline/tracer-stats.ts'
import { Propagation } from '../propagation/propagation.ts'
import { alwaysOff, ratio } from '../sampling/samplers.ts'
import type { Scope } from '../span/api/span.ts'
import { systemClock } from '../time/clock.ts'
import { ScopedTracer } from './scoped-tracer.ts'
import { checkTracerOptions, type TracerOptions } from './tracer-options.ts'

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
    checkTracerOptions(options)
    const enabled = (options.enabled ?? true) && options.exporter !== undefined
    const scope: Scope = { name: '@millrace/tracer', ...options.scope }
    const pipeline = pipelineFor(options, scope, enabled)
    super({ pipeline, enabled, propagation: new Propagation(options.propagators) }, scope)
    this.#pipeline = pipeline
    this.#exit = enabled
      ? new ExitFlush(this, options.signals ?? ['SIGTERM', 'SIGINT'], options.exitTimeout ?? 5_000)
      : null
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

function pipelineFor(options: TracerOptions, scope: Scope, enabled: boolean): SpanPipeline {
  const exporter = options.exporter ?? discard
  exporter.open?.(resourceOf(options.service, options.resource))
  const { optimized = 100 } = options
  return new SpanPipeline(
    {
      exporter,
      sampler: enabled ? (options.sampler ?? ratio(1)) : alwaysOff,
      clock: options.clock ?? systemClock,
      limits: options.limits ?? {},
      pool: enabled ? (options.pool ?? 1_000) : 0,
      lazy: options.lazy ?? true,
      optimized: typeof optimized === 'number' ? optimized : optimized ? 100 : 0,
      tail: enabled ? options.tail : undefined,
      budget: enabled ? options.budget : undefined,
      batch: { size: options.batchSize ?? 100, delay: options.delay ?? 5_000 },
    },
    scope,
  )
}

describeStats<TracerStats>(Tracer.prototype, {
  started: 'counter',
  ended: 'counter',
  unpooled: 'counter',
  poolFree: 'gauge',
  lateCalls: 'counter',
  waiting: 'gauge',
  held: 'gauge',
  rejected: 'counter',
  exported: 'counter',
  dropped: 'counter',
  queued: 'gauge',
  queuedBytes: 'gauge',
  encoding: 'milliseconds',
  overhead: 'gauge',
  allowed: 'gauge',
  optimized: 'gauge',
})
