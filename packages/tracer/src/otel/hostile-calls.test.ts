import { EventEmitter } from 'node:events'
import {
  type Tracer as ApiTracer,
  type Attributes,
  type Context,
  context,
  defaultTextMapGetter,
  defaultTextMapSetter,
  type Link,
  propagation,
  ROOT_CONTEXT,
  type Span,
  type SpanContext,
  type SpanStatus,
  type TextMapPropagator,
  type TracerProvider,
  trace,
} from '@opentelemetry/api'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { MemoryExporter } from '../export/memory-exporter.ts'
import { extract, inject } from '../propagation/carrier.ts'
import type { ScopedTracer } from '../tracer/scoped-tracer.ts'
import { Tracer } from '../tracer/tracer.ts'
import { MillraceContextManager } from './context-manager.ts'
import { MillracePropagator } from './propagator.ts'
import { MillraceTracerProvider } from './tracer-provider.ts'

const boom = (): never => {
  throw new Error('boom')
}
const { proxy: revoked, revoke } = Proxy.revocable({}, {})
revoke()

/** What a program in JavaScript may pass where a type of the API is wanted. */
const hostile: readonly unknown[] = [
  undefined,
  null,
  0,
  -1.5,
  Number.NaN,
  2n ** 70n,
  '',
  '\ud800',
  true,
  Symbol('s'),
  [],
  {},
  Object.create(null),
  () => 1,
  boom,
  new Date(Number.NaN),
  new Map(),
  new Proxy({}, { get: boom, has: boom, ownKeys: boom, getPrototypeOf: boom }),
  revoked,
  { getValue: boom, setValue: boom, deleteValue: boom },
  { getValue: () => ({ spanContext: boom, getAllEntries: boom }), setValue: () => null },
  { toString: boom, valueOf: boom },
  new Proxy(Object.assign(Object.create(null)), { get: () => boom }),
  Object.defineProperties(
    {},
    Object.fromEntries(
      ['root', 'kind', 'attributes', 'links', 'startTime', 'parent', 'schemaUrl', 'code'].map(
        name => [name, { get: boom, enumerable: true }],
      ),
    ),
  ),
]

/** A right argument; where it is a callback, there is nothing to run without it, so it is never replaced. */
type Right = { readonly argument: unknown; readonly callback?: true }

/**
 * Right arguments of every method of an interface. The type demands each method, so that one which the API adds does not go untested.
 */
type Calls<T> = {
  readonly [M in keyof T as T[M] extends (...args: never[]) => unknown
    ? M
    : never]: readonly Right[]
}

const of = (...values: unknown[]): Right[] =>
  values.map(argument =>
    typeof argument === 'function' ? { argument, callback: true } : { argument },
  )

const spanContext: SpanContext = { traceId: 'a'.repeat(32), spanId: 'b'.repeat(16), traceFlags: 1 }
const attributes: Attributes = { a: 1 }
const link: Link = { context: spanContext, attributes }
const status: SpanStatus = { code: 2, message: 'm' }
const headers = { traceparent: `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01`, baggage: 'a=1' }

const spanCalls: Calls<Span> = {
  spanContext: of(),
  setAttribute: of('key', 1),
  setAttributes: of(attributes),
  addEvent: of('event', attributes, 1),
  addLink: of(link),
  addLinks: of([link]),
  setStatus: of(status),
  updateName: of('renamed'),
  isRecording: of(),
  recordException: of(new Error('x'), [1_700_000_000, 1]),
  end: of([1_700_000_000, 1]),
}
const tracerCalls: Calls<ApiTracer> = {
  startSpan: of('name', { attributes }, ROOT_CONTEXT),
  startActiveSpan: of('name', { attributes }, ROOT_CONTEXT, () => 1),
}
const providerCalls: Calls<TracerProvider> = { getTracer: of('lib', '1.0', { schemaUrl: 'u' }) }
const managerCalls: Calls<MillraceContextManager> = {
  active: of(),
  with: [...of(ROOT_CONTEXT, () => 1), { argument: undefined }, { argument: 1 }],
  bind: [...of(ROOT_CONTEXT), { argument: () => 1 }],
  attach: of(ROOT_CONTEXT),
  enable: of(),
  disable: of(),
}
const propagatorCalls: Calls<TextMapPropagator> = {
  inject: [
    ...of(trace.setSpanContext(ROOT_CONTEXT, spanContext), {}),
    { argument: defaultTextMapSetter, callback: true },
  ],
  extract: [...of(ROOT_CONTEXT, headers), { argument: defaultTextMapGetter, callback: true }],
  fields: of(),
}
const nativeCalls: Calls<Pick<ScopedTracer, 'startSpan' | 'span' | 'withSpan' | 'activeSpan'>> = {
  startSpan: of('name', { attributes, parent: spanContext }),
  span: of('name', { attributes }, () => 1),
  withSpan: of(trace.wrapSpanContext(spanContext), () => 1),
  activeSpan: of(),
}

const exporter = new MemoryExporter()
const tracer = new Tracer({ exporter, signals: [] })
const provider = new MillraceTracerProvider(tracer)

beforeAll(() => {
  expect(provider.register()).toBe(true)
})
afterEach(async () => {
  await tracer.flush()
  exporter.spans.length = 0
})
afterAll(() => {
  context.disable()
  propagation.disable()
  trace.disable()
  return tracer.close()
})

