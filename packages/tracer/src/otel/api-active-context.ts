import { type Context, ROOT_CONTEXT } from '@opentelemetry/api'
import { ActiveContext } from '../context/active-context.ts'
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

/** An active context that came through the API: it remembers which span was the context's own. */
export class ApiActiveContext extends ActiveContext {
  readonly ownSpan: unknown

  /** @param active what the API calls active meanwhile */
  constructor(context: Context, active: Context = context) {
    const span = asTracerSpan(valueIn(context, SPAN_KEY))
    const baggage = toBaggage(valueIn(context, BAGGAGE_KEY))
    super(
      span,
      baggage,
      isContext(active) ? active : ROOT_CONTEXT,
      valueIn(context, SUPPRESS_KEY) === true,
    )
    this.ownSpan = span
  }
}

/** The API's view of a context that the tracer made itself. */
export function toApiContext({ span, baggage, foreign, suppressed }: ActiveContext): Context {
  let context = (foreign as Context | null) ?? ROOT_CONTEXT
  const current = span ?? undefined
  if (valueIn(context, SPAN_KEY) !== current) context = withSpan(context, current)
  if (baggage !== null && toBaggage(valueIn(context, BAGGAGE_KEY)) !== baggage) {
    context = context.setValue(BAGGAGE_KEY, toApiBaggage(baggage))
  }
  if (suppressed && valueIn(context, SUPPRESS_KEY) !== true) {
    context = context.setValue(SUPPRESS_KEY, true)
  }
  return context
}
