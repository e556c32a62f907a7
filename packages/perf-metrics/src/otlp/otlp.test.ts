import { VirtualClock } from '@millrace/testkit'
import { describe, expect, it } from 'vitest'
import { decoded, exportMetricsRequest as request } from '../bytes/definitions.fixture.ts'
import { Registry } from '../index.ts'
import { upperBound } from '../store/exponential.ts'
import { NOW, sample, span } from './sample.fixture.ts'

describe('OTLP', () => {
  it('is decoded with the official definitions to what was measured', () => {
    const bytes = sample().toOtlp({ resource: { 'service.name': 'shop', shard: 3, canary: true } })
    const [{ resource, scopeMetrics }] = decoded(request, bytes).resourceMetrics
    expect(resource.attributes).toEqual([
      { key: 'service.name', value: { stringValue: 'shop' } },
      { key: 'shard', value: { intValue: '3' } },
      { key: 'canary', value: { boolValue: true } },
    ])
    const [counter, gauge, upDown, histogram] = scopeMetrics[0].metrics
    const times = { startTimeUnixNano: '1700000000000250000', timeUnixNano: '1700000000000250000' }
    expect(counter).toMatchObject({
      name: 'requests',
      sum: {
        aggregationTemporality: 'AGGREGATION_TEMPORALITY_CUMULATIVE',
        isMonotonic: true,
        dataPoints: [
          {
            ...times,
            asDouble: 3,
            attributes: [{ key: 'method', value: { stringValue: 'GÉT "\n' } }],
          },
        ],
      },
    })
    expect(gauge).toMatchObject({ unit: 'Cel', gauge: { dataPoints: [{ asDouble: -4.5 }] } })
    expect(upDown.sum.isMonotonic ?? false).toBe(false)
    expect(histogram).toMatchObject({ name: 'size_bytes', unit: 'By' })
    const [point] = histogram.exponentialHistogram.dataPoints
    expect(point).toMatchObject({ count: '6', sum: 5556, zeroCount: '1', min: 0, max: 5000 })
    // Every value lies in the bucket (base^i, base^(i+1)] that OpenTelemetry's data model gives it.
    const counts = point.positive.bucketCounts.map(Number)
    const { offset } = point.positive
    for (const value of [1, 5, 50, 500, 5000]) {
      const bucket = counts.findIndex(
        (_: number, i: number) => upperBound(offset + i + 1, point.scale) >= value,
      )
      expect(counts[bucket], String(value)).toBe(1)
      expect(upperBound(offset + bucket, point.scale)).toBeLessThan(value)
    }
    expect(point.exemplars).toContainEqual({
      asDouble: 500,
      timeUnixNano: times.timeUnixNano,
      traceId: Buffer.from(span.traceId, 'hex').toString('base64'),
      spanId: Buffer.from(span.spanId, 'hex').toString('base64'),
    })
  })

  it('says the same in JSON', () => {
    const metrics = sample()
    for (const histograms of ['exponential', 'explicit'] as const) {
      const json = metrics.toOtlpJson({ histograms })
      // protobufjs reads bytes as base64, OTLP writes ids in hexadecimal.
      const text = JSON.stringify(json)
        .replaceAll(span.traceId, Buffer.from(span.traceId, 'hex').toString('base64'))
        .replaceAll(span.spanId, Buffer.from(span.spanId, 'hex').toString('base64'))
      const fromJson = request.fromObject(JSON.parse(text))
      const bytes = request.encode(fromJson).finish()
      const sent = metrics.toOtlp({ histograms })
      expect(decoded(request, bytes, true)).toEqual(decoded(request, sent, true))
    }
  })

  it('leaves out what has no points', () => {
    const clock = new VirtualClock(NOW)
    const metrics = new Registry({ clock })
    metrics.counter('unused_total', { labels: ['a'] })
    const used = metrics.counter('used_total')
    used.inc()
    const names = (bytes: Uint8Array): string[] =>
      decoded(request, bytes).resourceMetrics[0].scopeMetrics[0].metrics.map(
        ({ name }: { name: string }) => name,
      )
    expect(names(metrics.toOtlp())).toEqual(['used'])
    expect(metrics.toOtlpJson()).toMatchObject({
      resourceMetrics: [{ scopeMetrics: [{ metrics: [{ name: 'used' }] }] }],
    })
  })

  it('sends explicit buckets on demand', () => {
    const [{ scopeMetrics }] = decoded(
      request,
      sample().toOtlp({ histograms: 'explicit' }),
    ).resourceMetrics
    expect(scopeMetrics[0].metrics[3].histogram.dataPoints[0]).toMatchObject({
      bucketCounts: ['3', '1', '2'],
      explicitBounds: [10, 100],
    })
  })
})
