import type { ByteWriter } from '../bytes/byte-writer.ts'
import type { Exemplar } from '../instrument/exemplars.ts'
import { ZERO_THRESHOLD } from '../store/exponential.ts'
import type { OtlpAttribute } from './conventions.ts'
import type { HistogramPoint, MetricData, Point } from './metric-data.ts'
import type { OtlpContext } from './protobuf-encoding.ts'
import { SCOPE_NAME } from './scope.ts'

/** An `ExportMetricsServiceRequest` in OTLP's JSON: ids in hexadecimal, 64-bit integers as decimal strings. */
export function toOtlpJson(metrics: Iterable<MetricData>, context: OtlpContext): object {
  const sent: object[] = []
  for (const metric of metrics) {
    const dataPoints: object[] = []
    for (const point of metric.points) {
      if (point !== undefined) dataPoints.push(pointJson(metric, point, context))
    }
    if (dataPoints.length === 0) continue
    const { head, kind, tail } = partsOf(metric, context)
    sent.push({ ...head, [kind]: { dataPoints, ...tail } })
  }
  const { resource, scope } = envelope(context)
  return { resourceMetrics: [{ resource, scopeMetrics: [{ scope, metrics: sent }] }] }
}

/** Writes the text of the same, stopping after every series so that the caller can let others run. */
export function* encodeOtlpJson(
  metrics: Iterable<MetricData>,
  context: OtlpContext,
  out: ByteWriter,
): Generator<void, void> {
  const { resource, scope } = envelope(context)
  out.text(`{"resourceMetrics":[{"resource":${JSON.stringify(resource)},`)
  out.text(`"scopeMetrics":[{"scope":${JSON.stringify(scope)},"metrics":[`)
  let metricsBefore = ''
  for (const metric of metrics) {
    const { head, kind, tail } = partsOf(metric, context)
    // Before the first point, the metric's own fields: one without points is not sent.
    let before = `${metricsBefore}${JSON.stringify(head).slice(0, -1)},"${kind}":{"dataPoints":[`
    let empty = true
    for (const point of metric.points) {
      if (point !== undefined) {
        out.text(before + JSON.stringify(pointJson(metric, point, context)))
        before = ','
        empty = false
      }
      yield
    }
    if (empty) continue
    metricsBefore = ','
    const fields = Object.entries(tail).map(([field, value]) => `,"${field}":${value}`)
    out.text(`]${fields.join('')}}}`)
  }
  out.text(']}]}]}')
}

function envelope({ resource }: OtlpContext): { resource: object; scope: object } {
  return {
    resource: { attributes: attributes(Object.entries(resource)) },
    scope: { name: SCOPE_NAME },
  }
}

/** A metric's fields around its points. */
function partsOf(
  { name, description, unit, type }: MetricData,
  { temporality, histograms }: OtlpContext,
): { head: object; kind: string; tail: Readonly<Record<string, number | boolean>> } {
  const head = { name, description, unit }
  const aggregationTemporality = temporality === 'delta' && type !== 'updown' ? 1 : 2
  switch (type) {
    case 'gauge':
      return { head, kind: 'gauge', tail: {} }
    case 'histogram': {
      const kind = histograms === 'exponential' ? 'exponentialHistogram' : 'histogram'
      return { head, kind, tail: { aggregationTemporality } }
    }
    default: {
      const tail = { aggregationTemporality, isMonotonic: type === 'counter' }
      return { head, kind: 'sum', tail }
    }
  }
}

function pointJson(metric: MetricData, point: Point, context: OtlpContext): object {
  const { labelValues, start } = point
  const common = {
    attributes: attributes(pointAttributes(metric, labelValues)),
    startTimeUnixNano: String(nanoseconds(start)),
    timeUnixNano: String(nanoseconds(context.time)),
  }
  if ('distribution' in point) {
    const exponential = context.histograms === 'exponential'
    return { ...common, ...(exponential ? exponentialJson(point) : explicitJson(point)) }
  }
  const { value, exemplars } = point
  return {
    ...common,
    asDouble: double(value),
    ...(exemplars.length > 0 && { exemplars: exemplars.map(exemplarJson) }),
  }
}

function pointAttributes(
  { labelNames, attributes }: MetricData,
  labelValues: readonly string[],
): readonly OtlpAttribute[] {
  return attributes?.(labelValues) ?? labelNames.map((label, i) => [label, labelValues[i]!])
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
    bucketCounts: Array.from(classic, String),
    explicitBounds: Array.from(bounds),
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

/** Milliseconds since the epoch as the nanoseconds of OTLP. Exact to the microsecond, as a double is at this size. */
function nanoseconds(milliseconds: number): bigint {
  const whole = Math.floor(milliseconds)
  return BigInt(whole) * 1_000_000n + BigInt(Math.round((milliseconds - whole) * 1e6))
}
