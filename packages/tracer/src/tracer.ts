import { systemClock } from './clock.ts'
import { ActiveContext, activeContext, runWith } from './context/active-context.ts'
import { discard } from './export/discard.ts'
import { ExitFlush } from './pipeline/exit-flush.ts'
import { SpanPipeline } from './pipeline/span-pipeline.ts'
import type { Baggage } from './propagation/baggage.ts'
import { RemoteParent } from './propagation/carrier.ts'
import { Propagation } from './propagation/propagation.ts'
import { resourceOf } from './resource.ts'
import { alwaysOff, ratio } from './sampling/samplers.ts'
import { BaseSpan, type TracerSpan } from './span/base-span.ts'
import { ForeignSpan } from './span/foreign-span.ts'
import type { Scope, Span, SpanContext, SpanOptions } from './span/span.ts'
import { percentage, type TracerOptions, validate } from './tracer-options.ts'
import type { TracerStats } from './tracer-stats.ts'
import { endWith, fail } from './wrap/run-span.ts'
import { type TracedOptions, wrap } from './wrap/traced.ts'

/** What a span may be given: options, and a parent from another process. */
export interface StartOptions extends Omit<SpanOptions, 'parent'> {
  /** Parent to use instead of the active span; `null` starts a new trace. */
  parent?: Span | SpanContext | RemoteParent | null
}

// biome-ignore lint/suspicious/noExplicitAny: a wrapper must accept every function type
type AnyFunction = (this: any, ...args: any[]) => any

/** Wraps a function, or decorates a method (TC39 decorators): every call is a span. */
export type Traced = <F extends AnyFunction>(fn: F, context?: ClassMethodDecoratorContext) => F

/**
 * Makes spans, keeps the active one across asynchronous calls, and hands ended ones to an exporter.
 *
 * Guarantees: no call on a hot path throws; the event loop is never held for more than about 2 ms by encoding; memory is
 * bounded by the pool and the exporter's queue; a handle kept after its end does nothing; exported + dropped + queued equals
 * the recorded spans that ended.
 */
export class Tracer {
  readonly #pipeline: SpanPipeline
  readonly #scope: Scope
  readonly #exit: ExitFlush | null
  readonly #enabled: boolean
  /** @internal Which headers are read and written for this tracer. */
  readonly propagation: Propagation

