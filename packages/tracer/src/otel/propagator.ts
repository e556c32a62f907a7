import {
  type Context,
  ROOT_CONTEXT,
  type TextMapGetter,
  type TextMapPropagator,
  type TextMapSetter,
} from '@opentelemetry/api'
import { Propagation } from '../propagation/propagation.ts'
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

/**
 * The headers that the tracer's option `propagators` names, for `@opentelemetry/api`. Default: W3C trace context and baggage. Invalid
 * headers leave the context as it is.
 */
export class MillracePropagator implements TextMapPropagator {
  readonly #propagation: Propagation

  /** @internal */
  constructor(propagation: Propagation = new Propagation()) {
    this.#propagation = propagation
  }

  inject(context: Context, carrier: unknown, setter: TextMapSetter): void {
    if (valueIn(context, SUPPRESS_KEY) === true) return
    this.#propagation.write(
      (name, value) => setter.set(carrier, name, value),
      asTracerSpan(valueIn(context, SPAN_KEY)),
      toBaggage(valueIn(context, BAGGAGE_KEY)),
    )
  }

  extract(given: Context, carrier: unknown, getter: TextMapGetter): Context {
    let context = isContext(given) ? given : ROOT_CONTEXT
    const { span, baggage } = this.#propagation.read(name => getter.get(carrier, name))
    if (span !== null) context = withSpan(context, span)
    if (baggage === null || baggage.size === 0) return context
    try {
      return context.setValue(BAGGAGE_KEY, toApiBaggage(baggage))
    } catch {
      // A context that takes no values: a program in JavaScript may pass anything.
      return context
    }
  }

  fields(): string[] {
    return this.#propagation.fields
  }
}