/** Each method with each argument replaced by each hostile value, with arguments left out, and with all of them replaced. */
function* combinations(rights: readonly Right[]): Iterable<unknown[]> {
  const right = rights.map(({ argument }) => argument)
  yield right
  for (const value of hostile) {
    for (let at = 0; at < rights.length; at++) {
      if (rights[at]!.callback) continue
      yield right.with(at, value)
      // The callback is the last one; without it, arguments may end anywhere.
      if (!rights.some(({ callback }) => callback)) yield [...right.slice(0, at), value]
    }
    yield rights.map(({ argument, callback }) => (callback ? argument : value))
  }
}

function callAll<T extends object>(
  make: () => T,
  calls: Calls<T> | object,
  accept: (given: unknown[]) => boolean = () => true,
): number {
  let made = 0
  for (const [method, rights] of Object.entries(calls) as [keyof T & string, Right[]][]) {
    for (const given of combinations(rights)) {
      if (!accept(given)) continue
      const target = make()
      const call = () => (target[method] as (...all: unknown[]) => unknown).apply(target, given)
      expect(call, `${method} with ${given.map(each => typeof each)}`).not.toThrow()
      made++
    }
  }
  return made
}

describe('no call throws, whatever it is given', () => {
  test.each([
    ['recorded', () => tracer.startSpan('s')],
    ['ended', () => ended(tracer.startSpan('s'))],
    ['idle', () => extract(headers).span!],
    ['suppressed', () => new Tracer().startSpan('s')],
  ])('of a span that is %s', (_, make) => {
    expect(callAll(make as () => Span, spanCalls)).toBeGreaterThan(200)
  })

  test('of a tracer of the API', async () => {
    expect(callAll(() => trace.getTracer('lib'), tracerCalls)).toBeGreaterThan(200)
    await tracer.flush()
    // What was started by startActiveSpan with a right callback has run it.
    expect(context.active()).toBe(ROOT_CONTEXT)
  })

  test('of the provider, the context manager and the propagator', () => {
    callAll(() => provider, providerCalls)
    callAll(() => new MillraceContextManager(), managerCalls)
    callAll(() => new MillracePropagator(), propagatorCalls)
    expect(context.active()).toBe(ROOT_CONTEXT)
  })

  test('of the API itself', () => {
    for (const value of hostile as never[]) {
      expect(context.with(value, () => 1)).toBe(1)
      expect(() => context.with(value, () => tracer.startSpan('x').end())).not.toThrow()
      expect(() => propagation.inject(value, {})).not.toThrow()
    }
    // A context is what the API demands; a span of the tracer's own under a foreign one is not lost.
    const seen = context.with(null as unknown as Context, () => context.active())
    expect(seen).toBe(ROOT_CONTEXT)
  })

  test('of startActiveSpan without a function, or with more than it takes', () => {
    const start = trace.getTracer('lib').startActiveSpan as (...all: unknown[]) => unknown
    expect(start.call(trace.getTracer('lib'), 'nothing')).toBeUndefined()
    const fn = (span: Span) => ended(span) && trace.getActiveSpan() === span
    expect(start.call(trace.getTracer('lib'), 'more', {}, ROOT_CONTEXT, fn, 'surplus')).toBe(true)
  })

  test('of bind, by emitters that cannot be changed and by proxies', () => {
    const manager = new MillraceContextManager()
    const emitters = [Object.freeze(new EventEmitter()), Object.seal(new EventEmitter())]
    for (const emitter of emitters) expect(manager.bind(ROOT_CONTEXT, emitter)).toBe(emitter)
    const fn = Proxy.revocable(() => 1, {})
    fn.revoke()
    expect(() => manager.bind(ROOT_CONTEXT, fn.proxy)).not.toThrow()
    expect(() => manager.bind(ROOT_CONTEXT, new Proxy(() => 1, { get: boom }))).not.toThrow()
  })

  test('of the tracer itself', () => {
    const { span, ...others } = nativeCalls
    callAll(() => tracer, others)
    // A function in the place of options is the callback.
    const noFunction = (given: unknown[]) =>
      given.slice(0, 2).every(each => typeof each !== 'function')
    callAll(() => tracer, { span }, noFunction)
    for (const value of hostile as never[]) {
      expect(() => inject({}, value)).not.toThrow()
      expect(() => tracer.span('x', () => inject(value))).not.toThrow()
      expect(() => extract(value)).not.toThrow()
    }
  })
})

test('what a hostile call starts is a span like any other', async () => {
  const api = trace.getTracer('lib')
  const parent = api.startSpan('parent')
  context.with(trace.setSpan(ROOT_CONTEXT, parent), () => {
    api.startActiveSpan('active', {}, undefined as never, span => {
      expect(trace.getActiveSpan()).toBe(span)
      span.end()
    })
    api.startSpan('null', {}, null as never).end()
    api.startSpan('none', null as never).end()
  })
  parent.end()
  await tracer.flush()
  const byName = Object.fromEntries(exporter.spans.map(span => [span.name, span]))
  const { spanId } = parent.spanContext()
  expect(byName.active?.parentSpanId).toBe(spanId)
  expect(byName.null?.parentSpanId).toBe(spanId)
  expect(byName.none?.parentSpanId).toBe(spanId)
})

function ended<S extends { end(): void }>(span: S): S {
  span.end()
  return span
}
