import { VirtualClock } from '@millrace/testkit'
import { describe, expect, it } from 'vitest'
import {
  type Decoded,
  decoded,
  exportMetricsRequest,
  metricFamilies,
} from '../bytes/definitions.fixture.ts'
import { type CounterJson, type HistogramJson, Registry, type SpanIds } from '../index.ts'
import { readOpenMetrics2 } from './open-metrics-2.fixture.ts'

const ids = { traceId: '0af7651916cd43dd8448eb211c80319c', spanId: 'b7ad6b7169203331' }
const other = { traceId: '4bf92f3577b34da6a3ce929d0e0e4736', spanId: '00f067aa0ba902b7' }
const PROTOBUF =
  'application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited'

/** A counter and a histogram, each updated in one span and then in another. */
function measured(): { metrics: Registry; updated: number } {
  const clock = new VirtualClock(1_700_000_000_000)
  let active: SpanIds | undefined = ids
  const metrics = new Registry({ clock, activeSpan: () => active })
  const counter = metrics.counter('bytes_total', { labels: ['k'] })
  const histogram = metrics.histogram('h', { buckets: [1, 2] })
  counter.inc({ k: 'ü' }, 3)
  histogram.observe(0.5)
  clock.advance(1250)
  active = other
  counter.inc({ k: 'ü' }, 7)
  counter.inc({ k: 'ü' }, 8)
  histogram.observe(5)
  return { metrics, updated: clock.now() }
}

describe('exemplars of counters and histograms', () => {
  const { metrics, updated } = measured()
  const counted = { ...other, value: 7, timestamp: updated }
  const observed = [
    { ...ids, value: 0.5, timestamp: 1_700_000_000_000 },
    { ...other, value: 5, timestamp: updated },
  ]

  it('are in the JSON export', () => {
    const [bytes, h] = metrics.toJSON().metrics
    expect((bytes!.series[0] as CounterJson).exemplars).toEqual([counted])
    expect((h!.series[0] as HistogramJson).exemplars).toEqual(observed)
  })

  it('come back from OpenMetrics 1.0 text', () => {
    const found = [
      ...metrics
        .toOpenMetrics()
        .matchAll(/^(\S+) \S+ # \{trace_id="(\w+)",span_id="(\w+)"\} (\S+) (\S+)$/gm),
    ].map(([, sample, traceId, spanId, value, seconds]) => ({
      sample,
      traceId,
      spanId,
      value: Number(value),
      timestamp: Math.round(Number(seconds) * 1000),
    }))
    expect(found).toEqual([
      { sample: 'bytes_total{k="ü"}', ...counted },
      { sample: 'h_bucket{le="1.0"}', ...observed[0] },
      { sample: 'h_bucket{le="+Inf"}', ...observed[1] },
    ])
    expect(metrics.toPrometheus()).not.toContain('trace_id')
  })

  it('come back from OpenMetrics 2.0 text', () => {
    const shown = readOpenMetrics2(metrics.toOpenMetrics({ version: '2.0' })).map(
      ({ exemplars }) => exemplars,
    )
    const inText = ({ traceId, spanId, value, timestamp }: typeof counted) => ({
      labels: `{trace_id="${traceId}",span_id="${spanId}"}`,
      value,
      timestamp: timestamp / 1000,
    })
    expect(shown).toEqual([[inText(counted)], observed.map(inText)])
  })

  it('come back from the protobuf exposition', async () => {
    const { body } = await metrics.scrape({ accept: PROTOBUF })
    const [bytes, h] = metricFamilies(body)
    const inProtobuf = ({ traceId, spanId, value, timestamp }: typeof counted) => ({
      label: [
        { name: 'trace_id', value: traceId },
        { name: 'span_id', value: spanId },
      ],
      value,
      timestamp: expect.objectContaining({ seconds: Math.floor(timestamp / 1000) }),
    })
    expect(bytes.metric[0].counter.exemplar).toEqual(inProtobuf(counted))
    const { bucket, exemplars } = h.metric[0].histogram
    expect(exemplars).toEqual(observed.map(inProtobuf))
    expect(bucket.map((b: Decoded) => b.exemplar)).toEqual([
      inProtobuf(observed[0]!),
      undefined,
      inProtobuf(observed[1]!),
    ])
  })

  it('come back from OTLP', () => {
    const [bytes, h] = decoded(exportMetricsRequest, metrics.toOtlp()).resourceMetrics[0]
      .scopeMetrics[0].metrics
    const inOtlp = ({ traceId, spanId, value, timestamp }: typeof counted) => ({
      traceId: Buffer.from(traceId, 'hex').toString('base64'),
      spanId: Buffer.from(spanId, 'hex').toString('base64'),
      asDouble: value,
      timeUnixNano: `${timestamp}000000`,
    })
    expect(bytes.sum.dataPoints[0].exemplars).toMatchObject([inOtlp(counted)])
    expect(h.exponentialHistogram.dataPoints[0].exemplars).toMatchObject(observed.map(inOtlp))
    const json = metrics.toOtlpJson() as Decoded
    expect(
      json.resourceMetrics[0].scopeMetrics[0].metrics[0].sum.dataPoints[0].exemplars,
    ).toMatchObject([{ traceId: other.traceId, spanId: other.spanId, asDouble: 7 }])
  })
})

describe('the active span', () => {
  const asked = (span: SpanIds | undefined): string => {
    const metrics = new Registry({ activeSpan: () => span })
    metrics.counter('c_total').inc()
    return metrics.toOpenMetrics()
  }

  it('is none where it is not there at once, also where that fails', () => {
    const activeSpan = async () => {
      throw new Error('of the program')
    }
    const metrics = new Registry({ activeSpan: activeSpan as never })
    metrics.counter('c_total').inc()
    expect(metrics.toOpenMetrics()).not.toContain('trace_id')
  })

  it('is no example when nobody records it, or when its ids are none', () => {
    expect(asked({ ...ids, traceFlags: 1 })).toContain(ids.traceId)
    expect(asked({ ...ids, traceFlags: 3 })).toContain(ids.traceId)
    for (const span of [
      undefined,
      { ...ids, traceFlags: 0 },
      { ...ids, traceFlags: 2 },
      { ...ids, traceId: '0'.repeat(32) },
      { ...ids, spanId: 'b7ad"6b71' },
    ]) {
      expect(asked(span)).not.toContain('trace_id')
    }
  })

  it('is asked for once a second, and forgotten when a series ends', () => {
    const clock = new VirtualClock(1_700_000_000_000)
    let questions = 0
    const activeSpan = (): SpanIds => {
      questions++
      return ids
    }
    const metrics = new Registry({ clock, activeSpan, retention: 5000 })
    const counter = metrics.counter('c_total', { labels: ['k'] }).labels({ k: 1 })
    for (let i = 0; i < 1000; i++) counter.inc()
    expect(questions).toBe(1)
    clock.advance(1000)
    counter.inc()
    expect(questions).toBe(2)
    clock.advance(10_000)
    expect(metrics.toOpenMetrics()).not.toContain('c_total')
    counter.inc(0)
    counter.inc(1)
    expect(metrics.toOpenMetrics().match(/trace_id/g)).toHaveLength(1)
  })
})
