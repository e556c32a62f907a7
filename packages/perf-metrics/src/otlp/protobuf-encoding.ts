import type { ProtoWriter } from '../bytes/proto-writer.ts'
import type { Exemplar } from '../instrument/exemplars.ts'
import { ZERO_THRESHOLD } from '../store/exponential.ts'
import type {
  HistogramEncoding,
  HistogramPoint,
  MetricData,
  NumberPoint,
  Point,
  Temporality,
} from './metric-data.ts'
import type { ResourceAttributes } from './resource.ts'
import { SCOPE_NAME } from './scope.ts'

export interface OtlpContext {
  /** When the metrics were read, in milliseconds since the epoch. */
  readonly time: number
  readonly temporality: Temporality
  readonly histograms: HistogramEncoding
  readonly resource: ResourceAttributes
}

/**
 * Writes an `ExportMetricsServiceRequest`, stopping after every series so that the caller can let others run. Field
 * numbers are those of opentelemetry/proto/metrics/v1/metrics.proto.
 */
export function* encodeOtlpProtobuf(
  metrics: Iterable<MetricData>,
  context: OtlpContext,
  out: ProtoWriter,
): Generator<void, void> {
  const resourceMetrics = out.begin(1)
  const resource = out.begin(1)
  for (const [key, value] of Object.entries(context.resource)) attribute(out, 1, key, value)
  out.end(resource)
  const scopeMetrics = out.begin(2)
  const scope = out.begin(1)
  out.string(1, SCOPE_NAME)
  out.end(scope)
  for (const metric of metrics) yield* encodeMetric(out, metric, context)
  out.end(scopeMetrics)
  out.end(resourceMetrics)
}

function* encodeMetric(
  out: ProtoWriter,
  metric: MetricData,
  context: OtlpContext,
): Generator<void, void> {
  // A metric without points is not sent.
  let open: { message: number; data: number } | undefined
  for (const point of metric.points) {
    if (point !== undefined) {
      open ??= beginMetric(out, metric, context)
      const one = out.begin(1)
      encodePoint(out, metric, point, context)
      out.end(one)
    }
    yield
  }
  if (open === undefined) return
  if (metric.type !== 'gauge') {
    // Up-down counters are cumulative whatever is asked for: their value is a state.
    out.uint(2, context.temporality === 'delta' && metric.type !== 'updown' ? 1 : 2)
  }
  if (metric.type === 'counter') out.uint(3, 1)
  out.end(open.data)
  out.end(open.message)
}

function beginMetric(
  out: ProtoWriter,
  { name, description, unit, type }: MetricData,
  { histograms }: OtlpContext,
): { message: number; data: number } {
  const message = out.begin(2)
  out.string(1, name)
  out.string(2, description)
  if (unit !== '') out.string(3, unit)
  const histogram = histograms === 'exponential' ? 10 : 9
  const data = out.begin(type === 'gauge' ? 5 : type === 'histogram' ? histogram : 7)
  return { message, data }
}

function encodePoint(
  out: ProtoWriter,
  metric: MetricData,
  point: Point,
  context: OtlpContext,
): void {
  if (!('distribution' in point)) numberPoint(out, metric, point, context)
  else if (context.histograms === 'exponential') exponentialPoint(out, metric, point, context)
  else explicitPoint(out, metric, point, context)
}

function numberPoint(
  out: ProtoWriter,
  metric: MetricData,
  { labelValues, start, value, exemplars }: NumberPoint,
  { time }: OtlpContext,
): void {
  pointAttributes(out, 7, metric, labelValues)
  out.nanoseconds(2, start)
  out.nanoseconds(3, time)
  out.double(4, value)
  for (const exemplar of exemplars) encodeExemplar(out, 5, exemplar)
}

function exponentialPoint(
  out: ProtoWriter,
  metric: MetricData,
  { labelValues, start, distribution: d, exemplars }: HistogramPoint,
  { time }: OtlpContext,
): void {
  pointAttributes(out, 1, metric, labelValues)
  out.nanoseconds(2, start)
  out.nanoseconds(3, time)
  out.fixed64(4, d.count)
  out.double(5, d.sum)
  out.sint(6, d.schema)
  out.fixed64(7, d.zeros)
  const positive = out.begin(8)
  // OpenTelemetry names a bucket by its lower bound, we and Prometheus by its upper one.
  out.sint(1, d.low - 1)
  const counts = out.begin(2)
  for (let i = 0; i < d.counts.length; i++) out.varint(d.counts[i]!)
  out.end(counts)
  out.end(positive)
  for (const exemplar of exemplars) encodeExemplar(out, 11, exemplar)
  if (!Number.isNaN(d.min)) out.double(12, d.min)
  if (!Number.isNaN(d.max)) out.double(13, d.max)
  out.double(14, ZERO_THRESHOLD)
}

function explicitPoint(
  out: ProtoWriter,
  metric: MetricData,
  { labelValues, start, distribution: d, classic, bounds, exemplars }: HistogramPoint,
  { time }: OtlpContext,
): void {
  pointAttributes(out, 9, metric, labelValues)
  out.nanoseconds(2, start)
  out.nanoseconds(3, time)
  out.fixed64(4, d.count)
  out.double(5, d.sum)
  const counts = out.begin(6)
  for (const count of classic) out.rawFixed64(count)
  out.end(counts)
  const limits = out.begin(7)
  for (const bound of bounds) out.rawDouble(bound)
  out.end(limits)
  for (const exemplar of exemplars) encodeExemplar(out, 8, exemplar)
  if (!Number.isNaN(d.min)) out.double(11, d.min)
  if (!Number.isNaN(d.max)) out.double(12, d.max)
}

function encodeExemplar(out: ProtoWriter, field: number, exemplar: Exemplar): void {
  const message = out.begin(field)
  out.nanoseconds(2, exemplar.timestamp)
  out.double(3, exemplar.value)
  out.bytesField(4, Buffer.from(exemplar.spanId, 'hex'))
  out.bytesField(5, Buffer.from(exemplar.traceId, 'hex'))
  out.end(message)
}

function pointAttributes(
  out: ProtoWriter,
  field: number,
  { labelNames, attributes }: MetricData,
  labelValues: readonly string[],
): void {
  if (attributes === undefined) {
    labelNames.forEach((name, i) => {
      attribute(out, field, name, labelValues[i]!)
    })
  } else for (const [name, value] of attributes(labelValues)) attribute(out, field, name, value)
}

function attribute(
  out: ProtoWriter,
  field: number,
  key: string,
  value: string | number | boolean,
): void {
  const pair = out.begin(field)
  out.string(1, key)
  const any = out.begin(2)
  if (typeof value === 'string') out.string(1, value)
  else if (typeof value === 'boolean') out.uint(2, Number(value))
  else if (Number.isSafeInteger(value) && value >= 0) out.uint(3, value)
  else out.double(4, value)
  out.end(any)
  out.end(pair)
}
