import { IncomingMessage } from 'node:http'
import { Socket } from 'node:net'
import { defaultTextMapGetter, defaultTextMapSetter, ROOT_CONTEXT, trace } from '@opentelemetry/api'
import { describe, expect, test } from 'vitest'
import { suppressTracing } from '../context/active-context.ts'
import { Baggage } from '../context/baggage.ts'
import { MemoryExporter } from '../export/memory-exporter.ts'
import { MillracePropagator } from '../otel/propagator.ts'
import { Tracer } from '../tracer/tracer.ts'
import { extract, inject } from './carrier.ts'
import { type IncomingHeaders, type OutgoingHeaders, single } from './headers.ts'
import { RemoteParent } from './remote-parent.ts'

const traceparent = `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01`
const values = { traceparent, tracestate: 'x=1', baggage: 'tenant=acme' }
const boom = (): never => {
  throw new Error('boom')
}
/** Someone's span and baggage, as they came. */
const parent = extract(values)

function seen(headers: IncomingHeaders) {
  const { span, baggage } = extract(headers)
  return {
    traceparent: span === null ? undefined : traceparent,
    tracestate: span?.spanContext().traceState?.serialize(),
    baggage: baggage?.serialize(),
  }
}

/** Injects the parent with its baggage. */
function sendTo(headers: OutgoingHeaders): void {
  const tracer = new Tracer({ exporter: new MemoryExporter(), signals: [] })
  tracer.span('x', { parent }, () => inject(headers, parent.span!))
}

describe('what headers come in', () => {
  const message = new IncomingMessage(new Socket())
  for (const [name, value] of Object.entries(values)) message.headers[name] = value
  class Inherited {
    get traceparent() {
      return traceparent
    }
    get tracestate() {
      return 'x=1'
    }
    get baggage() {
      return 'tenant=acme'
    }
  }
  test.each([
    ['an object', values],
    ['one without a prototype', Object.assign(Object.create(null), values)],
    ['a frozen one', Object.freeze({ ...values })],
    ['getters', new Inherited()],
    ['headers of node:http', message.headers],
    ['Headers of fetch', new Headers(values)],
    ['Headers of a Request', new Request('http://localhost', { headers: values }).headers],
    ['a Map', new Map(Object.entries(values))],
    ['lists', { traceparent: [traceparent], tracestate: ['x=1'], baggage: ['tenant=acme'] }],
    ['a Map of lists', new Map(Object.entries(values).map(([k, v]) => [k, [v]]))],
    [
      'names in any case',
      { Traceparent: traceparent, TraceState: 'x=1', BAGGAGE: 'tenant=acme', baggag: 'a=1' },
    ],
  ] as [string, IncomingHeaders][])('%s', (_, headers) => {
    expect(seen(headers)).toEqual(values)
  })

  test('pieces of a list are joined, and a parent that comes twice is none', () => {
    expect(seen({ ...values, tracestate: ['a=1', 'b=2'], baggage: ['c=3', 'd=4'] })).toEqual({
      traceparent,
      tracestate: 'a=1,b=2',
      baggage: 'c=3,d=4',
    })
    expect(extract({ traceparent: [traceparent, traceparent] }).span).toBeNull()
    expect(
      extract(
        new Headers([
          ['traceparent', traceparent],
          ['traceparent', traceparent],
        ]),
      ).span,
    ).toBeNull()
  })

  test.each(['traceparent', 'tracestate', 'baggage'] as const)(
    'one of which cannot be read (%s) are the others',
    name => {
      const headers = Object.defineProperty({ ...values }, name, { get: boom })
      const expected = { ...values, [name]: undefined }
      // Without a parent there is nothing whose state it could be.
      const tracestate = name === 'traceparent' ? undefined : expected.tracestate
      expect(seen(headers)).toEqual({ ...expected, tracestate })
      const getter = {
        keys: () => [],
        get: (_: unknown, asked: string) => (asked === name ? boom() : values[asked as never]),
      }
      const context = new MillracePropagator().extract(ROOT_CONTEXT, {}, getter)
      expect(trace.getSpanContext(context) === undefined).toBe(name === 'traceparent')
    },
  )

  const strange = [
    undefined,
    null,
    5,
    'traceparent',
    [],
    Symbol('s'),
    () => {},
    { get: boom },
    { get: () => ({}) },
    new Map([['traceparent', 5]]),
    new Proxy({}, { get: boom, ownKeys: boom }),
    { traceparent: { toString: boom } },
    { traceparent: [{ toString: boom }], baggage: [{ toString: boom }, Symbol('s')] },
  ] as never[]

  // By number: printing them would run their traps.
  test.each([...strange.keys()])('anything else is no parent (%i)', i => {
    const { span, baggage } = extract(strange[i]!)
    expect([span, baggage]).toEqual([null, null])
  })
})

describe('what headers go out', () => {
  test('an object, Headers of fetch and a Map get them', () => {
    const [object, headers, map] = [{}, new Headers(), new Map<string, string>()]
    for (const each of [object, headers, map]) sendTo(each)
    expect(object).toEqual(values)
    expect(Object.fromEntries(headers)).toEqual(values)
    expect(Object.fromEntries(map)).toEqual(values)
    // What was there is replaced, not repeated.
    for (const each of [headers, map]) sendTo(each)
    expect(Object.fromEntries(headers)).toEqual(values)
    expect(map.size).toBe(3)
  })

  test('those that refuse stay as they were, and nothing throws', () => {
    const refusing: never[] = [
      undefined,
      null,
      5,
      'text',
      Object.freeze({}),
      Object.preventExtensions({}),
      new Proxy({}, { set: boom, get: boom }),
      { set: boom },
      // Its guard is "immutable".
      Response.error().headers,
    ] as never[]
    for (const headers of refusing) {
      expect(() => sendTo(headers)).not.toThrow()
      const context = trace.setSpan(ROOT_CONTEXT, parent.span as never)
      expect(() =>
        new MillracePropagator().inject(context, headers, defaultTextMapSetter),
      ).not.toThrow()
    }
    expect([...Response.error().headers]).toEqual([])
  })

  test('a header that is refused takes no other with it', () => {
    const headers = Object.defineProperty({}, 'traceparent', { set: boom })
    sendTo(headers)
    expect(headers).toEqual({ baggage: 'tenant=acme' })
  })

  test('nothing is written where nothing is traced, unless a span is given', () => {
    const headers = {}
    const tracer = new Tracer({ exporter: new MemoryExporter(), signals: [] })
    tracer.span('x', { parent }, () => suppressTracing(() => inject(headers)))
    expect(headers).toEqual({})
  })

  test('baggage that cannot be written takes no parent with it', () => {
    const hostile = new RemoteParent(
      parent.span,
      Object.assign(new Baggage([['a', { value: 'b' }]]), { serialize: boom }),
    )
    const tracer = new Tracer({ exporter: new MemoryExporter(), signals: [] })
    const headers: Record<string, string> = {}
    tracer.span('x', { parent: hostile }, () => inject(headers))
    expect(headers.traceparent).toContain('a'.repeat(32))
    expect(headers.baggage).toBeUndefined()
  })
})

test('a getter of the API gives lists as well', () => {
  const context = new MillracePropagator().extract(
    ROOT_CONTEXT,
    { traceparent: [traceparent] },
    defaultTextMapGetter,
  )
  expect(trace.getSpanContext(context)?.traceId).toBe('a'.repeat(32))
  expect(single(() => [traceparent, traceparent], 'traceparent')).toBeUndefined()
})
