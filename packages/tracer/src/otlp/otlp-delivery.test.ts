import { setImmediate as nextTurn } from 'node:timers/promises'
import { brotliCompressSync, deflateSync, gzipSync } from 'node:zlib'
import { freePort } from '@millrace/testkit'
import { expect, test } from 'vitest'
import type { SpanExportError } from '../export/span-export-error.ts'
import { Tracer } from '../tracer/tracer.ts'
import { type Answer, Collector } from './collector.fixture.ts'
import { encodePartialSuccess } from './otlp-messages.fixture.ts'
import { OtlpTraceExporter } from './otlp-trace-exporter.ts'
import { expectAccounted, otlpTracer, settle } from './otlp-tracer.fixture.ts'

test('retries passing failures with growing waits, others not at all', async () => {
  await using collector = await Collector.start()
  const { tracer, clock, errors, spans } = otlpTracer({ url: collector.url })
  const answers: Answer[] = [
    { status: 503 },
    { status: 200, cut: 'at once' },
    { status: 503, cut: 'in the body' },
    { status: 429, headers: { 'retry-after': '7' } },
    { status: 200 },
  ]
  const times: number[] = []
  collector.answer = request => {
    times.push(clock.now())
    return answers[request - 1] ?? { status: 400 }
  }
  spans(5)
  await settle(clock, tracer.flush())
  // A flush shortens the waits, but what the collector asks for stands.
  expect(times[3]! - times[0]!).toBeLessThan(2_000)
  expect(times[4]! - times[3]!).toBeGreaterThanOrEqual(7_000)
  expect(collector.names).toHaveLength(5)
  expect(errors).toEqual([])
  spans(3)
  await tracer.flush()
  expect(collector.requests).toBe(6)
  expect(errors).toMatchObject([{ code: 'ERR_MILLRACE_SPAN_EXPORT', status: 400, spans: 3 }])
  expect(tracer.stats()).toMatchObject({ exported: 5, dropped: 3, queued: 0 })
})

test.each(['http/protobuf', 'http/json'] as const)(
  'counts what the collector refuses (%s)',
  async protocol => {
    await using collector = await Collector.start()
    const body =
      protocol === 'http/json'
        ? Buffer.from('{"partialSuccess":{"rejectedSpans":"2","errorMessage":"too old"}}')
        : encodePartialSuccess(2, 'too old')
    collector.answer = () => ({ status: 200, body })
    const { tracer, errors, spans } = otlpTracer({ url: collector.url, protocol })
    spans(5)
    await tracer.flush()
    expect(tracer.stats()).toMatchObject({ exported: 3, dropped: 2 })
    expect(errors).toMatchObject([{ message: 'Collector refused spans: too old', spans: 2 }])
    collector.answer = () => ({ status: 200, body: Buffer.from('\xff\xffgarbage') })
    spans(4)
    await tracer.flush()
    expect(tracer.stats()).toMatchObject({ exported: 7, dropped: 2 })
  },
)

test.each(['newest', 'oldest'] as const)(
  'a collector that is down for a minute and comes back: drops the %s, loses count of none',
  async dropPolicy => {
    const port = await freePort()
    const { tracer, clock, errors, spans } = otlpTracer({
      url: `http://127.0.0.1:${port}/v1/traces`,
      maxQueueBytes: 200_000,
      maxRequestBytes: 50_000,
      dropPolicy,
    })
    for (let second = 0; second < 70; second++) {
      spans(200, second * 200)
      await tracer.flushSync()
      await clock.advanceAsync(1_000)
      await new Promise(resolve => setTimeout(resolve, 2))
      expectAccounted(tracer)
    }
    const down = tracer.stats()
    expect(down.exported).toBe(0)
    expect(down.dropped).toBeGreaterThan(8_000)
    expect(down.queuedBytes).toBeLessThan(200_000 + 120_000 + 70_000)
    await using collector = await Collector.start(port)
    spans(100, 70 * 200)
    await settle(clock, tracer.flush())
    expectAccounted(tracer)
    const { exported, dropped, queued } = tracer.stats()
    expect(queued).toBe(0)
    expect(exported + dropped).toBe(14_100)
    expect(collector.names).toHaveLength(exported)
    expect(new Set(collector.names).size).toBe(exported)
    const newest = Math.max(...collector.names.map(name => Number(name.slice(1))))
    if (dropPolicy === 'oldest') expect(newest).toBe(14_099)
    const full = 'The queue of the exporter was full'
    for (const { message } of errors)
      expect(['No answer from the collector', full]).toContain(message)
    // Of what the queue drops it is told as a number, at least once a minute, and all of it in the end.
    expect(errors.filter(error => error.message === full).length).toBeLessThan(5)
    expect(errors.reduce((sum, error) => sum + error.spans, 0)).toBe(dropped)
    await tracer.close()
  },
)

