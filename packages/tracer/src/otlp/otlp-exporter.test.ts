import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { freePort, VirtualClock } from '@millrace/testkit'
import { expect, test } from 'vitest'
import type { SpanExportError } from '../export/span-export-error.ts'
import { Tracer } from '../tracer/tracer.ts'
import { type Answer, Collector } from './collector.fixture.ts'
import { FileExporter } from './file-exporter.ts'
import { parseRetryAfter } from './http-transport.ts'
import { OtlpExporter } from './otlp-exporter.ts'
import { encodePartialSuccess } from './otlp-messages.fixture.ts'
import type { OtlpExporterOptions } from './otlp-options.ts'

function setup(options: OtlpExporterOptions) {
  const clock = new VirtualClock()
  const errors: SpanExportError[] = []
  const exporter = new OtlpExporter({ clock, onError: error => errors.push(error), ...options })
  const tracer = new Tracer({ service: 'shop', exporter, signals: [] })
  const spans = (count: number, from = 0) => {
    for (let i = from; i < from + count; i++) tracer.startSpan(`s${i}`, { attributes: { i } }).end()
  }
  return { clock, errors, tracer, spans }
}

/** Lets virtual time pass, with real sockets in between, until `promise` settles. */
async function settle(clock: VirtualClock, promise: Promise<void>): Promise<void> {
  let settled = false
  void promise.finally(() => {
    settled = true
  })
  while (!settled) {
    await clock.advanceAsync(100)
    await new Promise(resolve => setTimeout(resolve, 1))
  }
}

/** Exported, dropped, queued and waiting spans are all that ended. */
function expectAccounted(tracer: Tracer): void {
  const { ended, exported, dropped, queued, waiting } = tracer.stats()
  expect(exported + dropped + queued + waiting).toBe(ended)
}

test.each([
  { protocol: 'http/protobuf', compression: 'none', type: 'application/x-protobuf' },
  { protocol: 'http/protobuf', compression: 'gzip', type: 'application/x-protobuf' },
  { protocol: 'http/json', compression: 'none', type: 'application/json' },
  { protocol: 'http/json', compression: 'gzip', type: 'application/json' },
] as const)('sends $protocol with compression $compression', async ({ type, ...options }) => {
  await using collector = await Collector.start()
  const { tracer, spans } = setup({ url: collector.url, headers: { 'x-key': 'k' }, ...options })
  spans(1_500)
  await tracer.close()
  expect(collector.names).toEqual(Array.from({ length: 1_500 }, (_, i) => `s${i}`))
  expect(collector.accepted[0]?.headers).toMatchObject({ 'content-type': type, 'x-key': 'k' })
  expect(tracer.stats()).toMatchObject({ exported: 1_500, dropped: 0, queued: 0, queuedBytes: 0 })
})

