import { createServer, request } from 'node:http'
import type { AddressInfo } from 'node:net'
import { gunzipSync } from 'node:zlib'
import { runs, VirtualClock } from '@millrace/testkit'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type Decoded, metricFamilies } from '../bytes/definitions.fixture.ts'
import { Registry } from '../index.ts'
import type { HistogramSeries } from '../instrument/histogram-series.ts'
import { emptyDistribution } from '../store/distribution.ts'
import { upperBound } from '../store/exponential.ts'
import type { PROMETHEUS } from './exposition-format.ts'
import { negotiate } from './negotiate.ts'
import { type CompositeSample, readOpenMetrics2 } from './open-metrics-2.fixture.ts'

const span = { traceId: '0af7651916cd43dd8448eb211c80319c', spanId: 'b7ad6b7169203331' }

describe('text', () => {
  it('escapes label values and help, and writes every number as Go reads it', () => {
    const metrics = new Registry()
    const gauge = metrics.gauge('g', { labels: ['v'], help: 'a\\b\nc"d' })
    const values = [0, 7, 2 ** 31, 2 ** 53, 1e21, 1.5e-9, -3, Infinity, -Infinity]
    for (const value of values) gauge.set({ v: `a"\\\n${value}` }, value)
    expect(metrics.toPrometheus()).toBe(
      [
        '# HELP g a\\\\b\\nc"d',
        '# TYPE g gauge',
        ...[0, 7, 2147483648, 9007199254740992, '1e+21', '1.5e-9', -3].map(
          (shown, i) => `g{v="a\\"\\\\\\n${values[i]}"} ${shown}`,
        ),
        'g{v="a\\"\\\\\\nInfinity"} +Inf',
        'g{v="a\\"\\\\\\n-Infinity"} -Inf',
        '',
      ].join('\n'),
    )
  })

  it('has names of any script, in quotes for readers that know them', async () => {
    const metrics = new Registry()
    metrics.counter('größe.бит', { labels: ['имя'], help: 'x' }).inc({ имя: '值' })
    expect(metrics.toPrometheus()).toBe(
      '# HELP gr__e_____total x\n# TYPE gr__e_____total counter\ngr__e_____total{___="值"} 1\n',
    )
    const { body, contentType } = await metrics.scrape({
      accept: 'text/plain;version=1.0.0;escaping=allow-utf-8',
    })
    expect(contentType).toContain('escaping=allow-utf-8')
    expect(Buffer.from(body).toString()).toContain('{"größe.бит_total","имя"="值"} 1\n')
  })

  it('renews numbers in kept lines as they grow, shrink and change width', () => {
    const clock = new VirtualClock(0)
    const metrics = new Registry({ clock, retention: 2000 })
    const histogram = metrics.histogram('h', { labels: ['k'], buckets: [1, 2] })
    const handle = histogram.labels({ k: 'ä' })
    const shown = (): string => metrics.toPrometheus().split('\n').slice(2, -1).join('\n')
    const expected = (a: number, b: number, c: number, sum: number): string =>
      [
        `h_bucket{k="ä",le="1"} ${a}`,
        `h_bucket{k="ä",le="2"} ${b}`,
        `h_bucket{k="ä",le="+Inf"} ${c}`,
        `h_count{k="ä"} ${c}`,
        `h_sum{k="ä"} ${sum}`,
      ].join('\n')
    expect(shown()).toBe(expected(0, 0, 0, 0))
    for (let i = 0; i < 9; i++) handle.observe(1)
    expect(shown()).toBe(expected(9, 9, 9, 9))
    handle.observe(1.5)
    expect(shown()).toBe(expected(9, 10, 10, 10.5))
    for (let i = 0; i < 12345; i++) handle.observe(4)
    expect(shown()).toBe(expected(9, 10, 12355, 49390.5))
    clock.advance(5000)
    handle.observe(4)
    expect(shown()).toBe(expected(0, 0, 1, 4))
  })
})

describe('kept lines', () => {
  const counts = fc.array(fc.tuple(fc.nat(2), fc.nat(15), fc.nat(9)), { maxLength: 40 })

  it('show the counts they would have if they were written anew', () => {
    fc.assert(
      fc.property(counts, fc.string({ unit: 'grapheme' }), (steps, k) => {
        const kept = new Registry()
        const [series, other] = ['h', 'other'].map(name =>
          kept.histogram(name, { labels: ['k'], buckets: [1, 2] }).labels({ k }),
        ) as [HistogramSeries, HistogramSeries]
        other.observe(1)
        const total = [0, 0, 0]
        for (const [bucket, power, digit] of steps) {
          const classic = [0, 0, 0]
          classic[bucket] = digit * 10 ** power
          total[bucket]! += classic[bucket]!
          series.absorb(emptyDistribution(5), classic)
          const anew = new Registry()
          const fresh = anew.histogram('h', { labels: ['k'], buckets: [1, 2] }).labels({ k })
          ;(fresh as HistogramSeries).absorb(emptyDistribution(5), total)
          expect(kept.toPrometheus().split('# HELP other')[0]).toBe(anew.toPrometheus())
        }
      }),
      { numRuns: runs(200) },
    )
  })
})

