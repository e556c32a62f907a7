import type { Context, TextMapGetter, TextMapPropagator, TextMapSetter } from '@opentelemetry/api'
import { Baggage } from '../propagation/baggage.ts'
import { formatTraceparent, parseTraceparent } from '../propagation/traceparent.ts'
import { BAGGAGE_KEY, SPAN_KEY, SUPPRESS_KEY } from './fast-context.ts'
import { toApiBaggage, toBaggage, toTracerSpan } from './span-bridge.ts'

/** W3C trace context (level 2) and baggage for `@opentelemetry/api`. Invalid headers leave the context as it is. */
export class MillracePropagator implements TextMapPropagator {
  inject(context: Context, carrier: unknown, setter: TextMapSetter): void {
    const span = toTracerSpan(context.getValue(SPAN_KEY))
    if (context.getValue(SUPPRESS_KEY) === true) return
    if (span !== null) {
      setter.set(carrier, 'traceparent', formatTraceparent(span))
      const state = span.trace().state?.serialize() ?? ''
      if (state !== '') setter.set(carrier, 'tracestate', state)
    }
    const baggage = toBaggage(context.getValue(BAGGAGE_KEY))?.serialize() ?? ''
    if (baggage !== '') setter.set(carrier, 'baggage', baggage)
  }

  extract(context: Context, carrier: unknown, getter: TextMapGetter): Context {
    const traceparent = getter.get(carrier, 'traceparent')
    const state = joined(getter.get(carrier, 'tracestate'))
    const baggage = joined(getter.get(carrier, 'baggage'))
    if (Array.isArray(traceparent) ? traceparent.length === 1 : traceparent !== undefined) {
      const span = parseTraceparent(String(traceparent), state)
      if (span !== undefined) context = context.setValue(SPAN_KEY, span)
    }
    if (baggage === undefined) return context
    const parsed = Baggage.parse(baggage)
    return parsed.size === 0 ? context : context.setValue(BAGGAGE_KEY, toApiBaggage(parsed))
  }

  fields(): string[] {
    return ['traceparent', 'tracestate', 'baggage']
  }
}

function joined(value: string | string[] | undefined): string | undefined {
  return Array.isArray(value) ? value.join(',') : value
}
