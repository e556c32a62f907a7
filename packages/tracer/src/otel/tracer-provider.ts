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
import type { SpanOptions } from '../span/api/span.ts'
import { asTracerSpan } from '../span/idle/as-tracer-span.ts'
import type { TracerSpan } from '../span/tracer-span.ts'
import type { ScopedTracer } from '../tracer/scoped-tracer.ts'
import type { Tracer } from '../tracer/tracer.ts'
import { MillraceContextManager } from './context-manager.ts'
import { SPAN_KEY, SUPPRESS_KEY } from './fast-context.ts'
import { MillracePropagator } from './propagator.ts'

/**
 * Puts a {@link Tracer} behind `@opentelemetry/api`, so that instrumentation libraries work on it unchanged. Spans made
 * through the API and by the tracer itself are parents of each other.
 */
export class MillraceTracerProvider implements TracerProvider {
  readonly #tracer: Tracer
  readonly #tracers = new Map<string, ApiTracer>()

  constructor(tracer: Tracer) {
    this.#tracer = tracer
  }

  getTracer(name: string, version?: string, options?: ApiTracerOptions): ApiTracer {
    const scope: { name: string; version?: string; schemaUrl?: string } = {
      name: name || 'unknown',
    }
    if (version !== undefined) scope.version = version
    if (options?.schemaUrl !== undefined) scope.schemaUrl = options.schemaUrl
    const key = JSON.stringify([scope.name, scope.version, scope.schemaUrl])
    let known = this.#tracers.get(key)
    if (known === undefined) {
      known = new ApiScopedTracer(this.#tracer.scoped(scope))
      this.#tracers.set(key, known)
    }
    return known
  }

  /**
   * Registers provider, context manager and propagator globally. Returns false where another SDK was registered first;
   * the API keeps that one.
   */
  register(): boolean {
    const provider = trace.setGlobalTracerProvider(this)
    const manager = contextApi.setGlobalContextManager(new MillraceContextManager())
    const propagator = propagation.setGlobalPropagator(
      new MillracePropagator(this.#tracer.propagation),
    )
    return provider && manager && propagator
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
    return this.#start(name, options, context) as ApiSpan
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
    ...rest: [F] | [ApiSpanOptions, F] | [ApiSpanOptions, Context, F]
  ): ReturnType<F> {
    const fn = rest[rest.length - 1] as F
    const options = rest.length > 1 ? (rest[0] as ApiSpanOptions) : undefined
    const base = rest.length > 2 ? (rest[1] as Context) : contextApi.active()
    const span = this.#start(name, options, base) as ApiSpan
    return contextApi.with(base.setValue(SPAN_KEY, span), () => fn(span)) as ReturnType<F>
  }

  #start(name: string, options?: ApiSpanOptions, context?: Context): TracerSpan {
    let parent: TracerSpan | null
    let suppressed: boolean
    if (context === undefined) {
      const active = activeContext()
      parent = active.span
      suppressed = active.suppressed
    } else {
      parent = asTracerSpan(context.getValue(SPAN_KEY))
      suppressed = context.getValue(SUPPRESS_KEY) === true
    }
    if (options?.root === true) parent = null
    if (suppressed) return this.#tracer.startUnrecorded(parent)
    return this.#tracer.startUnder(name, parent, options as SpanOptions | undefined)
  }
}