test('sends by itself after the delay, and early when a request is full', async () => {
  await using collector = await Collector.start()
  const clock = new VirtualClock()
  const exporter = new OtlpExporter({ url: collector.url, clock, maxRequestBytes: 100_000 })
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
  const { tracer, clock } = setup({ url: collector.url, maxRequestBytes: 200_000 })
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

test('retries passing failures with growing waits, others not at all', async () => {
  await using collector = await Collector.start()
  const { tracer, clock, errors, spans } = setup({ url: collector.url })
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
    const { tracer, errors, spans } = setup({ url: collector.url, protocol })
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
    const { tracer, clock, errors, spans } = setup({
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
    const flushed = tracer.flush()
    let done = false
    void flushed.then(() => (done = true))
    while (!done) await clock.advanceAsync(500)
    expectAccounted(tracer)
    const { exported, dropped, queued } = tracer.stats()
    expect(queued).toBe(0)
    expect(exported + dropped).toBe(14_100)
    expect(collector.names).toHaveLength(exported)
    expect(new Set(collector.names).size).toBe(exported)
    const newest = Math.max(...collector.names.map(name => Number(name.slice(1))))
    if (dropPolicy === 'oldest') expect(newest).toBe(14_099)
    expect(errors.every(error => error.message === 'No answer from the collector')).toBe(true)
    await tracer.close()
  },
)

test('gives up after its time and says why', async () => {
  const { tracer, clock, errors, spans } = setup({
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
    const { tracer, errors, spans } = setup({ url: collector.url })
    spans(3)
    await tracer.flush()
    expect(errors).toEqual([])
    expect(tracer.stats()).toMatchObject({ exported: 3, dropped: 0, queued: 0 })
  },
)

test.each(['in the body', 'never'] as const)(
  'takes the status for the answer where the body is cut off %s',
  async cut => {
    await using collector = await Collector.start()
    collector.answer = () => ({ status: 200, cut })
    const { tracer, errors, spans } = setup({ url: collector.url })
    spans(3)
    await tracer.flush()
    expect(errors).toEqual([])
    expect(collector.names).toEqual(['s0', 's1', 's2'])
    expect(tracer.stats()).toMatchObject({ exported: 3, dropped: 0, queued: 0 })
  },
)

test.each(['0', 'Wed, 21 Oct 2015 07:28:00 GMT'])(
  'comes back no sooner than by itself where the collector asks for less (Retry-After: %s)',
  async wait => {
    await using collector = await Collector.start()
    collector.answer = () => ({ status: 503, headers: { 'retry-after': wait } })
    const { tracer, clock, spans } = setup({ url: collector.url, retry: { timeout: 20_000 } })
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
  const { tracer, errors, spans } = setup({ url: collector.url })
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
    const { tracer, errors, spans } = setup({ url: collector.url, protocol })
    spans(2)
    await tracer.flush()
    expect(errors).toMatchObject([{ message: 'Collector warns: use v2', spans: 0, status: 200 }])
    expect(tracer.stats()).toMatchObject({ exported: 2, dropped: 0 })
  },
)

test('obeys Retry-After up to its limit, and gives up beyond it', async () => {
  await using collector = await Collector.start()
  const waits = ['30', '3600', new Date(Date.now() + 3_600_000).toUTCString()]
  collector.answer = request => {
    const wait = waits[request - 1]
    return wait === undefined ? { status: 200 } : { status: 503, headers: { 'retry-after': wait } }
  }
  const { tracer, clock, errors, spans } = setup({ url: collector.url })
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

test('a collector that never answers holds neither flush nor close beyond the timeout', async () => {
  await using collector = await Collector.start()
  collector.answer = () => new Promise(() => {})
  const errors: SpanExportError[] = []
  const exporter = new OtlpExporter({
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

test('names itself, unless headers name something else', async () => {
  await using collector = await Collector.start()
  const own = { 'User-Agent': 'mine/1', 'Content-Type': 'text/plain' }
  for (const headers of [undefined, own]) {
    const { tracer, spans } = setup({ url: collector.url, headers })
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
  const { tracer, spans } = setup({ url: collector.url })
  const late = tracer.startSpan('late')
  spans(1)
  await tracer.close()
  late.end()
  await tracer.close()
  expect(tracer.stats()).toMatchObject({ ended: 2, exported: 1, dropped: 1, poolFree: 1_000 })
})

test('Retry-After is seconds or a date', () => {
  expect(parseRetryAfter('3')).toBe(3_000)
  expect(parseRetryAfter(new Date(Date.now() + 5_000).toUTCString())).toBeGreaterThan(3_000)
  expect(parseRetryAfter('Wed, 21 Oct 2015 07:28:00 GMT')).toBe(0)
  for (const none of ['soon', '2099-01-01', '-1', '1e9'])
    expect(parseRetryAfter(none)).toBeUndefined()
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
  expect(() => new OtlpExporter(options)).toThrow(message)
})

test('the file exporter appends a request per line, and the rest at exit', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'millrace-tracer-'))
  try {
    const path = join(folder, 'traces.jsonl')
    const tracer = new Tracer({ exporter: new FileExporter({ path }), signals: [] })
    for (let i = 0; i < 1_000; i++) tracer.startSpan(`s${i}`).end()
    await tracer.flush()
    tracer.startSpan('last').end()
    tracer.flushSync()
    const lines = (await readFile(path, 'utf8')).trim().split('\n')
    const names = lines.flatMap(line =>
      JSON.parse(line).resourceSpans[0].scopeSpans[0].spans.map(
        (span: { name: string }) => span.name,
      ),
    )
    expect(names).toHaveLength(1_001)
    expect(new Set(names).size).toBe(1_001)
    expect(tracer.stats()).toMatchObject({ exported: 1_001, dropped: 0, queued: 0 })

    const errors: SpanExportError[] = []
    const broken = new Tracer({
      exporter: new FileExporter({ path: folder, onError: error => errors.push(error) }),
      signals: [],
    })
    broken.startSpan('a').end()
    await broken.flush()
    expect(broken.stats()).toMatchObject({ exported: 0, dropped: 1 })
    expect(errors).toMatchObject([{ spans: 1, cause: { code: 'EISDIR' } }])
  } finally {
    await rm(folder, { recursive: true })
  }
})
