import { expect, test } from 'vitest'
import { JsonEncoder } from './otlp/encoding/json-encoder.ts'
import { EncodingExporter } from './otlp/encoding-exporter.fixture.ts'
import { type DecodedSpan, spansOf } from './otlp/otlp-messages.fixture.ts'
import { ProtobufEncoder } from './otlp/protobuf/protobuf-encoder.ts'
import { extract, inject } from './propagation/carrier.ts'
import { RECORD_AND_SAMPLE } from './sampling/sampler.ts'
import { ratio } from './sampling/samplers.ts'
import { Tracer } from './tracer/tracer.ts'
import type { TracerOptions } from './tracer/tracer-options.ts'

const boom = () => {
  throw new Error('boom')
}
const trap = new Proxy({}, { get: boom, has: boom, ownKeys: boom, getPrototypeOf: boom })
const { proxy: revoked, revoke } = Proxy.revocable({}, {})
revoke()
const valid = { traceId: 'a'.repeat(32), spanId: 'b'.repeat(16), traceFlags: 1 }

/** Values for every option, each in a place where something else belongs. */
const values: readonly unknown[] = [
  null,
  1,
  300,
  -1,
  1.5,
  'text',
  Symbol('s'),
  2n,
  [],
  trap,
  revoked,
  new Proxy(new Date(), {}),
  new Date(Number.NaN),
  { spanContext: boom },
  { spanContext: () => trap },
  { spanContext: () => null },
  { ...valid, traceFlags: Symbol('flags') },
  { ...valid, traceState: { serialize: boom } },
  { ...valid, traceState: { serialize: () => Symbol('state') } },
  { ...valid, traceId: trap },
]
const names = ['kind', 'attributes', 'links', 'startTime', 'parent'] as const
const options: readonly unknown[] = [
  ...values,
  ...names.flatMap(name => values.map(value => ({ [name]: value }))),
  ...names.map(name => Object.defineProperty({}, name, { get: boom, enumerable: true })),
  ...values.map(context => ({ links: [{ context }, context] })),
  { links: [Object.defineProperty({ context: valid }, 'attributes', { get: boom })] },
]

test.each([
  ['a tracer that records everything', {}],
  ['a probability', { sampler: ratio(0.5) }],
  ['tail sampling', { tail: { quantile: 1, slowerThan: 1e-9 } }],
  ['a sampler that throws', { sampler: { description: 'throws', sample: boom } }],
  [
    'an asynchronous sampler',
    { sampler: { description: 'later', sample: (async () => boom()) as never } },
  ],
  [
    'a sampler that looks at everything',
    {
      sampler: {
        description: 'curious',
        parentBased: false,
        sample: request => {
          JSON.stringify({ ...request })
          return RECORD_AND_SAMPLE
        },
      },
    },
  ],
] as [string, TracerOptions][])(
  'no option of a span makes %s throw or spoils its bytes',
  (_, given) => {
    const exporter = new EncodingExporter(new ProtobufEncoder(), new JsonEncoder())
    const tracer = new Tracer({ exporter, signals: [], ...given })
    for (const option of options as never[]) {
      tracer.startSpan('start', option).end(option)
      tracer.startSpan(option).end()
      expect(tracer.span('span', option, () => 1)).toBe(1)
      expect(tracer.withSpan(option, () => 2)).toBe(2)
      tracer.startSpan('under', { parent: option }).end()
      inject({}, option)
      expect(extract(option).baggage).toBeNull()
      expect(extract({ traceparent: option, tracestate: option, baggage: option }).span).toBeNull()
    }
    tracer.flushSync()
    const { started, ended, exported, rejected, waiting, held, poolFree } = tracer.stats()
    expect(ended).toBe(started)
    expect({ counted: exported + rejected, waiting, held, poolFree }).toEqual({
      counted: ended,
      waiting: 0,
      held: 0,
      poolFree: 1_000,
    })
    const [binary, json] = exporter.takeDecoded().map(spansOf)
    expect(json).toEqual(binary)
    expect(binary).toHaveLength(exported)
    for (const { kind, startTimeUnixNano } of binary as (DecodedSpan & { kind: number })[]) {
      expect([1, 2, 3, 4, 5]).toContain(kind)
      expect(BigInt(startTimeUnixNano as string)).toBeGreaterThanOrEqual(0n)
    }
  },
)

test('a link is exported as it was when it was added', () => {
  const exporter = new EncodingExporter(new ProtobufEncoder())
  const tracer = new Tracer({ exporter, signals: [] })
  const state = { serialize: () => 'vendor=1' }
  const context = { ...valid, isRemote: true, traceState: state as never }
  const span = tracer.startSpan('linked', { links: [{ context }] })
  context.spanId = 'c'.repeat(16)
  context.traceFlags = 0
  state.serialize = boom as never
  span.end()
  tracer.flushSync()
  const [decoded] = spansOf(exporter.takeDecoded()[0]!)
  expect(decoded!.links).toMatchObject([
    {
      spanId: Buffer.from('bb'.repeat(8), 'hex').toString('base64'),
      traceState: 'vendor=1',
      flags: 0x301,
    },
  ])
})
