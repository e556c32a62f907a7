/**
 * OpenMetrics 2.0 (release candidate of March 2026): one line per series, with its start time, and for a histogram with
 * native buckets, classic buckets and exemplars on it.
 */
import type { ByteWriter } from '../bytes/byte-writer.ts'
import type { CounterSeries } from '../instrument/counter.ts'
import type { ExemplarReservoir } from '../instrument/exemplars.ts'
import type { Family } from '../instrument/family.ts'
import type { GaugeSeries } from '../instrument/gauge.ts'
import type { HistogramSeries } from '../instrument/histogram-series.ts'
import type { Series } from '../instrument/series.ts'
import type { UpDownCounterSeries } from '../instrument/up-down-counter.ts'
import type { Distribution } from '../store/distribution.ts'
import { ZERO_THRESHOLD } from '../store/exponential.ts'
import { bucketSpans } from './bucket-spans.ts'
import type { TextFormat } from './exposition-format.ts'
import {
  bound,
  exemplarText,
  familyName,
  labelNames,
  labelText,
  metadata,
  sample,
} from './text-parts.ts'

const NEWLINE = 10
const COMMA = 44
/** Room for a number and what stands beside it. */
const NUMBER_ROOM = 32

/** What a series keeps of its line. */
interface CompositeText {
  readonly format: TextFormat
  /** The line up to its value. */
  readonly line: string
}

/** Writes `families`, stopping after every series so that the caller can let others run. */
export function* exposeComposites(
  families: Iterable<Family>,
  format: TextFormat,
  out: ByteWriter,
): Generator<void, void> {
  for (const family of families) {
    if (family.size === 0) continue
    out.text(metadata(family, format))
    const name = familyName(family, format)
    const labels = labelNames(family, format)
    const bounds = family.description.buckets.concat(Infinity).map(le => bound(le, format))
    for (const series of family.series()) {
      out.text(lineOf(series, name, labels, format))
      if (series.type === 'histogram') writeHistogram(series as HistogramSeries, bounds, out)
      else writeNumber(series as CounterSeries | GaugeSeries | UpDownCounterSeries, out)
      out.reserve(1)
      out.byte(NEWLINE)
      yield
    }
  }
  out.text('# EOF\n')
}

function lineOf(
  series: Series,
  name: string,
  labels: readonly string[],
  format: TextFormat,
): string {
  const kept = series.text as CompositeText | undefined
  if (kept?.format === format) return kept.line
  const line = `${sample(name, labels.length === 0 ? [] : [labelText(labels, series)])} `
  series.text = { format, line } satisfies CompositeText
  return line
}

function writeNumber(
  series: CounterSeries | GaugeSeries | UpDownCounterSeries,
  out: ByteWriter,
): void {
  out.reserve(NUMBER_ROOM)
  out.number(series.value)
  if (series.type === 'counter') writeOrigin(series, series.exemplars, out)
}

function writeHistogram(series: HistogramSeries, bounds: readonly string[], out: ByteWriter): void {
  const d = series.liveDistribution()
  out.reserve(4 * NUMBER_ROOM)
  out.ascii('{count:')
  out.number(d.count)
  out.ascii(',sum:')
  out.number(d.sum)
  out.ascii(`,schema:${d.schema},zero_threshold:${ZERO_THRESHOLD},zero_count:`)
  out.number(d.zeros)
  writeNativeBuckets(d, out)
  out.text(',bucket:[')
  let seen = 0
  bounds.forEach((le, i) => {
    out.reserve(2 * NUMBER_ROOM)
    if (i > 0) out.byte(COMMA)
    out.ascii(le)
    out.ascii(':')
    out.number((seen += series.classicCount(i)))
  })
  out.text(']}')
  writeOrigin(series, series.exemplars, out)
}

function writeNativeBuckets(d: Distribution, out: ByteWriter): void {
  const spans = bucketSpans(d)
  if (spans.length === 0) return
  const described = spans.map(({ offset, from, to }) => `${offset}:${to - from}`)
  out.text(`,positive_spans:[${described.join(',')}],positive_buckets:[`)
  let first = true
  for (const { from, to } of spans) {
    for (let i = from; i < to; i++) {
      out.reserve(NUMBER_ROOM)
      if (!first) out.byte(COMMA)
      first = false
      out.number(d.counts[i]!)
    }
  }
  out.text(']')
}

/** When counting began, and examples of what was counted. */
function writeOrigin(
  { created }: Series,
  exemplars: ExemplarReservoir | undefined,
  out: ByteWriter,
): void {
  out.reserve(NUMBER_ROOM)
  out.ascii(` st@${created / 1000}`)
  for (const exemplar of exemplars ?? []) out.text(exemplarText(exemplar))
}
