/**
 * The protobuf exposition of Prometheus (`io.prometheus.client.MetricFamily`, delimited): the only format in which
 * Prometheus takes native histograms today. Both kinds of buckets are sent, and the server keeps what it is set to.
 */
import type { ProtoWriter } from '../bytes/proto-writer.ts'
import type { CounterSeries } from '../instrument/counter.ts'
import type { Exemplar } from '../instrument/exemplars.ts'
import type { Family } from '../instrument/family.ts'
import type { GaugeSeries } from '../instrument/gauge.ts'
import type { HistogramSeries } from '../instrument/histogram-series.ts'
import type { Series } from '../instrument/series.ts'
import { type Escaping, escapeLabelName, escapeMetricName } from '../metric/escaping.ts'
import { baseName } from '../metric/name.ts'
import type { Distribution } from '../store/distribution.ts'
import { ZERO_THRESHOLD } from '../store/exponential.ts'
import { bucketSpans } from './bucket-spans.ts'

const TYPES = { counter: 0, gauge: 1, updown: 1, histogram: 4 } as const

/** Writes `families`, stopping after every series so that the caller can let others run. */
export function* exposeNative(
  families: Iterable<Family>,
  escaping: Escaping,
  out: ProtoWriter,
): Generator<void, void> {
  for (const family of families) {
    if (family.size === 0) continue
    const { name, help, type, unit, labelNames } = family.description
    const labels = labelNames.map(label => escapeLabelName(label, escaping))
    const counter = type === 'counter'
    const exported = escapeMetricName(counter ? `${baseName(name)}_total` : name, escaping)
    const message = out.beginDelimited()
    out.string(1, exported)
    out.string(2, help)
    out.uint(3, TYPES[type])
    if (unit !== '') out.string(5, unit)
    for (const series of family.series()) {
      const metric = out.begin(4)
      labels.forEach((label, i) => {
        writeLabel(out, label, series.labelValues[i]!)
      })
      writeValue(out, series)
      out.end(metric)
      yield
    }
    out.end(message)
  }
}

function writeLabel(out: ProtoWriter, name: string, value: string): void {
  const label = out.begin(1)
  out.string(1, name)
  out.string(2, value)
  out.end(label)
}

function writeValue(out: ProtoWriter, series: Series): void {
  switch (series.type) {
    case 'counter': {
      const counter = out.begin(3)
      out.double(1, (series as CounterSeries).value)
      for (const exemplar of (series as CounterSeries).exemplars ?? []) {
        writeExemplar(out, 2, exemplar)
      }
      writeTimestamp(out, 3, series.created)
      out.end(counter)
      break
    }
    case 'histogram': {
      const histogram = out.begin(7)
      writeHistogram(out, series as HistogramSeries)
      out.end(histogram)
      break
    }
    default: {
      const gauge = out.begin(2)
      out.double(1, (series as GaugeSeries).value)
      out.end(gauge)
    }
  }
}

function writeHistogram(out: ProtoWriter, series: HistogramSeries): void {
  const d = series.liveDistribution()
  out.uint(1, d.count)
  out.double(2, d.sum)
  const { bounds } = series.shape.classic
  let seen = 0
  for (let i = 0; i < bounds.length; i++) {
    const bucket = out.begin(3)
    out.uint(1, (seen += series.classicCount(i)))
    out.double(2, bounds[i]!)
    const exemplar = series.exemplars?.at(i)
    if (exemplar !== undefined) writeExemplar(out, 3, exemplar)
    out.end(bucket)
  }
  out.sint(5, d.schema)
  out.double(6, ZERO_THRESHOLD)
  out.uint(7, d.zeros)
  writeSpans(out, d)
  writeTimestamp(out, 15, series.created)
  for (const exemplar of series.exemplars ?? []) writeExemplar(out, 16, exemplar)
}

/** Runs of buckets, then the differences of neighbouring counts. */
function writeSpans(out: ProtoWriter, d: Distribution): void {
  const spans = bucketSpans(d)
  // A span without buckets tells an empty native histogram from a classic one.
  if (spans.length === 0) spans.push({ offset: 0, from: 0, to: 0 })
  for (const { offset, from, to } of spans) {
    const span = out.begin(12)
    out.sint(1, offset)
    out.uint(2, to - from)
    out.end(span)
  }
  const deltas = out.begin(13)
  let previous = 0
  for (const { from, to } of spans) {
    for (let i = from; i < to; i++) {
      out.zigzag(d.counts[i]! - previous)
      previous = d.counts[i]!
    }
  }
  out.end(deltas)
}

function writeExemplar(out: ProtoWriter, field: number, exemplar: Exemplar): void {
  const message = out.begin(field)
  writeLabel(out, 'trace_id', exemplar.traceId)
  writeLabel(out, 'span_id', exemplar.spanId)
  out.double(2, exemplar.value)
  writeTimestamp(out, 3, exemplar.timestamp)
  out.end(message)
}

function writeTimestamp(out: ProtoWriter, field: number, milliseconds: number): void {
  const message = out.begin(field)
  const seconds = Math.floor(milliseconds / 1000)
  out.uint(1, seconds)
  out.uint(2, Math.floor((milliseconds - seconds * 1000) * 1e6))
  out.end(message)
}
