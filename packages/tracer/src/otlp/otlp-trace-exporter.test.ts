import { VirtualClock } from '@millrace/testkit'
import { expect, test } from 'vitest'
import { Tracer } from '../tracer/tracer.ts'
import { Collector } from './collector.fixture.ts'
import { OtlpTraceExporter } from './otlp-trace-exporter.ts'
import { otlpTracer, settle } from './otlp-tracer.fixture.ts'

test.each([
  { protocol: 'http/protobuf', compression: 'none', type: 'application/x-protobuf' },
  { protocol: 'http/protobuf', compression: 'gzip', type: 'application/x-protobuf' },
  { protocol: 'http/json', compression: 'none', type: 'application/json' },
  { protocol: 'http/json', compression: 'gzip', type: 'application/json' },
] as const)('sends $protocol with compression $compression', async ({ type, ...options }) => {
  await using collector = await Collector.start()
  const { tracer, spans } = otlpTracer({
    url: collector.url,
    headers: { 'x-key': 'k' },
    ...options,
  })
  spans(1_500)
  await tracer.close()
  expect(collector.names).toEqual(Array.from({ length: 1_500 }, (_, i) => `s${i}`))
  expect(collector.accepted[0]?.headers).toMatchObject({ 'content-type': type, 'x-key': 'k' })
  expect(tracer.stats()).toMatchObject({ exported: 1_500, dropped: 0, queued: 0, queuedBytes: 0 })
})

test('sends by itself after the delay, and early when a request is full', async () => {
  await using collector = await Collector.start()
  const clock = new VirtualClock()
  const exporter = new OtlpTraceExporter({ url: collector.url, clock, maxRequestBytes: 100_000 })
  const tracer = new Tracer({ exporter, clock, signals: [], delay: 2_000 })
  tracer.startSpan('one').end()
  clock.advance(1_999)
  expect(tracer.stats()).toMatchObject({ waiting: 1 })
  clock.advance(1)
  await collector.requested(1)
  for (let i = 0; i < 4_000; i++) tracer.startSpan('many').end()
  await collector.requested(2)
  await tracer.close()
  expect(collector.names.length).toBe(4_001)
  expect(collector.mostConcurrent).toBe(1)
  for (const { body } of collector.accepted) expect(body.length).toBeLessThan(180_000)
})

test('memory that is written on again never shows in what was sent before', async () => {
  await using collector = await Collector.start()
  // Every fifth attempt is repeated, from the same memory.
  collector.answer = request => ({ status: request % 5 === 0 ? 503 : 200 })
  const { tracer, clock } = otlpTracer({ url: collector.url, maxRequestBytes: 200_000 })
  const expected: string[] = []
  for (let round = 0; round < 30; round++) {
    for (let i = 0; i < 400; i++) {
      const text = `${round}-${i}-${'x'.repeat((i * 7919) % 900)}`
      expected.push(text)
      tracer.startSpan('s', { attributes: { text } }).end()
    }
    await settle(clock, tracer.flush())
  }
  const received = collector.accepted.flatMap(({ spans }) =>
    spans.map(({ attributes }) => attributes[0]?.value.stringValue),
  )
  expect(received).toEqual(expected)
  expect(tracer.stats()).toMatchObject({ exported: 12_000, dropped: 0 })
})

test('names itself, unless headers name something else', async () => {
  await using collector = await Collector.start()
  const own = { 'User-Agent': 'mine/1', 'Content-Type': 'text/plain' }
  for (const headers of [undefined, own]) {
    const { tracer, spans } = otlpTracer({ url: collector.url, headers })
    spans(1)
    await tracer.close()
  }
  const [usual, given] = collector.accepted.map(({ headers }) => headers)
  expect(usual?.['user-agent']).toMatch(/^Millrace-OTLP-Exporter-JavaScript\/\d+\.\d+\.\d+$/)
  expect(given).toMatchObject({
    'user-agent': 'mine/1',
    'content-type': 'application/x-protobuf',
  })
})

test('spans that end after close are counted as dropped', async () => {
  await using collector = await Collector.start()
  const { tracer, spans } = otlpTracer({ url: collector.url })
  const late = tracer.startSpan('late')
  spans(1)
  await tracer.close()
  late.end()
  await tracer.close()
  expect(tracer.stats()).toMatchObject({ ended: 2, exported: 1, dropped: 1, poolFree: 1_000 })
})

test.each([
  [{ url: 'ftp://x' }, 'Expected `url` to be an http or https URL, got a string of length 7'],
  [
    { protocol: 'grpc' as never },
    "Expected `protocol` to be one of 'http/protobuf', 'http/json', got a string of length 4",
  ],
  [{ maxQueueBytes: 0 }, 'Expected `maxQueueBytes` to be a finite number above 0, got 0'],
  [
    { maxRequestBytes: 2 ** 27 },
    'Expected `maxRequestBytes` to be a number from 1 to 67108864, got a positive integer of 9 digits',
  ],
  [
    { retry: { timout: 1 } as never },
    '`retry.timout` to be absent, as there is no such option (did you mean `timeout`?)',
  ],
  [{ headers: { authorization: 5 as never } }, 'Expected `headers` to be'],
  [{ headers: { 'a b': 'x' } }, 'Expected `headers` to be'],
  [{ headers: { a: 'x\r\nb: y' } }, 'Expected `headers` to be'],
])('refuses %o', (options, message) => {
  expect(() => new OtlpTraceExporter(options)).toThrow(message)
})
