import {
  checkBoolean,
  checkFunction,
  checkInteger,
  checkRecord,
  checkText,
  heed,
  imitate,
  isGeneratorFunction,
  type OptionRules,
  optional,
  type Resolved,
  resolveOptions,
} from '@millrace/kit'
import { type ActiveContext, activeContext, runWith } from '../context/active-context.ts'
import { type Attributes, type Span, SpanKind, type SpanOptions } from '../span/api/span.ts'
import { errorType } from '../span/recorded/exception-facts.ts'
import type { TracerSpan } from '../span/tracer-span.ts'
import { endWith, fail } from './run-span.ts'

// biome-ignore lint/suspicious/noExplicitAny: a wrapper must accept every function type
export type AnyFunction = (this: any, ...args: any[]) => any

export interface TracedOptions<F extends AnyFunction = AnyFunction> {
  /** Name of the spans. Default: the function's name */
  readonly name?: string | undefined
  /** Role of the spans. Default: SpanKind.INTERNAL */
  readonly kind?: SpanKind | undefined
  /** Attributes of every span. Default: none */
  readonly attributes?: Attributes | undefined
  /**
   * The function finishes before it returns, and starts nothing asynchronous whose spans should be its children (they
   * would become its siblings). The span is then activated by two stores instead of a new asynchronous context, which is
   * most of the cost of a call. Ignored for generators, which go on after they were made. Default: false
   */
  readonly sync?: boolean | undefined
  /** Adds attributes from the call. Runs only for recorded spans, before the function. Default: none */
  readonly before?: ((span: Span, args: Parameters<F>) => void) | undefined
}

const OPTIONS: OptionRules<TracedOptions, Resolved<TracedOptions, keyof TracedOptions>> = {
  name: optional(checkText),
  kind: optional(checkKind),
  attributes: optional(checkRecord<Attributes>, 'an object of attributes'),
  sync: optional(checkBoolean),
  before: optional(checkFunction<NonNullable<TracedOptions['before']>>),
}

function checkKind(option: string, kind: SpanKind): SpanKind {
  checkInteger(option, kind, SpanKind.INTERNAL, SpanKind.CONSUMER)
  return kind
}

/** @throws InvalidOptionError */
export function checkTraced<F extends AnyFunction>(options: TracedOptions<F>): void {
  resolveOptions('', options as TracedOptions, OPTIONS)
}

/** Makes spans for wrapped functions; a tracer. */
export interface SpanStarter {
  start(name: string, options: SpanOptions | undefined, active: ActiveContext): TracerSpan
}

/** Wraps a function so that each call is a span. Keeps `this`, name, length, own properties and whether it is async. */
export function wrap<F extends AnyFunction>(
  tracer: SpanStarter,
  fn: F,
  options: TracedOptions<F>,
): F {
  const name = options.name ?? nameOf(fn)
  const { before, kind, attributes } = options
  const spanOptions: SpanOptions | undefined =
    kind === undefined && attributes === undefined ? undefined : { kind, attributes }
  let begin: Begin<F> = (_, active) => tracer.start(name, spanOptions, active)
  if (before !== undefined) {
    begin = (args, active) => {
      const span = tracer.start(name, spanOptions, active)
      if (span.isRecording()) askBefore(before, span, args)
      return span
    }
  }
  let wrapped: AnyFunction
  if (options.sync !== true || isGeneratorFunction(fn)) wrapped = wrapAny(begin, fn)
  else if (before !== undefined) wrapped = wrapSync(begin, fn)
  else wrapped = wrapLean(tracer, name, spanOptions, fn)
  return imitate(wrapped, fn)
}

/** A class may have a static `name` of its own, and a function none. */
function nameOf(fn: AnyFunction): string {
  const { name }: { name: unknown } = fn
  return typeof name === 'string' && name !== '' ? name : 'anonymous'
}

/** Lets the user's hook add attributes; what it throws must not break the call it looks at. */
function askBefore<F extends AnyFunction>(
  before: (span: Span, args: Parameters<F>) => unknown,
  span: Span,
  args: Parameters<F>,
): void {
  const failed = (error: unknown): void => {
    span.addEvent('before failed', { 'error.type': errorType(error) })
  }
  try {
    heed(before(span, args), failed)
  } catch (error) {
    failed(error)
  }
}

type Begin<F extends AnyFunction> = (args: Parameters<F>, active: ActiveContext) => TracerSpan

function wrapAny<F extends AnyFunction>(begin: Begin<F>, fn: F): AnyFunction {
  return function (this: ThisParameterType<F>, ...args: Parameters<F>) {
    const active = activeContext()
    const span = begin(args, active)
    return runWith(active.withSpan(span), () => {
      try {
        return endWith(span, Reflect.apply(fn, this, args))
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
      result = Reflect.apply(fn, this, args)
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
      result = Reflect.apply(fn, this, args)
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