describe('native histograms', () => {
  it('are decoded with the official definitions to the buckets observed', async () => {
    const clock = new VirtualClock(1_700_000_000_500)
    const metrics = new Registry({ clock, activeSpan: () => span })
    metrics.counter('x_total', { labels: ['a'] }).inc({ a: 'ü' }, 2)
    const histogram = metrics.histogram('h', { buckets: [1, 10] })
    metrics.histogram('empty')
    const values = [0, 0.001, 0.3, 0.3, 7, 7.1, 1000]
    for (const value of values) histogram.observe(value)
    const { body, contentType } = await metrics.scrape({
      accept:
        'application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited',
    })
    expect(contentType).toContain('encoding=delimited')
    const [x, h, empty] = metricFamilies(body)
    expect(x).toMatchObject({
      name: 'x_total',
      metric: [
        {
          label: [{ name: 'a', value: 'ü' }],
          counter: { value: 2, createdTimestamp: { seconds: 1_700_000_000, nanos: 500_000_000 } },
        },
      ],
    })
    // 0, the type of counters, is the default and need not be sent.
    expect(x.type ?? 0).toBe(0)
    const d = h.metric[0].histogram
    expect(d).toMatchObject({ sampleCount: 7, schema: 5, zeroCount: 1 })
    expect(d.bucket.map((b: Decoded) => b.cumulativeCount)).toEqual([4, 6, 7])
    expect(d.bucket[0].exemplar.label[0]).toEqual({ name: 'trace_id', value: span.traceId })
    // Rebuild the buckets as Prometheus does: spans of indices, deltas of counts.
    const counts = new Map<number, number>()
    let index = 0
    let count = 0
    let next = 0
    for (const { offset, length } of d.positiveSpan) {
      index += offset
      for (let i = 0; i < length; i++) {
        count += d.positiveDelta[next++]
        if (count > 0) counts.set(index, count)
        index++
      }
    }
    expect(next).toBe(d.positiveDelta.length)
    const expected = new Map<number, number>()
    for (const value of values.slice(1)) {
      let i = -400
      while (upperBound(i, 5) < value) i++
      expected.set(i, (expected.get(i) ?? 0) + 1)
    }
    expect(counts).toEqual(expected)
    expect(empty.metric[0].histogram.positiveSpan).toEqual([{ offset: 0, length: 0 }])
  })
})

describe('negotiation', () => {
  it.each([
    [undefined, 'text/plain; version=0.0.4'],
    ['*/*', 'text/plain; version=0.0.4'],
    ['application/json', 'text/plain; version=0.0.4'],
    [
      'text/plain;q=0.5, application/openmetrics-text;version=1.0.0',
      'openmetrics-text; version=1.0.0',
    ],
    [
      // What Prometheus 2.42 sends.
      'application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1',
      'application/openmetrics-text; version=1.0.0; charset=utf-8',
    ],
    [
      // What Prometheus 3 sends.
      'application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2',
      'openmetrics-text; version=1.0.0; charset=utf-8; escaping=allow-utf-8',
    ],
  ])('of %s gives %s', (accept, type) => {
    const format = negotiate(accept, false)
    expect((format as typeof PROMETHEUS).contentType).toContain(type)
  })
})

