/**
 * Prometheus text 0.0.4 and OpenMetrics 1.0. Everything on a line but its value is encoded when the series is first
 * exported and copied from then on.
 */
import type { ByteWriter } from '../bytes/byte-writer.ts'
import type { CounterSeries } from '../instrument/counter.ts'
import type { ExemplarReservoir } from '../instrument/exemplars.ts'
import type { Family } from '../instrument/family.ts'
import type { GaugeSeries } from '../instrument/gauge.ts'
import type { HistogramSeries } from '../instrument/histogram-series.ts'
import type { Series } from '../instrument/series.ts'
import type { UpDownCounterSeries } from '../instrument/up-down-counter.ts'
import { PatchedText } from './patched-text.ts'
import type { TextFormat } from './text-format.ts'
import { bound, exemplarText, familyName, labelPairs, metadata, sample } from './text-parts.ts'

const NEWLINE = 10
/** Room for a value and a line end. */
const VALUE_ROOM = 32
/** Work between two opportunities to yield, in series whose lines are kept. The first export of one is worth many. */
const STEP = 32

const ENCODER = new TextEncoder()

/** What a series keeps of its lines. */
type SeriesText = SingleText | HistogramText

interface SingleText {
  readonly format: TextFormat
  /** The line up to its value. */
  readonly line: Uint8Array
  /** The `_created` line up to its value; empty where there is none. */
  readonly created: Uint8Array
}

interface HistogramText {
  readonly format: TextFormat
  /** Everything up to the sum, which comes last as its width varies. */
  readonly head: PatchedText
  readonly created: Uint8Array
}

/** Writes `families`, stopping after every few series so that the caller can let others run. */
export function* exposeLines(
  families: Iterable<Family>,
  format: TextFormat,
  out: ByteWriter,
): Generator<void, void> {
  let untilYield = STEP
  for (const family of families) {
    if (family.size === 0) continue
    out.text(metadata(family, format))
    for (const series of family.series()) {
      let text = series.text as SeriesText | undefined
      if (text === undefined || text.format !== format) {
        series.text = text = textOf(family, series, format)
        untilYield = 0
      }
      writeSeries(series, text, out)
      if (--untilYield > 0) continue
      untilYield = STEP
      yield
    }
  }
  if (format.kind === 'openmetrics') out.text('# EOF\n')
}

function textOf(family: Family, series: Series, format: TextFormat): SeriesText {
  const lines = linePrefixes(family, series, format)
  return series.type === 'histogram'
    ? histogramText(series as HistogramSeries, lines, format)
    : singleText(lines, format)
}

function singleText(lines: string[], format: TextFormat): SingleText {
  const [line, created] = lines
  return { format, line: ENCODER.encode(line), created: ENCODER.encode(created ?? '') }
}

function histogramText(
  series: HistogramSeries,
  lines: string[],
  format: TextFormat,
): HistogramText {
  const buckets = series.shape.classic.bounds.length
  const [count, sum, created] = lines.slice(buckets)
  return {
    format,
    head: new PatchedText([
      ...lines.slice(0, buckets).map((line, i) => (i === 0 ? line : `\n${line}`)),
      `\n${count}`,
      `\n${sum}`,
    ]),
    created: ENCODER.encode(created ?? ''),
  }
}

function linePrefixes(family: Family, series: Series, format: TextFormat): string[] {
  const name = familyName(family, format)
  const pairs = labelPairs(family, series, format)
  const line = (suffix: string, more: string[] = []): string =>
    `${sample(name + suffix, [...pairs, ...more])} `
  const created = format.kind === 'openmetrics' ? [line('_created')] : []
  if (series.type === 'counter') {
    return [line(format.kind === 'openmetrics' ? '_total' : ''), ...created]
  }
  if (series.type !== 'histogram') return [line('')]
  const { bounds } = (series as HistogramSeries).shape.classic
  const buckets = Array.from(bounds, le => line('_bucket', [`le="${bound(le, format)}"`]))
  return [...buckets, line('_count'), line('_sum'), ...created]
}

function writeSeries(series: Series, text: SeriesText, out: ByteWriter): void {
  if (series.type === 'histogram') {
    writeHistogram(series as HistogramSeries, text as HistogramText, out)
  } else {
    const { line, format } = text as SingleText
    out.reserve(line.length + VALUE_ROOM)
    out.copy(line)
    out.number((series as CounterSeries | GaugeSeries | UpDownCounterSeries).value)
    if (series.type === 'counter' && format.kind === 'openmetrics') {
      writeExemplar((series as CounterSeries).exemplars, out)
    }
    out.byte(NEWLINE)
  }
  if (text.created.length === 0) return
  out.reserve(text.created.length + VALUE_ROOM)
  out.copy(text.created)
  out.number(series.created / 1000)
  out.byte(NEWLINE)
}

function writeExemplar(exemplars: ExemplarReservoir | undefined, out: ByteWriter): void {
  if (exemplars === undefined || exemplars.size === 0) return
  out.text(exemplarText(exemplars.at(0)))
  out.reserve(1)
}

function writeHistogram(
  series: HistogramSeries,
  { head, format }: HistogramText,
  out: ByteWriter,
): void {
  const buckets = series.shape.classic.bounds.length
  let seen = 0
  for (let i = 0; i < buckets; i++) head.set(i, (seen += series.classicCount(i)))
  head.set(buckets, seen)
  const { exemplars } = series
  if (format.kind === 'openmetrics' && exemplars !== undefined && exemplars.size > 0) {
    out.text(head.annotated(i => (i < buckets ? exemplarText(exemplars.at(i)) : '')))
    out.reserve(VALUE_ROOM)
  } else {
    out.reserve(head.bytes.length + VALUE_ROOM)
    out.block(head.bytes)
  }
  out.number(series.sum)
  out.byte(NEWLINE)
}
