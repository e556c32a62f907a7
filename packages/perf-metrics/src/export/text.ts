/**
 * Prometheus text 0.0.4 and OpenMetrics 1.0. Everything on a line but its value is encoded when the series is first
 * exported and copied from then on.
 */
import { KEPT } from '../bytes/byte-pool.ts'
import type { ByteWriter } from '../bytes/byte-writer.ts'
import type { CounterSeries } from '../instrument/counter.ts'
import type { ExemplarReservoir } from '../instrument/exemplars.ts'
import type { Family } from '../instrument/family.ts'
import type { GaugeSeries } from '../instrument/gauge.ts'
import type { HistogramSeries } from '../instrument/histogram-series.ts'
import type { Series } from '../instrument/series.ts'
import type { UpDownCounterSeries } from '../instrument/up-down-counter.ts'
import { HistogramLines, type LineShape, lineShape } from './histogram-lines.ts'
import type { TextFormat } from './text-format.ts'
import { exemplarText, familyName, labelPairs, metadata, sample } from './text-parts.ts'

const NEWLINE = 10
/** Room for a value and a line end. */
const VALUE_ROOM = 32
/** Work between two opportunities to yield, in series whose lines are kept, and what the first export of one is worth. */
const STEP = 32
const FIRST_EXPORT = 8

/** What a series keeps of its lines. */
type SeriesText = SingleLine | HistogramLines

interface SingleLine {
  readonly format: TextFormat
  /** The line up to its value. */
  readonly line: Uint8Array
  /** The `_created` line up to its value, where the format has one. */
  readonly created: Uint8Array | undefined
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
        untilYield -= FIRST_EXPORT
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
  const name = familyName(family, format)
  const pairs = labelPairs(family, series, format)
  const line = (suffix: string): Uint8Array => KEPT.text(`${sample(name + suffix, pairs)} `)
  const open = format.kind === 'openmetrics'
  if (series.type === 'histogram') {
    const labels = Buffer.from(pairs.join(','))
    const created = open ? line('_created') : undefined
    return new HistogramLines(series as HistogramSeries, shapeOf(family, format), labels, created)
  }
  const counter = open && series.type === 'counter'
  return {
    format,
    line: line(counter ? '_total' : ''),
    created: counter ? line('_created') : undefined,
  }
}

function shapeOf(family: Family, format: TextFormat): LineShape {
  let shape = family.text as LineShape | undefined
  if (shape?.format !== format) family.text = shape = lineShape(family, format)
  return shape
}

function writeSeries(series: Series, text: SeriesText, out: ByteWriter): void {
  if (series.type === 'histogram') {
    writeHistogram(series as HistogramSeries, text as HistogramLines, out)
  } else {
    const { format, line } = text as SingleLine
    out.reserve(line.length + VALUE_ROOM)
    out.copy(line)
    out.number((series as CounterSeries | GaugeSeries | UpDownCounterSeries).value)
    if (series.type === 'counter' && format.kind === 'openmetrics') {
      writeExemplar((series as CounterSeries).exemplars, out)
    }
    out.byte(NEWLINE)
  }
  const { created } = text
  if (created === undefined) return
  out.reserve(created.length + VALUE_ROOM)
  out.copy(created)
  out.number(series.created / 1000)
  out.byte(NEWLINE)
}

function writeExemplar(exemplars: ExemplarReservoir | undefined, out: ByteWriter): void {
  if (exemplars === undefined || exemplars.size === 0) return
  out.text(exemplarText(exemplars.at(0)))
  out.reserve(1)
}

function writeHistogram(series: HistogramSeries, lines: HistogramLines, out: ByteWriter): void {
  const { exemplars } = series
  if (lines.format.kind === 'openmetrics' && exemplars !== undefined && exemplars.size > 0) {
    const buckets = series.shape.classic.bounds.length
    out.text(lines.annotated(i => (i < buckets ? exemplarText(exemplars.at(i)) : '')))
    out.reserve(VALUE_ROOM)
  } else lines.write(out)
  out.number(series.sum)
  out.byte(NEWLINE)
}