describe('OpenMetrics 2.0', () => {
  it('follows the grammar, whatever names and values it has to show', () => {
    const clock = new VirtualClock(1_700_000_000_500)
    const metrics = new Registry({ clock })
    metrics.counter('größe.бит', { labels: ['имя', 'a'] }).inc({ имя: '值"\\\n', a: '' }, 1.5e-9)
    const gauge = metrics.gauge('heat_celsius', { labels: ['k'], help: 'a "b" \\ c\nd' })
    for (const value of [0, -1e21, Infinity, -Infinity, 2 ** 53]) gauge.set({ k: value }, value)
    metrics.upDownCounter('open').dec(3)
    metrics.histogram('empty_seconds')
    const [counter, ...rest] = readOpenMetrics2(metrics.toOpenMetrics({ version: '2.0' }))
    expect(counter).toEqual({
      series: '{"größe.бит_total","имя"="值\\"\\\\\\n",a=""}',
      value: 1.5e-9,
      start: 1_700_000_000.5,
      exemplars: [],
      histogram: undefined,
    })
    expect(rest.map(({ value, start }) => [value, start])).toEqual([
      ...[0, -1e21, NaN, NaN, 2 ** 53].map(value => [value, undefined]),
      [-3, undefined],
      [undefined, 1_700_000_000.5],
    ])
    expect(rest.at(-1)!.histogram).toMatchObject({ count: 0, sum: 0, schema: 5, native: new Map() })
  })

  it('holds the native and the classic buckets of what was observed', () => {
    fc.assert(
      fc.property(fc.array(fc.double({ min: 0, max: 1e15, noNaN: true })), values => {
        const metrics = new Registry()
        const h = metrics.histogram('h', { buckets: [1, 1000], maxBuckets: 80 })
        for (const value of values) h.observe(value)
        const [{ histogram: read }] = readOpenMetrics2(
          metrics.toOpenMetrics({ version: '2.0' }),
        ) as [CompositeSample]
        const d = h.distribution()
        const upTo = (le: number): number => values.filter(value => value <= le).length
        expect(read).toEqual({
          count: values.length,
          sum: d.sum,
          schema: d.schema,
          zeros: d.zeros,
          native: new Map(
            Array.from(d.counts, (count, i) => [d.low + i, count] as const).filter(
              ([, count]) => count > 0,
            ),
          ),
          classic: [
            ['1.0', upTo(1)],
            ['1000.0', upTo(1000)],
            ['+Inf', values.length],
          ],
        })
      }),
      { numRuns: runs(300) },
    )
  })

  it('is for scrapers that ask for it, of a registry that offers it', async () => {
    const accept =
      'application/openmetrics-text;version=2.0.0;escaping=allow-utf-8;q=0.6,application/openmetrics-text;version=1.0.0;q=0.5,*/*;q=0.1'
    const scraped = async (openMetrics2: boolean): Promise<[string, string]> => {
      const metrics = new Registry({ openMetrics2 })
      metrics.histogram('h').observe(1)
      const { contentType, body } = await metrics.scrape({ accept })
      return [contentType, Buffer.from(body).toString()]
    }
    const [type, text] = await scraped(true)
    expect(type).toBe(
      'application/openmetrics-text; version=2.0.0; charset=utf-8; escaping=allow-utf-8',
    )
    expect(readOpenMetrics2(text)).toHaveLength(1)
    const [older, lines] = await scraped(false)
    expect(older).toBe('application/openmetrics-text; version=1.0.0; charset=utf-8')
    expect(lines).toContain('h_count 1\n')
  })
})

describe('scraping', () => {
  it('stops at an abort', async () => {
    const metrics = new Registry()
    metrics.counter('x')
    await expect(metrics.scrape({ signal: AbortSignal.abort() })).rejects.toThrow('aborted')
  })

  it('is served over HTTP, compressed for who asks, to GET and HEAD', async () => {
    const metrics = new Registry()
    const gauge = metrics.gauge('g', { labels: ['i'] })
    for (let i = 0; i < 100; i++) gauge.set({ i }, i)
    const server = createServer(metrics.handler())
    await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
    const { port } = server.address() as AddressInfo
    const fetched = async (method: string, headers: object) =>
      new Promise<{ status: number; headers: Record<string, unknown>; body: Buffer }>(resolve => {
        request({ port, method, headers: { ...headers }, host: '127.0.0.1' }, async response => {
          const chunks: Buffer[] = []
          for await (const chunk of response) chunks.push(chunk as Buffer)
          const { statusCode, headers: answered } = response
          resolve({ status: statusCode!, headers: answered, body: Buffer.concat(chunks) })
        }).end()
      })
    try {
      const plain = await fetched('GET', {})
      expect(plain.body.toString()).toBe(metrics.toPrometheus())
      const zipped = await fetched('GET', { 'accept-encoding': 'br, gzip' })
      expect(zipped.headers['content-encoding']).toBe('gzip')
      expect(gunzipSync(zipped.body).equals(plain.body)).toBe(true)
      const head = await fetched('HEAD', { accept: 'application/openmetrics-text' })
      expect(head.body.length).toBe(0)
      expect(head.headers['content-type']).toContain('openmetrics')
      expect((await fetched('POST', {})).status).toBe(405)
    } finally {
      await new Promise(resolve => server.close(resolve))
    }
  })
})
