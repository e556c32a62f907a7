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
import type { TextFormat } from './exposition-format.ts'
import {
  annotatedLines,
  keepLines,
  updateCounts,
  VALUE_ROOM,
  writeLine,
  writeLines,
} from './kept-lines.ts'
import { type LineShape, shapeOf } from './line-shape.ts'
import { exemplarText, metadata } from './text-parts.ts'

const NEWLINE = 10
/** Work between two opportunities to yield, in series whose lines are kept, and what the first export of one is worth. */
const STEP = 32
const FIRST_EXPORT = 8

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
    const shape = shapeOf(family, format)
    for (const series of family.series()) {
      if (series.text !== shape) {
        keepLines(series, shape)
        untilYield -= FIRST_EXPORT
      }
      writeSeries(series, shape, out)
      if (--untilYield > 0) continue
      untilYield = STEP
      yield
    }
  }
  if (format.kind === 'openmetrics') out.text('# EOF\n')
}

function writeSeries(series: Series, shape: LineShape, out: ByteWriter): void {
  if (series.type === 'histogram') writeHistogram(series as HistogramSeries, shape, out)
  else {
    writeLines(series, out)
    out.number((series as CounterSeries | GaugeSeries | UpDownCounterSeries).value)
    if (series.type === 'counter' && shape.format.kind === 'openmetrics') {
      writeExemplar((series as CounterSeries).exemplars, out)
    }
    out.byte(NEWLINE)
  }
  if (shape.created === undefined) return
  writeLine(series, shape, shape.created, out)
  out.number(series.created / 1000)
  out.byte(NEWLINE)
}

function writeExemplar(exemplars: ExemplarReservoir | undefined, out: ByteWriter): void {
  if (exemplars === undefined || exemplars.size === 0) return
  out.text(exemplarText(exemplars.at(0)))
  out.reserve(1)
}

function writeHistogram(series: HistogramSeries, shape: LineShape, out: ByteWriter): void {
  const { exemplars } = series
  updateCounts(series, shape)
  if (shape.format.kind === 'openmetrics' && exemplars !== undefined && exemplars.size > 0) {
    const buckets = series.shape.classic.bounds.length
    out.text(annotatedLines(series, i => (i < buckets ? exemplarText(exemplars.at(i)) : '')))
    out.reserve(VALUE_ROOM)
  } else writeLines(series, out)
  out.number(series.sum)
  out.byte(NEWLINE)
}
