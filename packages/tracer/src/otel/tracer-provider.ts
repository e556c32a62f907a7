import { checkMethods } from '@millrace/kit'
import {
  type Span as ApiSpan,
  type SpanOptions as ApiSpanOptions,
  type Tracer as ApiTracer,
  type TracerOptions as ApiTracerOptions,
  type Context,
  context as contextApi,
  propagation,
  ROOT_CONTEXT,
  type TracerProvider,
  trace,
} from '@opentelemetry/api'
import { type ActiveContext, activeContext } from '../context/active-context.ts'
import type { Scope } from '../span/api/span.ts'
import { asTracerSpan } from '../span/idle/as-tracer-span.ts'
import { nameText } from '../span/inputs.ts'
import type { TracerSpan } from '../span/tracer-span.ts'
import type { ScopedTracer } from '../tracer/scoped-tracer.ts'
import type { Tracer } from '../tracer/tracer.ts'
import { isInCharge, MillraceContextManager, runInBoth } from './context-manager.ts'
import { SPAN_KEY, SUPPRESS_KEY, valueIn, withSpan } from './fast-context.ts'
import { MillracePropagator } from './propagator.ts'

/**
 * Puts a {@link Tracer} behind `@opentelemetry/api`, so that instrumentation libraries work on it unchanged. Spans made
 * through the API and by the tracer itself are parents of each other.
 */
export class MillraceTracerProvider implements TracerProvider {
  readonly #tracer: Tracer
  readonly #tracers = new Map<string, ApiTracer>()

  /** @throws InvalidOptionError unless it is given a tracer */
  constructor(tracer: Tracer) {
    this.#tracer = checkMethods('tracer', tracer, 'a Tracer', ['scoped', 'flush', 'close'])
  }

  getTracer(name: string, version?: string, options?: ApiTracerOptions): ApiTracer {
    const scope = scopeOf(name, version, options)
    const key = JSON.stringify([scope.name, scope.version, scope.schemaUrl])
    let known = this.#tracers.get(key)
    if (known === undefined) {
      known = new ApiScopedTracer(this.#tracer.scoped(scope))
      this.#tracers.set(key, known)
    }
    return known
  }

  /**
   * Registers provider, context manager and propagator globally. Returns false, and registers none of them, where another SDK
   * has registered its provider or its context manager. A propagator that was registered before stays.
   */
  register(): boolean {
    if (!contextApi.setGlobalContextManager(new MillraceContextManager())) return false
    if (!trace.setGlobalTracerProvider(this)) {
      contextApi.disable()
      return false
    }
    propagation.setGlobalPropagator(new MillracePropagator(this.#tracer.propagation))
    return true
  }

  forceFlush(): Promise<void> {
    return this.#tracer.flush()
  }

  shutdown(): Promise<void> {
    return this.#tracer.close()
  }
}

class ApiScopedTracer implements ApiTracer {
  readonly #tracer: ScopedTracer

  constructor(tracer: ScopedTracer) {
    this.#tracer = tracer
  }

  startSpan(name: string, options?: ApiSpanOptions, context?: Context): ApiSpan {
    return this.#start(name, options, context)
  }

  startActiveSpan<F extends (span: ApiSpan) => unknown>(name: string, fn: F): ReturnType<F>
  startActiveSpan<F extends (span: ApiSpan) => unknown>(
    name: string,
    options: ApiSpanOptions,
    fn: F,
  ): ReturnType<F>
  startActiveSpan<F extends (span: ApiSpan) => unknown>(
    name: string,
    options: ApiSpanOptions,
    context: Context,
    fn: F,
  ): ReturnType<F>
  startActiveSpan<F extends (span: ApiSpan) => unknown>(
    name: string,
    ...rest: [] | [F] | [ApiSpanOptions, F] | [ApiSpanOptions, Context, F]
  ): ReturnType<F> {
    // As OpenTelemetry's own tracers: without a function there is nothing to run, and arguments beyond the last one do not count.
    if (rest.length === 0) return undefined as ReturnType<F>
    const fn = rest[Math.min(rest.length, 3) - 1] as F
    const options = rest.length > 1 ? (rest[0] as ApiSpanOptions) : undefined
    const given = rest.length > 2 ? (rest[1] as Context | undefined) : undefined
    const base = given ?? contextApi.active()
    const span = this.#start(name, options, given)
    return runInBoth(withSpan(base, span), () => fn(span)) as ReturnType<F>
  }

  #start(name: string, options?: ApiSpanOptions, context?: Context): TracerSpan {
    const active = activeContext()
    // Without asking the API, which would make a context, where it would tell no more.
    const asked = context ?? (isInCharge() && !active.isRoot ? undefined : contextApi.active())
    const own = context === undefined || context === null ? isNewest(active, asked) : false
    let parent = own ? active.span : asTracerSpan(valueIn(asked, SPAN_KEY))
    const suppressed = own ? active.suppressed : valueIn(asked, SUPPRESS_KEY) === true
    if (asksForRoot(options)) parent = null
    if (suppressed) return this.#tracer.startUnrecorded(parent)
    return this.#tracer.startUnder(name, parent, options ?? undefined)
  }
}

/**
 * Whether nothing was made active through the API, which has `asked` active now, since `active` was: it is the same context then. Another
 * context manager may be at work behind the API.
 */
function isNewest(active: ActiveContext, asked: Context | undefined): boolean {
  if (active.isRoot) return false
  return isInCharge() || asked === (active.foreign ?? ROOT_CONTEXT)
}

function asksForRoot(options: ApiSpanOptions | undefined): boolean {
  try {
    return options?.root === true
  } catch {
    // A getter of the caller's options threw: starting a span never does.
    return false
  }
}

/** The API takes any name, and no options that throw. */
function scopeOf(name: unknown, version: unknown, options: ApiTracerOptions | undefined): Scope {
  const schemaUrl = schemaUrlOf(options)
  return {
    name: nameText(name ?? '') || 'unknown',
    version: nameText(version ?? '') || undefined,
    schemaUrl: (typeof schemaUrl === 'string' && schemaUrl) || undefined,
  }
}

function schemaUrlOf(options: ApiTracerOptions | undefined): unknown {
  try {
    return options?.schemaUrl
  } catch {
    return undefined
  }
}
