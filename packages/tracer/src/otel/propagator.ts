import type { Context, TextMapGetter, TextMapPropagator, TextMapSetter } from '@opentelemetry/api'
import { Baggage } from '../context/baggage.ts'
import { joined, Propagation, single } from '../propagation/propagation.ts'
import { formatTraceparent, parseTraceparent } from '../propagation/traceparent.ts'
import { asTracerSpan } from '../span/idle/as-tracer-span.ts'
import { BAGGAGE_KEY, SPAN_KEY, SUPPRESS_KEY } from './fast-context.ts'
import { toApiBaggage, toBaggage } from './span-bridge.ts'

/** W3C trace context (level 2) and baggage for `@opentelemetry/api`. Invalid headers leave the context as it is. */
export class MillracePropagator implements TextMapPropagator {
  readonly #propagation: Propagation

  constructor(propagation: Propagation = new Propagation()) {
    this.#propagation = propagation
  }

  inject(context: Context, carrier: unknown, setter: TextMapSetter): void {
    const span = asTracerSpan(context.getValue(SPAN_KEY))
    if (context.getValue(SUPPRESS_KEY) === true) return
    if (this.#propagation.traceContext && span !== null) {
      setter.set(carrier, 'traceparent', formatTraceparent(span))
      const state = span.trace().state?.serialize() ?? ''
      if (state !== '') setter.set(carrier, 'tracestate', state)
    }
    if (!this.#propagation.baggage) return
    const baggage = toBaggage(context.getValue(BAGGAGE_KEY))?.serialize() ?? ''
    if (baggage !== '') setter.set(carrier, 'baggage', baggage)
  }

  extract(context: Context, carrier: unknown, getter: TextMapGetter): Context {
    const { traceContext } = this.#propagation
    const traceparent = traceContext ? single(getter.get(carrier, 'traceparent')) : undefined
    if (traceparent !== undefined) {
      const span = parseTraceparent(traceparent, joined(getter.get(carrier, 'tracestate')))
      if (span !== undefined) context = context.setValue(SPAN_KEY, span)
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
