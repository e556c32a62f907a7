import { checkFunction, checkWrapped } from '@millrace/kit'
import { ActiveContext, activeContext, runWith } from '../context/active-context.ts'
import type { Baggage } from '../context/baggage.ts'
import type { SpanPipeline } from '../pipeline/span-pipeline.ts'
import type { Propagation } from '../propagation/propagation.ts'
import { isRemoteParent, type RemoteParent } from '../propagation/remote-parent.ts'
import type { Scope, Span, SpanContext, SpanLike, SpanOptions } from '../span/api/span.ts'
import { asTracerSpan } from '../span/idle/as-tracer-span.ts'
import { IdleSpan } from '../span/idle/idle-span.ts'
import { RecordedSpan } from '../span/recorded/recorded-span.ts'
import type { TracerSpan } from '../span/tracer-span.ts'
import { endWith, fail } from '../wrap/run-span.ts'
import { type AnyFunction, checkTraced, type TracedOptions, wrap } from '../wrap/traced.ts'
import { resolveScope } from './tracer-options.ts'

/** What a span may be given: options, and a parent from another process. */
export interface StartOptions extends Omit<SpanOptions, 'parent'> {
  /** Parent to use instead of the active span; `null` starts a new trace. Default: the active span */
  readonly parent?: SpanLike | SpanContext | RemoteParent | null | undefined
}

/** Wraps a function, or decorates a method (TC39 decorators): every call is a span. */
export type Traced = <F extends AnyFunction>(
  fn: F,
  context?: ClassMethodDecoratorContext<ThisParameterType<F>, F>,
) => F

/** What all tracers on one pipeline share. */
export interface TracerCore {
  readonly pipeline: SpanPipeline
  readonly enabled: boolean
  /** Which headers are read and written. */
  readonly propagation: Propagation
}

/** Makes spans in the name of one library, and keeps the active one across asynchronous calls. */
export class ScopedTracer {
  readonly #core: TracerCore
  readonly #pipeline: SpanPipeline
  readonly #scope: Scope

  /** @internal use `tracer.scoped()` */
  constructor(core: TracerCore, scope: Scope) {
    this.#core = core
    this.#pipeline = core.pipeline
    this.#scope = scope
  }

  /** False where nothing is ever recorded. */
  get enabled(): boolean {
    return this.#core.enabled
  }

  /** Reads and writes the headers that the option `propagators` names, as `extract` and `inject` do W3C's. */
  get propagation(): Propagation {
    return this.#core.propagation
  }

  /**
   * Starts a span without making it active; its parent is the active one unless `options.parent` says otherwise.
   * The calling code ends it.
   */
  startSpan(name: string, options?: StartOptions): Span {
    return this.start(name, options ?? undefined, activeContext())
  }

  /** @internal `active` is the active context, for callers that have it at hand. */
  start(name: string, options: StartOptions | undefined, active: ActiveContext): TracerSpan {
    if (options !== undefined) return this.#startWith(name, options, active)
    // The cheapest outcome first, whether suppressed or not: benchmark case "unsampled".
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
  startUnder(
    name: string,
    parent: TracerSpan | null,
    options: SpanOptions | undefined,
  ): TracerSpan {
    return this.#pipeline.start(this.#scope, name, parent, options)
  }

  /** @internal a span that is not recorded */
  startUnrecorded(parent: TracerSpan | null): TracerSpan {
    return this.#pipeline.unrecorded(parent)
  }

  /**
   * Runs `fn` in a new active span, which ends when `fn` returns or its promise settles. What it throws is recorded and
   * thrown on.
   */
  span<T>(name: string, fn: (span: Span) => T): T
  span<T>(name: string, options: StartOptions | undefined, fn: (span: Span) => T): T
  span<T>(
    name: string,
    optionsOrFn: StartOptions | undefined | ((span: Span) => T),
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
  withSpan<T>(span: SpanLike, fn: () => T): T {
    return runWith(activeContext().withSpan(asTracerSpan(span)), fn)
  }

  /** The active span of this asynchronous flow. */
  activeSpan(): Span | undefined {
    return activeContext().span ?? undefined
  }

  /**
   * Wraps a function so that each call is a span: `tracer.traced(load)`, `tracer.traced({ name })(load)`, or as a method
   * decorator `@tracer.traced()`. Name, kind and attributes are prepared once, here. A disabled tracer returns the
   * function itself.
   *
   * @throws InvalidOptionError for an option that is unknown or cannot work
   */
  traced<F extends AnyFunction>(fn: F, options?: TracedOptions<F>): F
  traced(options?: TracedOptions): Traced
  traced<F extends AnyFunction>(
    fnOrOptions: F | TracedOptions = {},
    options: TracedOptions<F> = {},
  ): F | Traced {
    if (typeof fnOrOptions === 'function') return this.#wrap(fnOrOptions, options)
    checkTraced(fnOrOptions)
    return <G extends AnyFunction>(
      fn: G,
      context?: ClassMethodDecoratorContext<ThisParameterType<G>, G>,
    ): G => {
      checkWrapped('@tracer.traced', fn, context)
      const named = context?.name === undefined ? {} : { name: String(context.name) }
      return this.#wrap(fn, { ...named, ...fnOrOptions })
    }
  }

  #wrap<F extends AnyFunction>(fn: F, options: TracedOptions<F>): F {
    checkFunction('fn', fn)
    checkTraced(options)
    return this.enabled ? wrap(this, fn, options) : fn
  }

  /**
   * A tracer for another library on the same pipeline: same sampler, exporter and limits. O(1).
   *
   * @throws InvalidOptionError for a scope without a name, or with something unknown in it
   */
  scoped(scope: Scope): ScopedTracer {
    return new ScopedTracer(this.#core, resolveScope('scope', scope))
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
    return isRemoteParent(parent) ? parent.baggage : active
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
    if (parent === null || typeof parent !== 'object') return null
    if (parent instanceof RecordedSpan || parent instanceof IdleSpan) return parent
    if (isRemoteParent(parent)) return asTracerSpan(parent.span)
    if ('spanContext' in parent) return asTracerSpan(parent)
    return IdleSpan.from(parent) ?? null
  } catch {
    return null
  }
}
