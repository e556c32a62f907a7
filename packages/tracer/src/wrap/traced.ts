import { type ActiveContext, activeContext, runWith } from '../context/active-context.ts'
import type { TracerSpan } from '../span/base-span.ts'
import type { Attributes, Span, SpanKind, SpanOptions } from '../span/span.ts'
import { endWith, errorType, fail } from './run-span.ts'

// biome-ignore lint/suspicious/noExplicitAny: a wrapper must accept every function type
type AnyFunction = (this: any, ...args: any[]) => any

export interface TracedOptions<F extends AnyFunction = AnyFunction> {
  /** Name of the spans. @default the function's name */
  name?: string
  /** @default SpanKind.INTERNAL */
  kind?: SpanKind
  /** Attributes of every span. */
  attributes?: Attributes
  /**
   * The function finishes before it returns, and starts nothing asynchronous whose spans should be its children (they
   * would become its siblings). The span is then activated by two stores instead of a new asynchronous context: about 100
   * instead of 300 ns a call on Node 24. @default false
   */
  sync?: boolean
  /** Adds attributes from the call. Runs only for recorded spans, before the function. */
  before?: (span: Span, args: Parameters<F>) => void
}

/** Makes spans for wrapped functions; a tracer. */
export interface SpanStarter {
  start(name: string, options: SpanOptions | undefined, active: ActiveContext): TracerSpan
}

/** Wraps a function so that each call is a span. Keeps `this`, name, length and whether it is async. */
export function wrap<F extends AnyFunction>(
  tracer: SpanStarter,
  fn: F,
  options: TracedOptions<F>,
): F {
  const name = options.name ?? (fn.name === '' ? 'anonymous' : fn.name)
  const { before, kind, attributes } = options
  let spanOptions: SpanOptions | undefined
  if (kind !== undefined || attributes !== undefined) spanOptions = defined({ kind, attributes })
  let begin: Begin<F> = (_, active) => tracer.start(name, spanOptions, active)
  if (before !== undefined) {
    begin = (args, active) => {
      const span = tracer.start(name, spanOptions, active)
      if (span.isRecording()) tell(before, span, args)
      return span
    }
  }
  let wrapped: AnyFunction
  if (options.sync !== true) wrapped = wrapAny(begin, fn)
  else if (before !== undefined) wrapped = wrapSync(begin, fn)
  else wrapped = wrapLean(tracer, name, spanOptions, fn)
  return Object.defineProperties(wrapped, {
    name: { value: fn.name, configurable: true },
    length: { value: fn.length, configurable: true },
  }) as F
}

/** Lets the user's hook add attributes; what it throws must not break the call it looks at. */
function tell<F extends AnyFunction>(
  before: (span: Span, args: Parameters<F>) => void,
  span: Span,
  args: Parameters<F>,
): void {
  try {
    before(span, args)
  } catch (error) {
    span.addEvent('before failed', { 'error.type': errorType(error) })
  }
}

type Begin<F extends AnyFunction> = (args: Parameters<F>, active: ActiveContext) => TracerSpan

function wrapAny<F extends AnyFunction>(begin: Begin<F>, fn: F): AnyFunction {
  return function (this: ThisParameterType<F>, ...args: Parameters<F>) {
    const active = activeContext()
    const span = begin(args, active)
    return runWith(active.withSpan(span), () => {
      try {
        return endWith(span, fn.apply(this, args))
      } catch (error) {
        fail(span, error)
        throw error
      }
    })
  }
}

function wrapSync<F extends AnyFunction>(begin: Begin<F>, fn: F): AnyFunction {
  return function (this: ThisParameterType<F>, ...args: Parameters<F>) {
    const context = activeContext()
    const span = begin(args, context)
    const outer = context.span
    context.span = span
    let result: unknown
    try {
      result = fn.apply(this, args)
    } catch (error) {
      context.span = outer
      fail(span, error)
      throw error
    }
    context.span = outer
    span.end()
    return result
  }
}

/** As {@link wrapSync}, but its arguments only pass through, so that the engine never makes an array of them. */
function wrapLean<F extends AnyFunction>(
  tracer: SpanStarter,
  name: string,
  options: SpanOptions | undefined,
  fn: F,
): AnyFunction {
  return function (this: ThisParameterType<F>, ...args: Parameters<F>) {
    const context = activeContext()
    const span = tracer.start(name, options, context)
    const outer = context.span
    context.span = span
    let result: unknown
    try {
      result = fn.apply(this, args)
    } catch (error) {
      context.span = outer
      fail(span, error)
      throw error
    }
    context.span = outer
    span.end()
    return result
  }
}

function defined({ kind, attributes }: SpanOptionParts): SpanOptions {
  const options: SpanOptions = {}
  if (kind !== undefined) options.kind = kind
  if (attributes !== undefined) options.attributes = attributes
  return options
}

interface SpanOptionParts {
  kind: SpanKind | undefined
  attributes: Attributes | undefined
}