test('tells once of what a full queue has dropped, when it has room again', async () => {
  await using collector = await Collector.start()
  let answer = (_: Answer): void => {}
  collector.answer = () => new Promise(resolve => (answer = resolve))
  const { tracer, clock, errors, spans } = otlpTracer({
    url: collector.url,
    maxQueueBytes: 20_000,
    maxRequestBytes: 5_000,
    timeout: 100_000,
    retry: { timeout: 200_000 },
  })
  const burst = () => {
    for (let i = 0; i < 20; i++) {
      spans(20)
      tracer.flushSync()
    }
  }
  const dropped = async (episode: number) => {
    const before = tracer.stats().dropped
    burst()
    const request = tracer.flush()
    burst()
    expect(errors).toHaveLength(episode)
    while (tracer.stats().queued > 0) {
      answer({ status: 200 })
      await new Promise(resolve => setImmediate(resolve))
    }
    await request
    return tracer.stats().dropped - before
  }
  for (let episode = 0; episode < 2; episode++) {
    const spans = await dropped(episode)
    expect(spans).toBeGreaterThan(0)
    expect(errors[episode]).toMatchObject({ spans, status: undefined })
  }
  expect(errors).toHaveLength(2)
  await tracer.close()
  expect(clock.pending).toBe(0)
})

test('tells what was not sent when it was closed', async () => {
  await using collector = await Collector.start()
  collector.answer = () => new Promise(() => {})
  const { tracer, clock, errors, spans } = otlpTracer({
    url: collector.url,
    maxRequestBytes: 1_000,
    retry: { timeout: 5_000 },
  })
  for (let i = 0; i < 5; i++) {
    spans(20)
    tracer.flushSync()
  }
  const closed = tracer.close()
  // Until the collector has a request to hang at, and the flush its deadline.
  while (collector.concurrent === 0 || clock.pending === 0) await nextTurn()
  clock.advance(5_000)
  await closed
  const { dropped, queued } = tracer.stats()
  expect([dropped, queued]).toEqual([100, 0])
  // Nothing was begun after the close.
  expect(collector.requests).toBeLessThanOrEqual(2)
  expect(errors.map(error => error.message)).toContain('Closed before the collector took them')
  expect(errors.reduce((sum, error) => sum + error.spans, 0)).toBe(dropped)
})

test('gives up after its time and says why', async () => {
  const { tracer, clock, errors, spans } = otlpTracer({
    url: `http://127.0.0.1:${await freePort()}/`,
    retry: { timeout: 3_000 },
  })
  spans(10)
  await settle(clock, tracer.flush())
  expect(errors).toMatchObject([{ spans: 10, status: undefined, cause: { code: 'ECONNREFUSED' } }])
  expect(tracer.stats()).toMatchObject({ exported: 0, dropped: 10, queued: 0 })
})

test.each([200, 201, 202, 204, 299])(
  'takes an answer with status %i for a success',
  async status => {
    await using collector = await Collector.start()
    collector.answer = () => ({ status })
    const { tracer, errors, spans } = otlpTracer({ url: collector.url })
    spans(3)
    await tracer.flush()
    expect(errors).toEqual([])
    expect(tracer.stats()).toMatchObject({ exported: 3, dropped: 0, queued: 0 })
  },
)

test.each(['in the body', 'never', 'late'] as const)(
  'takes the status for the answer where the body is cut off %s',
  async cut => {
    await using collector = await Collector.start()
    collector.answer = () => ({ status: 200, cut })
    const hasty = { timeout: 1_000, clock: undefined }
    const { tracer, errors, spans } = otlpTracer({
      url: collector.url,
      ...(cut === 'late' && hasty),
    })
    spans(3)
    await tracer.flush()
    expect(errors).toEqual([])
    // Sent again where this process stood still for a second before it had read the status.
    expect(collector.names.slice(-3)).toEqual(['s0', 's1', 's2'])
    expect(tracer.stats()).toMatchObject({ exported: 3, dropped: 0, queued: 0 })
  },
)

