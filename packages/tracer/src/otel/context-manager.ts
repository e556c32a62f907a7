import { EventEmitter } from 'node:events'
import {
  type Context,
  type ContextManagementToken,
  type ContextManager,
  context as contextApi,
  ROOT_CONTEXT,
} from '@opentelemetry/api'
import { ActiveContext, activeContext, enter, runWith } from '../context/active-context.ts'
import { asTracerSpan } from '../span/idle/as-tracer-span.ts'
import { bindEmitter } from './bind-emitter.ts'
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
class ApiActiveContext extends ActiveContext {
  readonly ownSpan: unknown

  /** @param active what the API calls active meanwhile */
  constructor(context: Context, active = context) {
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

/** Whether the API asks a manager of ours for what is active: it says so to none, but asks before anything can be active. */
let inCharge = false

/**
 * Whether what is active for `@opentelemetry/api` is what is active for the tracer. Not where another context manager is registered, or
 * none; and not before the API has asked for the first time.
 */
export function isInCharge(): boolean {
  return inCharge
}

/**
 * Runs `fn` in `context`, which holds a span that was just started, and makes that span active for the tracer too where another context
 * manager is at work: spans of either side become children of each other.
 */
export function runInBoth<T>(context: Context, fn: () => T): T {
  return contextApi.with(context, () => {
    // As the API has it now: where nothing keeps contexts, it is not the one that it was given.
    const active = contextApi.active()
    return inCharge ? fn() : runWith(new ApiActiveContext(context, active), fn)
  })
}

/**
 * Keeps the API's active context in the tracer's own asynchronous store, so that both see the same active span and the
 * process pays for one store. Register it with {@link MillraceTracerProvider.register}.
 */
export class MillraceContextManager implements ContextManager {
  active(): Context {
    inCharge = true
    const current = activeContext()
    if (current instanceof ApiActiveContext && current.span === current.ownSpan) {
      return current.foreign as Context
    }
    return derive(current)
  }

  with<A extends unknown[], F extends (...args: A) => ReturnType<F>>(
    context: Context,
    fn: F,
    thisArg?: ThisParameterType<F>,
    ...args: A
  ): ReturnType<F> {
    return runWith(new ApiActiveContext(context), () => Reflect.apply(fn, thisArg, args))
  }

  bind<T>(context: Context, target: T): T {
    if (isEmitter(target)) return bindEmitter(this, context, target)
    if (typeof target !== 'function') return target
    const fn = target as unknown as (this: unknown, ...args: unknown[]) => unknown
    const manager = this
    const bound = function (this: unknown, ...args: unknown[]): unknown {
      return manager.with(context, () => Reflect.apply(fn, this, args))
    }
    try {
      Object.defineProperty(bound, 'length', { value: fn.length, configurable: true })
    } catch {
      // A proxy with a trap that throws: calling it will tell.
    }
    return bound as T
  }

  attach(context: Context): ContextManagementToken {
    const previous = activeContext()
    enter(new ApiActiveContext(context))
    return { dispose: () => enter(previous) }
  }

  enable(): this {
    return this
  }

  disable(): this {
    inCharge = false
    return this
  }
}

function isEmitter<T>(target: T): target is T & EventEmitter {
  try {
    return target instanceof EventEmitter
  } catch {
    // A revoked proxy, or one with a trap that throws.
    return false
  }
}

/** The API's view of a context that the tracer made itself. */
function derive({ span, baggage, foreign, suppressed }: ActiveContext): Context {
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