  /** @throws InvalidOptionError for an option that cannot work */
  constructor(options?: TracerOptions)
  /** @internal one more tracer on the same pipeline */
  constructor(options: TracerOptions, parent: Tracer)
  constructor(options: TracerOptions = {}, parent?: Tracer) {
    this.#scope = { name: '@millrace/tracer', ...options.scope }
    if (parent !== undefined) {
      this.#pipeline = parent.#pipeline
      this.#enabled = parent.#enabled
      this.propagation = parent.propagation
      this.#exit = null
      return
    }
    validate(options)
    this.propagation = new Propagation(options.propagators)
    this.#enabled = options.enabled !== false && options.exporter !== undefined
    const exporter = options.exporter ?? discard
    exporter.open?.(resourceOf(options.service, options.resource))
    const { optimized = 100 } = options
    this.#pipeline = new SpanPipeline(
      {
        exporter,
        sampler: this.#enabled ? (options.sampler ?? ratio(1)) : alwaysOff,
        clock: options.clock ?? systemClock,
        limits: options.limits ?? {},
        pool: this.#enabled ? (options.pool ?? 1_000) : 0,
        lazy: options.lazy ?? true,
        optimized: typeof optimized === 'number' ? optimized : optimized ? 100 : 0,
        tail: this.#enabled ? options.tail : undefined,
        budget: this.#enabled ? options.budget : undefined,
        batch: { size: options.batchSize ?? 100, delay: options.delay ?? 5_000 },
      },
      this.#scope,
    )
    this.#exit = this.#enabled
      ? new ExitFlush(this, options.signals ?? ['SIGTERM', 'SIGINT'], options.exitTimeout ?? 5_000)
      : null
  }

  /** False where nothing is ever recorded. */
  get enabled(): boolean {
    return this.#enabled
  }

  /**
   * Starts a span without making it active; its parent is the active one unless `options.parent` says otherwise.
   * Whoever calls this ends it.
   */
  startSpan(name: string, options?: StartOptions): Span {
    return this.start(name, options ?? undefined, activeContext())
  }

  /** @internal `active` is the active context, for callers that have it at hand. */
  start(name: string, options: StartOptions | undefined, active: ActiveContext): TracerSpan {
    if (options !== undefined) return this.#startWith(name, options, active)
    // The cheapest outcome first, whether suppressed or not: each further check takes a tenth of its 6 ns.
    if (active.span === null && this.#pipeline.dropsRoots) return this.#pipeline.droppedRoot()
    if (active.suppressed) return this.#startWith(name, options, active)
    return this.#pipeline.start(this.#scope, name, active.span, undefined)
  }

  /** Apart from {@link start}, which is small enough for the engine to put into its callers. */
  #startWith(
    name: string,
    options: StartOptions | undefined,
    { span, suppressed }: ActiveContext,
  ): TracerSpan {
    const parent = parentFor(options, span)
    if (suppressed) return this.#pipeline.unrecorded(parent)
    return this.#pipeline.start(this.#scope, name, parent, options as SpanOptions | undefined)
  }

  /** @internal a span under a parent that the caller has found */
  startUnder(name: string, parent: BaseSpan | null, options: SpanOptions | undefined): TracerSpan {
    return this.#pipeline.start(this.#scope, name, parent, options)
  }

  /** @internal a span that is not recorded */
  startUnrecorded(parent: BaseSpan | null): TracerSpan {
    return this.#pipeline.unrecorded(parent)
  }

  /**
   * Runs `fn` in a new active span, which ends when `fn` returns or its promise settles. What it throws is recorded and
   * thrown on.
   */
  span<T>(name: string, fn: (span: Span) => T): T
  span<T>(name: string, options: StartOptions, fn: (span: Span) => T): T
  span<T>(
    name: string,
    optionsOrFn: StartOptions | ((span: Span) => T),
    callback?: (span: Span) => T,
  ): T {
    const fn = typeof optionsOrFn === 'function' ? optionsOrFn : callback!
    const options = typeof optionsOrFn === 'function' ? undefined : (optionsOrFn ?? undefined)
    const active = activeContext()
    const span = this.start(name, options, active)
    return runWith(contextFor(active, span, options), () => {
      try {
        return endWith(span, fn(span))
      } catch (error) {
        fail(span, error)
        throw error
      }
    })
  }

  /** Runs `fn` with `span` active: spans started in it are its children. Does not end it. */
  withSpan<T>(span: Span, fn: () => T): T {
    return runWith(activeContext().withSpan(ForeignSpan.asTracerSpan(span)), fn)
  }

  /** The active span of this asynchronous flow. */
  activeSpan(): Span | undefined {
    return activeContext().span ?? undefined
  }

  /**
   * Wraps a function so that each call is a span: `tracer.traced(load)`, `tracer.traced({ name })(load)`, or as a method
   * decorator `@tracer.traced()`. Name, kind and attributes are prepared once, here. A disabled tracer returns the
   * function itself.
   */
  traced<F extends AnyFunction>(fn: F, options?: TracedOptions<F>): F
  traced(options?: TracedOptions): Traced
  traced<F extends AnyFunction>(
    fnOrOptions: F | TracedOptions = {},
    options: TracedOptions<F> = {},
  ): F | Traced {
    if (typeof fnOrOptions === 'function') return this.#wrap(fnOrOptions, options)
    return <G extends AnyFunction>(fn: G, context?: ClassMethodDecoratorContext): G => {
      const named = context === undefined ? {} : { name: String(context.name) }
      return this.#wrap(fn, { ...named, ...fnOrOptions })
    }
  }

  #wrap<F extends AnyFunction>(fn: F, options: TracedOptions<F>): F {
    if (!this.#enabled) return fn
    return wrap(this, fn, options)
  }

  /** A tracer for another library on the same pipeline: same sampler, exporter and limits. O(1). */
  scoped(scope: Scope): Tracer {
    return new Tracer({ scope }, this)
  }

  /**
   * Moves the share of traces on the pooled path, in percent; running spans finish on the path they began on. Give it to
   * a guard as rollback: `onTrip: () => tracer.setOptimized(0)`.
   *
   * @throws InvalidOptionError unless it is a number from 0 to 100
   */
  setOptimized(percent: number): void {
    percentage('percent', percent)
    this.#pipeline.setOptimized(percent)
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
    this.#exit?.remove()
    await this.#pipeline.close()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }
}

function contextFor(
  active: ActiveContext,
  span: TracerSpan,
  options: StartOptions | undefined,
): ActiveContext {
  const baggage = baggageFor(options, active.baggage)
  return new ActiveContext(span, baggage, active.foreign, active.suppressed)
}

/** What travels along with the parent of the options; `active` where it comes from here. */
function baggageFor(options: StartOptions | undefined, active: Baggage | null): Baggage | null {
  try {
    const parent = options?.parent
    return parent instanceof RemoteParent ? parent.baggage : active
  } catch {
    return active
  }
}

/** The parent that options ask for: `active` where they say nothing, none where they cannot be read, as with invalid headers. */
function parentFor(
  options: StartOptions | undefined,
  active: TracerSpan | null,
): TracerSpan | null {
  try {
    const parent = options?.parent
    if (parent === undefined) return active
    if (parent instanceof RemoteParent) return ForeignSpan.asTracerSpan(parent.span)
    if (parent instanceof BaseSpan) return parent as TracerSpan
    if (parent === null || typeof parent !== 'object') return null
    if ('spanContext' in parent) return ForeignSpan.asTracerSpan(parent)
    return ForeignSpan.from(parent) ?? null
  } catch {
    return null
  }
}
