import { runs } from '@millrace/testkit'
import { type Span as ApiSpan, context, trace } from '@opentelemetry/api'
import { ProtobufTraceSerializer } from '@opentelemetry/otlp-transformer'
import { InMemorySpanExporter, SimpleSpanProcessor, TracerProvider } from '@opentelemetry/sdk-trace'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { extract } from '../../propagation/carrier.ts'
import type { AttributeValue, Span } from '../../span/api/span.ts'
import { Tracer } from '../../tracer/tracer.ts'
import { JsonEncoder } from '../encoding/json-encoder.ts'
import { EncodingExporter, encodingTracer } from '../encoding-exporter.fixture.ts'
import {
  type DecodedRequest,
  type DecodedSpan,
  decodedSpans,
  decodeRequest,
  spansOf,
} from '../otlp-messages.fixture.ts'
import { ProtobufEncoder } from './protobuf-encoder.ts'

const text = fc.oneof(
  fc.string({ maxLength: 80 }),
  fc.string({ unit: 'binary', maxLength: 80 }),
  fc.constantFrom(
    'GET',
    'a value that comes again',
    'größer',
    '😀',
    '\ud800 alone',
    'x'.repeat(300),
  ),
)
/** Without the one name that OpenTelemetry, which keeps attributes in objects, loses. */
const key = fc
  .oneof(
    fc.string({ minLength: 1, maxLength: 40 }),
    fc.constantFrom('k', 'http.method', 'ключ', 'k'.repeat(140)),
  )
  .filter(name => name !== '__proto__')
const number = fc.oneof(
  fc.integer(),
  fc.maxSafeInteger(),
  fc.double(),
  fc.constantFrom(
    0,
    -0,
    127,
    128,
    -1,
    2 ** 31,
    2 ** 32,
    2 ** 53,
    2 ** 62,
    -(2 ** 63),
    2 ** 63,
    NaN,
    Infinity,
    -Infinity,
  ),
)
const scalar = fc.oneof(text, number, fc.boolean())
const value: fc.Arbitrary<AttributeValue> = fc.oneof(
  { weight: 6, arbitrary: scalar },
  { weight: 1, arbitrary: fc.array(fc.oneof(scalar, fc.constant(null)), { maxLength: 5 }) },
  { weight: 1, arbitrary: fc.uint8Array({ maxLength: 200 }) },
  {
    weight: 1,
    // OpenTelemetry drops maps with this key, as if they were objects of a class.
    arbitrary: fc.dictionary(
      key.filter(name => name !== 'constructor'),
      fc.oneof(scalar, fc.array(scalar, { maxLength: 3 })),
      {
        maxKeys: 4,
        noNullPrototype: true,
      },
    ),
  },
  { weight: 1, arbitrary: fc.constant(null) },
)
const pairs = fc.array(fc.tuple(key, value), { maxLength: 24 })
/** OpenTelemetry drops nested values in events and links; this library keeps them. */
const simplePairs = fc.array(fc.tuple(key, scalar), { maxLength: 8 })
const time = fc.tuple(
  fc.integer({ min: 1_600_000_000, max: 1_900_000_000 }),
  fc.integer({ min: 0, max: 999_999 }),
)
const spanModel = fc.record({
  name: text,
  kind: fc.constantFrom(0, 1, 2, 3, 4),
  attributes: pairs,
  events: fc.array(fc.tuple(text, simplePairs, time), { maxLength: 3 }),
  linked: fc.option(simplePairs),
  status: fc.constantFrom(
    { code: 0 },
    { code: 1 },
    { code: 2, message: 'went wrong ✗' },
    { code: 2 },
  ),
  error: fc.option(
    fc.constantFrom(
      new TypeError('bad'),
      Object.assign(new Error('coded'), { code: 'E_X' }),
      'text',
    ),
  ),
  start: time,
  duration: fc.integer({ min: 0, max: 100_000 }),
})
type SpanModel = typeof spanModel extends fc.Arbitrary<infer T> ? T : never

/** Whole microseconds, which both clocks keep exactly. */
function moment([seconds, micros]: readonly [number, number], plus = 0): [number, number] {
  return [seconds + Math.floor((micros + plus) / 1e6), ((micros + plus) % 1e6) * 1_000]
}

