import { type Context, ROOT_CONTEXT } from '@opentelemetry/api'

/** The keys under which `@opentelemetry/api` and `@opentelemetry/core` keep what this package knows, too. */
export const SPAN_KEY: symbol = Symbol.for('OpenTelemetry Context Key SPAN')
export const BAGGAGE_KEY: symbol = Symbol.for('OpenTelemetry Baggage Key')
export const SUPPRESS_KEY: symbol = Symbol.for('OpenTelemetry SDK Context Key SUPPRESS_TRACING')

/**
 * A Context of `@opentelemetry/api` with a place of its own for the span: `trace.setSpan` on it costs one object of two
 * fields, where the API's own context clones a Map and makes three closures.
 */
class FastContext implements Context {
  readonly #span: unknown
  /** Everything but the span; never changed once shared. */
  readonly #rest: ReadonlyMap<symbol, unknown> | null

  constructor(span: unknown, rest: ReadonlyMap<symbol, unknown> | null) {
    this.#span = span
    this.#rest = rest
  }

  getValue(key: symbol): unknown {
    return key === SPAN_KEY ? this.#span : this.#rest?.get(key)
  }

  setValue(key: symbol, value: unknown): Context {
    if (key === SPAN_KEY) return new FastContext(value, this.#rest)
    return new FastContext(this.#span, new Map(this.#rest).set(key, value))
  }

  deleteValue(key: symbol): Context {
    if (key === SPAN_KEY) return new FastContext(undefined, this.#rest)
    if (this.#rest === null || !this.#rest.has(key)) return this
    const rest = new Map(this.#rest)
    rest.delete(key)
    return new FastContext(this.#span, rest.size === 0 ? null : rest)
  }
}

/** The context in which nothing is set; everything derived from it is fast, too. */
const ROOT: Context = new FastContext(undefined, null)

/** Whether a program passed a context: JavaScript may pass anything. */
export function isContext(context: unknown): context is Context {
  try {
    return typeof (context as Context | undefined)?.getValue === 'function'
  } catch {
    return false
  }
}

/** What a context holds under `key`; nothing where it is no context, or throws. */
export function valueIn(context: unknown, key: symbol): unknown {
  try {
    return (context as Context | undefined)?.getValue(key)
  } catch {
    // Not a context: `null` is dealt with above, and a program in JavaScript may pass anything else.
    return undefined
  }
}

/** The same context with `span` active; from the root where it is no context. */
export function withSpan(context: Context, span: unknown): Context {
  if (context === ROOT_CONTEXT) return ROOT.setValue(SPAN_KEY, span)
  try {
    return context.setValue(SPAN_KEY, span)
  } catch {
    // As above.
    return ROOT.setValue(SPAN_KEY, span)
  }
}