test.each(['0', 'Wed, 21 Oct 2015 07:28:00 GMT'])(
  'comes back no sooner than by itself where the collector asks for less (Retry-After: %s)',
  async wait => {
    await using collector = await Collector.start()
    collector.answer = () => ({ status: 503, headers: { 'retry-after': wait } })
    const { tracer, clock, spans } = otlpTracer({ url: collector.url, retry: { timeout: 20_000 } })
    spans(1)
    await settle(clock, tracer.flush())
    // 100 ms, doubled up to 5 s.
    expect(collector.requests).toBeLessThan(12)
    expect(tracer.stats()).toMatchObject({ exported: 0, dropped: 1 })
  },
)

test('bounds what a collector says', async () => {
  await using collector = await Collector.start()
  collector.answer = () => ({
    status: 200,
    body: encodePartialSuccess(2 ** 53, 'x'.repeat(100_000)),
  })
  const { tracer, errors, spans } = otlpTracer({ url: collector.url })
  spans(2)
  await tracer.flush()
  expect(tracer.stats()).toMatchObject({ exported: 0, dropped: 2 })
  expect(errors[0]?.message.length).toBeLessThan(1_100)
})

test.each(['http/protobuf', 'http/json'] as const)(
  'reports a warning of the collector, with nothing lost (%s)',
  async protocol => {
    await using collector = await Collector.start()
    const body =
      protocol === 'http/json'
        ? Buffer.from('{"partialSuccess":{"errorMessage":"use v2"}}')
        : encodePartialSuccess(0, 'use v2')
    collector.answer = () => ({ status: 200, body })
    const { tracer, errors, spans } = otlpTracer({ url: collector.url, protocol })
    spans(2)
    await tracer.flush()
    expect(errors).toMatchObject([{ message: 'Collector warns: use v2', spans: 0, status: 200 }])
    expect(tracer.stats()).toMatchObject({ exported: 2, dropped: 0 })
  },
)

test.each([
  '{"partialSuccess":{"errorMessage":{"toString":1},"rejectedSpans":{"valueOf":1,"toString":1}}}',
  '{"partialSuccess":{"errorMessage":null,"rejectedSpans":[3]}}',
  '{"partialSuccess":5}',
  '[]',
  'null',
])('takes an answer that is no partial success for a full one: %s', async body => {
  await using collector = await Collector.start()
  collector.answer = () => ({ status: 200, body: Buffer.from(body) })
  const { tracer, errors, spans } = otlpTracer({ url: collector.url, protocol: 'http/json' })
  spans(3)
  await tracer.flush()
  expect(errors).toEqual([])
  expect(tracer.stats()).toMatchObject({ exported: 3, dropped: 0 })
})

test('whoever closes it again waits for the same end', async () => {
  await using collector = await Collector.start()
  let answer = (_: Answer): void => {}
  collector.answer = () => new Promise(resolve => (answer = resolve))
  const { tracer, spans } = otlpTracer({ url: collector.url })
  spans(3)
  const closing = [tracer.close(), tracer.close()]
  let over = false
  void Promise.race(closing).then(() => (over = true))
  while (collector.concurrent === 0) await new Promise(resolve => setImmediate(resolve))
  expect(over).toBe(false)
  while (!over) {
    answer({ status: 200 })
    await new Promise(resolve => setImmediate(resolve))
  }
  await Promise.all(closing)
  expect(tracer.stats()).toMatchObject({ exported: 3, dropped: 0 })
})

test('obeys Retry-After up to its limit, and gives up beyond it', async () => {
  await using collector = await Collector.start()
  const waits = ['30', '3600', new Date(Date.now() + 3_600_000).toUTCString()]
  collector.answer = request => {
    const wait = waits[request - 1]
    return wait === undefined ? { status: 200 } : { status: 503, headers: { 'retry-after': wait } }
  }
  const { tracer, clock, errors, spans } = otlpTracer({ url: collector.url })
  spans(1)
  await settle(clock, tracer.flush())
  // Waited for 30 s, as asked; then dropped, as an hour was asked for.
  expect(clock.now()).toBeGreaterThanOrEqual(30_000)
  expect(collector.requests).toBe(2)
  expect(errors).toMatchObject([
    { message: 'Collector answered 503 and asks to wait 3600000 ms', spans: 1, status: 503 },
  ])
  spans(1)
  await tracer.flush()
  expect(errors).toHaveLength(2)
  spans(1)
  await tracer.flush()
  expect(tracer.stats()).toMatchObject({ exported: 1, dropped: 2, queued: 0 })
})

test('a date of Retry-After counts from that of the answer, whatever the clock of this machine says', async () => {
  await using collector = await Collector.start()
  const headers = {
    date: 'Fri, 20 Nov 2020 10:00:00 GMT',
    'retry-after': 'Fri, 20 Nov 2020 10:00:20 GMT',
  }
  collector.answer = request => (request === 1 ? { status: 503, headers } : { status: 200 })
  const { tracer, clock, spans } = otlpTracer({ url: collector.url })
  spans(1)
  await settle(clock, tracer.flush())
  expect(clock.now()).toBeGreaterThanOrEqual(20_000)
  expect(tracer.stats()).toMatchObject({ exported: 1, dropped: 0 })
})

