import {
  type Context,
  ROOT_CONTEXT,
  type TextMapGetter,
  type TextMapPropagator,
  type TextMapSetter,
} from '@opentelemetry/api'
import { Baggage } from '../context/baggage.ts'
import { joined, Propagation, single } from '../propagation/propagation.ts'
import { formatTraceparent, parseTraceparent } from '../propagation/traceparent.ts'
import { asTracerSpan } from '../span/idle/as-tracer-span.ts'
import {
  BAGGAGE_KEY,
  isContext,
  SPAN_KEY,
  SUPPRESS_KEY,
  valueIn,
  withSpan,
} from './fast-context.ts'
import { toApiBaggage, toBaggage } from './span-bridge.ts'

/** W3C trace context (level 2) and baggage for `@opentelemetry/api`. Invalid headers leave the context as it is. */
export class MillracePropagator implements TextMapPropagator {
  readonly #propagation: Propagation

  /** @internal */
  constructor(propagation: Propagation = new Propagation()) {
    this.#propagation = propagation
  }

  inject(context: Context, carrier: unknown, setter: TextMapSetter): void {
    if (valueIn(context, SUPPRESS_KEY) === true) return
    const span = asTracerSpan(valueIn(context, SPAN_KEY))
    const baggage = toBaggage(valueIn(context, BAGGAGE_KEY))?.serialize() ?? ''
    try {
      if (this.#propagation.traceContext && span !== null) {
        setter.set(carrier, 'traceparent', formatTraceparent(span))
        const state = span.trace().state?.serialize() ?? ''
        if (state !== '') setter.set(carrier, 'tracestate', state)
      }
      if (this.#propagation.baggage && baggage !== '') setter.set(carrier, 'baggage', baggage)
    } catch {
      // A carrier that takes no headers: what it carries goes without them, and must not fail for it.
    }
  }

  extract(given: Context, carrier: unknown, getter: TextMapGetter): Context {
    const context = isContext(given) ? given : ROOT_CONTEXT
    try {
      return this.#extract(context, carrier, getter)
    } catch {
      // A carrier without headers, or a context that takes no values: nothing came along.
      return context
    }
  }

  #extract(given: Context, carrier: unknown, getter: TextMapGetter): Context {
    let context = given
    const { traceContext } = this.#propagation
    const traceparent = traceContext ? single(getter.get(carrier, 'traceparent')) : undefined
    if (traceparent !== undefined) {
      const span = parseTraceparent(traceparent, joined(getter.get(carrier, 'tracestate')))
      if (span !== undefined) context = withSpan(context, span)
    }
    const baggage = this.#propagation.baggage ? joined(getter.get(carrier, 'baggage')) : undefined
    if (baggage === undefined) return context
    const parsed = Baggage.parse(baggage)
    return parsed.size === 0 ? context : context.setValue(BAGGAGE_KEY, toApiBaggage(parsed))
  }

  fields(): string[] {
    return this.#propagation.fields
  }
}
