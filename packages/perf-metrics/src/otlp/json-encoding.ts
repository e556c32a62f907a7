import type { Exemplar } from '../instrument/exemplars.ts'
import { ZERO_THRESHOLD } from '../store/exponential.ts'
import type { HistogramPoint, MetricData, NumberPoint } from './metric-data.ts'
import { nanoseconds, type OtlpContext } from './protobuf-encoding.ts'
import { SCOPE_NAME } from './scope.ts'

/** An `ExportMetricsServiceRequest` in OTLP's JSON: ids in hexadecimal, 64-bit integers as decimal strings. */
export function encodeOtlpJson(metrics: readonly MetricData[], context: OtlpContext): object {
  return {
    resourceMetrics: [
      {
        resource: { attributes: attributes(Object.entries(context.resource)) },
        scopeMetrics: [
          {
            scope: { name: SCOPE_NAME },
            metrics: metrics.map(metric => metricJson(metric, context)),
          },
        ],
      },
    ],
  }
}

function metricJson(metric: MetricData, context: OtlpContext): object {
  const { name, description, unit, type, labelNames, points } = metric
  const head = { name, description, unit }
  const aggregationTemporality = context.temporality === 'delta' && type !== 'updown' ? 1 : 2
  const common = (labelValues: readonly string[], start: number): object => ({
    attributes: attributes(labelNames.map((label, i) => [label, labelValues[i]!])),
    startTimeUnixNano: String(nanoseconds(start)),
    timeUnixNano: String(nanoseconds(context.time)),
  })
  if (type === 'histogram') {
    const exponential = context.histograms === 'exponential'
    const dataPoints = (points as readonly HistogramPoint[]).map(point => ({
      ...common(point.labelValues, point.start),
      ...(exponential ? exponentialJson(point) : explicitJson(point)),
    }))
    const data = { dataPoints, aggregationTemporality }
    return exponential ? { ...head, exponentialHistogram: data } : { ...head, histogram: data }
  }
  const dataPoints = (points as readonly NumberPoint[]).map(point => ({
    ...common(point.labelValues, point.start),
    asDouble: double(point.value),
    ...(point.exemplars.length > 0 && { exemplars: point.exemplars.map(exemplarJson) }),
  }))
  return type === 'gauge'
    ? { ...head, gauge: { dataPoints } }
    : { ...head, sum: { dataPoints, aggregationTemporality, isMonotonic: type === 'counter' } }
}

function exponentialJson({ distribution: d, exemplars }: HistogramPoint): object {
  return {
    count: String(d.count),
    sum: d.sum,
    scale: d.schema,
    zeroCount: String(d.zeros),
    positive: { offset: d.low - 1, bucketCounts: Array.from(d.counts, String) },
    ...extremes(d),
    zeroThreshold: ZERO_THRESHOLD,
    exemplars: exemplars.map(exemplarJson),
  }
}

function explicitJson({ distribution: d, classic, bounds, exemplars }: HistogramPoint): object {
  return {
    count: String(d.count),
    sum: d.sum,
    bucketCounts: classic.map(String),
    explicitBounds: bounds,
    ...extremes(d),
    exemplars: exemplars.map(exemplarJson),
  }
}

function extremes({ min, max }: { min: number; max: number }): object {
  return Number.isNaN(min) ? {} : { min, max }
}

function exemplarJson({ traceId, spanId, value, timestamp }: Exemplar): object {
  return { timeUnixNano: String(nanoseconds(timestamp)), asDouble: value, spanId, traceId }
}

/** The mapping of Protocol Buffers to JSON writes what JSON has no number for as a string. */
function double(value: number): number | string {
  return Number.isFinite(value) ? value : String(value)
}

function attributes(entries: readonly (readonly [string, string | number | boolean])[]): object[] {
  return entries.map(([key, value]) => ({ key, value: anyValue(value) }))
}

function anyValue(value: string | number | boolean): object {
  if (typeof value === 'string') return { stringValue: value }
  if (typeof value === 'boolean') return { boolValue: value }
  return Number.isSafeInteger(value) ? { intValue: String(value) } : { doubleValue: value }
}
