import { checkMethods } from '@millrace/kit'
import {
  type Span as ApiSpan,
  type SpanOptions as ApiSpanOptions,
  type Tracer as ApiTracer,
  type TracerOptions as ApiTracerOptions,
  type Context,
  context as contextApi,
  propagation,
  type TracerProvider,
  trace,
} from '@opentelemetry/api'
import { activeContext } from '../context/active-context.ts'
import type { Scope } from '../span/api/span.ts'
import { asTracerSpan } from '../span/idle/as-tracer-span.ts'
import { nameText } from '../span/inputs.ts'
import type { TracerSpan } from '../span/tracer-span.ts'
import type { ScopedTracer } from '../tracer/scoped-tracer.ts'
import type { Tracer } from '../tracer/tracer.ts'
import { apiContext, findCharge, followApi, runInBoth } from './context-bridge.ts'
import { MillraceContextManager } from './context-manager.ts'
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
    followApi()
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
    // One of ours serves all tracers: it stays where only the provider was disabled.
    const served = findCharge()
    if (!served && !contextApi.setGlobalContextManager(new MillraceContextManager())) return false
    if (!trace.setGlobalTracerProvider(this)) {
      if (!served) contextApi.disable()
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
    const base = given ?? apiContext()
    const span = this.#start(name, options, given)
    return runInBoth(withSpan(base, span), () => fn(span)) as ReturnType<F>
  }

  #start(name: string, options?: ApiSpanOptions, context?: Context): TracerSpan {
    const given = context !== undefined && context !== null
    const active = given ? undefined : activeContext()
    let parent = active === undefined ? asTracerSpan(valueIn(context, SPAN_KEY)) : active.span
    const suppressed = active?.suppressed ?? valueIn(context, SUPPRESS_KEY) === true
    if (asksForRoot(options)) parent = null
    if (suppressed) return this.#tracer.startUnrecorded(parent)
    return this.#tracer.startUnder(name, parent, options ?? undefined)
  }
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