function fill(span: Span | ApiSpan, model: SpanModel, linked: Span | ApiSpan): void {
  const target = span as Span
  for (const [name, item] of model.attributes) target.setAttribute(name, item)
  for (const [name, attributes, at] of model.events) {
    target.addEvent(name, Object.fromEntries(attributes), moment(at))
  }
  if (model.error !== null) target.recordException(model.error, moment(model.start))
  if (model.linked !== null) {
    target.addLink({
      context: linked.spanContext() as never,
      attributes: Object.fromEntries(model.linked),
    })
  }
  target.setStatus(model.status as never)
  target.end(moment(model.start, model.duration))
}

/** What legitimately differs: ids, and the order of fields is of no meaning in a decoded message. */
function comparable(span: DecodedSpan) {
  const {
    traceId,
    spanId,
    parentSpanId,
    links,
    startTimeUnixNano,
    endTimeUnixNano,
    flags,
    events,
    ...rest
  } = span
  const sorted = <T extends { key: string }>(list: T[]) =>
    list.toSorted((one, two) => (one.key < two.key ? -1 : 1))
  const round = (nanos: unknown) => (BigInt(nanos as string) + 500n) / 1_000n
  return {
    ...rest,
    // They keep attributes in an object, which puts keys that look like numbers first.
    attributes: sorted(span.attributes),
    status: span.status ?? { message: '', code: 0 },
    hasParent: parentSpanId !== '',
    // Flags: ours tell that the trace id is random.
    flags: (flags as number) & ~2,
    start: round(startTimeUnixNano),
    end: round(endTimeUnixNano),
    events: (events as (DecodedSpan['events'][number] & { timeUnixNano: string })[]).map(event => ({
      ...event,
      timeUnixNano: round(event.timeUnixNano),
      attributes: sorted(event.attributes.filter(({ key }) => key !== 'exception.stacktrace')),
    })),
    links: (links as DecodedSpan[]).map(({ attributes }) => sorted(attributes)),
  }
}

/** Everything of a request by scope: ours repeat the resource for each in protobuf, and name it once in JSON. */
function byScope({ resourceSpans }: DecodedRequest) {
  const scopes = resourceSpans.flatMap(({ scopeSpans, ...rest }) =>
    scopeSpans.map(scope => ({ ...rest, ...scope })),
  )
  return Object.fromEntries(scopes.map(scope => [scope.scope.name, scope]))
}