test('a collector that never answers holds neither flush nor close beyond the timeout', async () => {
  await using collector = await Collector.start()
  collector.answer = () => new Promise(() => {})
  const errors: SpanExportError[] = []
  const exporter = new OtlpTraceExporter({
    url: collector.url,
    maxRequestBytes: 20_000,
    timeout: 60_000,
    retry: { timeout: 100 },
    onError: error => errors.push(error),
  })
  const tracer = new Tracer({ exporter, signals: [] })
  // Several requests: the timeout of a flush is for all of them together.
  for (let i = 0; i < 2_000; i++) tracer.startSpan(`s${i}`, { attributes: { i } }).end()
  const began = performance.now()
  await tracer.flush()
  await tracer.close()
  expect(performance.now() - began).toBeLessThan(10_000)
  expect(tracer.stats()).toMatchObject({ exported: 0, dropped: 2_000, queued: 0, queuedBytes: 0 })
  expect(errors[0]?.cause).toMatchObject({ message: 'No complete answer within 100 ms' })
})

test.each([
  ['gzip', gzipSync],
  ['deflate', deflateSync],
  ['br', brotliCompressSync],
] as const)('reads an answer that came compressed unasked (%s)', async (encoding, compress) => {
  await using collector = await Collector.start()
  const body = compress(encodePartialSuccess(2, 'too old'))
  collector.answer = () => ({ status: 202, headers: { 'content-encoding': encoding }, body })
  const { tracer, errors, spans } = otlpTracer({ url: collector.url })
  spans(5)
  await tracer.flush()
  expect(errors).toMatchObject([{ message: 'Collector refused spans: too old', spans: 2 }])
  expect(tracer.stats()).toMatchObject({ exported: 3, dropped: 2 })
})

test('reads an answer in the encoding that it names, whatever was sent', async () => {
  await using collector = await Collector.start()
  collector.answer = () => ({
    status: 299,
    headers: { 'content-type': 'application/json' },
    body: Buffer.from('{"partialSuccess":{"rejectedSpans":1,"errorMessage":"by the gateway"}}'),
  })
  const { tracer, errors, spans } = otlpTracer({ url: collector.url })
  spans(2)
  await tracer.flush()
  expect(errors).toMatchObject([{ message: 'Collector refused spans: by the gateway', spans: 1 }])
  expect(tracer.stats()).toMatchObject({ exported: 1, dropped: 1 })
})

test.each([301, 302, 307, 308])('follows no redirect, with its headers (%i)', async status => {
  await using elsewhere = await Collector.start()
  await using collector = await Collector.start()
  collector.answer = () => ({ status, headers: { location: elsewhere.url } })
  const { tracer, errors, spans } = otlpTracer({
    url: collector.url,
    headers: { authorization: 'key' },
  })
  spans(2)
  await tracer.flush()
  expect([collector.requests, elsewhere.requests]).toEqual([1, 0])
  expect(errors).toMatchObject([{ message: `Collector answered ${status}`, status, spans: 2 }])
})

test.each(['-1', '1e3', '', '5, 7', 'tomorrow', 'Mon, 99 Foo 2026'])(
  'comes back by itself where it cannot read when (Retry-After: %j)',
  async header => {
    await using collector = await Collector.start()
    collector.answer = request =>
      request === 1 ? { status: 503, headers: { 'retry-after': header } } : { status: 200 }
    const { tracer, clock, errors, spans } = otlpTracer({ url: collector.url })
    spans(1)
    await settle(clock, tracer.flush())
    expect(clock.now()).toBeLessThan(2_000)
    expect(errors).toEqual([])
    expect(tracer.stats()).toMatchObject({ exported: 1, dropped: 0 })
  },
)

test('two exporters send to one collector, and one of them ends', async () => {
  await using collector = await Collector.start()
  const one = otlpTracer({ url: collector.url })
  const other = otlpTracer({ url: collector.url, protocol: 'http/json' })
  one.spans(2)
  other.spans(3)
  await Promise.all([one.tracer.close(), other.tracer.flush()])
  other.spans(1)
  await other.tracer.close()
  expect(collector.names).toHaveLength(6)
  expect([one.tracer.stats().exported, other.tracer.stats().exported]).toEqual([2, 4])
})
