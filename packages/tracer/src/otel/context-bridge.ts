import { type Context, context as contextApi, ROOT_CONTEXT } from '@opentelemetry/api'
import {
  ActiveContext,
  type ContextBridge,
  runInOwn,
  setBridge,
} from '../context/active-context.ts'
import { asTracerSpan } from '../span/idle/as-tracer-span.ts'
import { ApiActiveContext, toApiContext } from './api-active-context.ts'
import { BAGGAGE_KEY, isContext, SPAN_KEY, SUPPRESS_KEY, valueIn } from './fast-context.ts'
import { toBaggage } from './span-bridge.ts'

/** Whether the API asks a manager of ours for what is active: it says so to none, but asks before anything can be active. */
let inCharge = false
/** Whether anybody uses the tracer through the API. */
let followed = false

/** Follows what is active for `@opentelemetry/api` from now on, wherever it is kept. */
export function followApi(): void {
  followed = true
  choose()
}

/** A context manager of ours is, or is no longer, the one that the API asks. */
export function takeCharge(taken: boolean): void {
  if (inCharge === taken) return
  inCharge = taken
  choose()
}

/** Whether the API asks a manager of ours: the only way to know is to ask the API for something. */
export function findCharge(): boolean {
  takeCharge(false)
  apiContext()
  return inCharge
}

function choose(): void {
  setBridge(followed && !inCharge ? API : null)
}

/** Runs `fn` in `context`, which holds a span that was just started: it is active for the tracer, too, whoever manages contexts. */
export function runInBoth<T>(context: Context, fn: () => T): T {
  // As the API has it then: where nothing keeps contexts, it is not the one that it was given.
  const run = () => runInOwn(new ApiActiveContext(context, apiContext()), fn)
  return runInApi(context, () => (inCharge ? fn() : run()))
}

/** Of the API, whose context manager is another's. */
const API: ContextBridge = {
  active(own) {
    const now = apiContext()
    const known = (own.foreign as Context | null) ?? ROOT_CONTEXT
    return now === known ? own : merged(own, known, now)
  },

  run(context, fn) {
    const { span, baggage, suppressed } = context
    return runInApi(toApiContext(context), () =>
      runInOwn(new ActiveContext(span, baggage, apiContext(), suppressed), fn),
    )
  },
}

/** What the API has active. A context manager of another's that throws, or tells what is no context, breaks no span. */
export function apiContext(): Context {
  try {
    const context = contextApi.active()
    return isContext(context) ? context : ROOT_CONTEXT
  } catch {
    return ROOT_CONTEXT
  }
}

function runInApi<T>(context: Context, fn: () => T): T {
  let begun = false
  try {
    const result = contextApi.with(context, () => {
      begun = true
      return fn()
    })
    if (begun) return result
  } catch (error) {
    if (begun) throw error
  }
  return fn()
}

/** What was merged last for a context of the API, so that a synchronous wrapper that marks it finds it again. */
const latest = new WeakMap<Context, { own: ActiveContext; context: ActiveContext }>()

/** The tracer's own context, with what the API made active since, when it had `known`. Keys that it left alone are the tracer's. */
function merged(own: ActiveContext, known: Context, now: Context): ActiveContext {
  const last = latest.get(now)
  if (last?.own === own) return last.context
  const changed = (key: symbol): boolean => valueIn(now, key) !== valueIn(known, key)
  const context = new ActiveContext(
    changed(SPAN_KEY) ? asTracerSpan(valueIn(now, SPAN_KEY)) : own.span,
    changed(BAGGAGE_KEY) ? toBaggage(valueIn(now, BAGGAGE_KEY)) : own.baggage,
    now,
    changed(SUPPRESS_KEY) ? valueIn(now, SUPPRESS_KEY) === true : own.suppressed,
  )
  latest.set(now, { own, context })
  return context
}