describe('protobuf bytes', () => {
  test('decode to what @opentelemetry/otlp-transformer encodes of the same spans', () => {
    fc.assert(
      fc.property(fc.array(spanModel, { minLength: 1, maxLength: 6 }), models => {
        const ours = encodingTracer()
        const memory = new InMemorySpanExporter()
        const theirs = new TracerProvider({
          spanProcessors: [new SimpleSpanProcessor({ exporter: memory })],
        }).getTracer('x')
        const ourRoot = ours.tracer.startSpan('root')
        const theirRoot = theirs.startSpan('root')
        for (const model of models) {
          const options = { kind: model.kind as never, startTime: moment(model.start) }
          fill(ours.tracer.startSpan(model.name, { ...options, parent: ourRoot }), model, ourRoot)
          fill(
            theirs.startSpan(model.name, options, trace.setSpan(context.active(), theirRoot)),
            model,
            theirRoot,
          )
        }
        const expected = ProtobufTraceSerializer.serializeRequest(memory.getFinishedSpans())!
        expect(decodedSpans(ours.bytes()).map(comparable)).toEqual(
          decodedSpans(expected).map(comparable),
        )
      }),
      { numRuns: runs(150) },
    )
  })

  test('and JSON say the same, message by message', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(spanModel, fc.boolean()), { minLength: 1, maxLength: 4 }),
        fc.option(fc.constantFrom('vendor=1', 'a=b,c=d')),
        (models, tracestate) => {
          const exporter = new EncodingExporter(new ProtobufEncoder(), new JsonEncoder())
          const limits = {
            attributes: 12,
            events: 2,
            links: 1,
            attributesPerEvent: 4,
            valueLength: 60,
          }
          const tracer = new Tracer({ exporter, signals: [], limits })
          const library = tracer.scoped({
            name: 'lib',
            version: '1.2.3',
            schemaUrl: 'https://x/1',
            attributes: { a: 1 },
          })
          const traceparent = `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01`
          const { span: remote } = extract({ traceparent, tracestate: tracestate ?? undefined })
          for (const [model, scoped] of models) {
            const span = (scoped ? library : tracer).startSpan(model.name, {
              kind: model.kind as never,
              startTime: moment(model.start),
              parent: scoped ? remote : null,
              links: scoped ? [{ context: remote!.spanContext() }] : [],
            })
            fill(span, model, tracer.startSpan('linked'))
          }
          tracer.flushSync()
          const [binary, json] = exporter.takeDecoded()
          expect(byScope(json!)).toEqual(byScope(binary!))
          expect(spansOf(binary!)).toHaveLength(models.length)
        },
      ),
      { numRuns: runs(150) },
    )
  })

  test('carry resource, scopes and their spans apart', () => {
    const { tracer, bytes } = encodingTracer()
    const other = tracer.scoped({
      name: 'lib',
      version: '1.2.3',
      schemaUrl: 'https://x/1',
      attributes: { a: 1 },
    })
    tracer.startSpan('one').end()
    other.startSpan('two').end()
    tracer.startSpan('three').end()
    const { resourceSpans } = decodeRequest(bytes())
    for (const { resource } of resourceSpans) {
      expect(resource).toMatchObject({
        attributes: [
          { key: 'service.name', value: { stringValue: 'test' } },
          { key: 'nested', value: { kvlistValue: { values: [{ key: 'a' }] } } },
        ],
      })
    }
    const scopes = resourceSpans
      .flatMap(({ scopeSpans }) => scopeSpans)
      .map(({ scope, spans, schemaUrl }) => [scope.name, spans.map(span => span.name), schemaUrl])
    expect(scopes).toEqual([
      ['@millrace/tracer', ['one', 'three'], ''],
      ['lib', ['two'], 'https://x/1'],
    ])
  })

  test('leave out malformed ids of links, which would cost the whole request', () => {
    const exporter = new EncodingExporter(new ProtobufEncoder(), new JsonEncoder())
    const tracer = new Tracer({ exporter, signals: [] })
    const span = tracer.startSpan('linked')
    for (const [traceId, spanId] of [
      ['', 'x'],
      ['g'.repeat(32), '1'.repeat(16)],
      ['AB'.repeat(16), 'CD'.repeat(8)],
    ] as const) {
      span.addLink({ context: { traceId, spanId, traceFlags: 1 } })
    }
    span.end()
    tracer.flushSync()
    const base64 = (hex: string) => Buffer.from(hex, 'hex').toString('base64')
    for (const [decoded] of exporter.takeDecoded().map(spansOf)) {
      expect((decoded!.links as DecodedSpan[]).map(link => [link.traceId, link.spanId])).toEqual([
        ['', ''],
        ['', base64('11'.repeat(8))],
        [base64('ab'.repeat(16)), base64('cd'.repeat(8))],
      ])
    }
  })

  test('hold a span of more than two megabytes', () => {
    const { tracer, bytes } = encodingTracer()
    tracer.startSpan('before').end()
    tracer.startSpan('large', { attributes: { text: 'é'.repeat(1_500_000), after: 1 } }).end()
    tracer.startSpan('behind', { attributes: { after: 2 } }).end()
    const spans = decodedSpans(bytes())
    expect(spans.map(span => span.name)).toEqual(['before', 'large', 'behind'])
    expect((spans[1]!.attributes[0]!.value.stringValue as string).length).toBe(1_500_000)
    expect(spans[2]!.attributes).toMatchObject([{ value: { intValue: '2' } }])
  })

  test('stay right when more keys and names come than are remembered', () => {
    const { tracer, bytes } = encodingTracer()
    for (let i = 0; i < 3_000; i++) {
      const span = tracer.startSpan(`name ${i}`)
      for (const value of [1, 2]) span.setAttribute(`key ${i}`, value).setAttribute('same', `${i}`)
      span.end()
    }
    decodedSpans(bytes()).forEach((span, i) => {
      expect(span.name).toBe(`name ${i}`)
      expect(span.attributes).toEqual([
        { key: `key ${i}`, value: { intValue: '2' } },
        { key: 'same', value: { stringValue: `${i}` } },
      ])
    })
  })

  test('can be joined in pieces', () => {
    const encoder = new ProtobufEncoder()
    const { tracer, bytes } = encodingTracer(encoder)
    tracer.startSpan('one').end()
    const first = bytes()
    tracer.startSpan('two').end()
    const joined = Buffer.concat(encoder.frame([first, bytes()]))
    expect(decodedSpans(joined).map(span => span.name)).toEqual(['one', 'two'])
  })
})
