/**
 * Prometheus text 0.0.4 and OpenMetrics 1.0. Everything on a line but its value is encoded when the series is first
 * exported and copied from then on.
 */
import type { CounterSeries } from '../instrument/counter.ts'
import type { Exemplar } from '../instrument/exemplars.ts'
import type { Family } from '../instrument/family.ts'
import type { GaugeSeries } from '../instrument/gauge.ts'
import type { HistogramSeries } from '../instrument/histogram.ts'
import type { Series } from '../instrument/series.ts'
import type { UpDownCounterSeries } from '../instrument/up-down-counter.ts'
import {
  baseName,
  isLegacyLabelName,
  isLegacyMetricName,
  legacyLabel,
  legacyName,
} from '../name.ts'
import type { ByteWriter } from './byte-writer.ts'
import { PatchedText } from './patched-text.ts'
import type { TextFormat } from './text-format.ts'

const NEWLINE = 10
/** Room for a value and a line end. */
const VALUE_ROOM = 32
/** Series between two opportunities to yield. */
const SLICE = 32

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
export function* exposeText(
  families: Iterable<Family>,
  format: TextFormat,
  out: ByteWriter,
): Generator<void, void> {
  for (const family of families) {
    if (family.size === 0) continue
    out.text(header(family, format))
    let untilYield = SLICE
    for (const series of family.series()) {
      writeSeries(series, textOf(family, series, format), out)
      if (--untilYield === 0) {
        untilYield = SLICE
        yield
      }
    }
    yield
  }
  if (format.kind === 'openmetrics') out.text('# EOF\n')
}

function header(family: Family, format: TextFormat): string {
  const { type, help, unit } = family.description
  const name = familyName(family, format)
  const shown = isLegacyMetricName(name) ? name : quote(name)
  const kind = type === 'updown' ? 'gauge' : type
  if (format.kind === 'prometheus') {
    return `# HELP ${shown} ${escapeHelp(help)}\n# TYPE ${shown} ${kind}\n`
  }
  const unitLine = unit !== '' && name.endsWith(`_${unit}`) ? `# UNIT ${shown} ${unit}\n` : ''
  return `# TYPE ${shown} ${kind}\n${unitLine}# HELP ${shown} ${escapeValue(help)}\n`
}

/** OpenMetrics names the family of a counter without `_total`, Prometheus with it. */
function familyName(family: Family, format: TextFormat): string {
  const { name, type } = family.description
  const exported = format.utf8Names ? name : legacyName(name)
  if (type !== 'counter') return exported
  return format.kind === 'openmetrics' ? baseName(exported) : `${baseName(exported)}_total`
}

function textOf(family: Family, series: Series, format: TextFormat): SeriesText {
  const cached = series.text as SeriesText | undefined
  if (cached !== undefined && cached.format === format) return cached
  const lines = linePrefixes(family, series, format)
  const text: SeriesText =
    series.type === 'histogram'
      ? histogramText(series as HistogramSeries, lines, format)
      : singleText(lines, format)
  series.text = text
  return text
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
  const labels = family.description.labelNames.map((label, i) => {
    const exported = format.utf8Names ? label : legacyLabel(label)
    const shown = isLegacyLabelName(exported) ? exported : quote(exported)
    return `${shown}="${escapeValue(series.labelValues[i]!)}"`
  })
  const line = (suffix: string, more: string[] = []): string =>
    `${sample(name + suffix, [...labels, ...more])} `
  const created = format.kind === 'openmetrics' && format.created ? [line('_created')] : []
  if (series.type === 'counter') {
    return [line(format.kind === 'openmetrics' ? '_total' : ''), ...created]
  }
  if (series.type !== 'histogram') return [line('')]
  const { bounds } = (series as HistogramSeries).shape.classic
  const buckets = Array.from(bounds, le => line('_bucket', [`le="${formatBound(le, format)}"`]))
  return [...buckets, line('_count'), line('_sum'), ...created]
}

function sample(name: string, labels: string[]): string {
  if (isLegacyMetricName(name)) return labels.length === 0 ? name : `${name}{${labels.join(',')}}`
  return `{${[quote(name), ...labels].join(',')}}`
}

function formatBound(bound: number, format: TextFormat): string {
  if (bound === Infinity) return '+Inf'
  // OpenMetrics wants the canonical float, which has a decimal point.
  return format.kind === 'openmetrics' && Number.isInteger(bound) && bound < 1e6
    ? `${bound}.0`
    : String(bound)
}

function quote(name: string): string {
  return `"${escapeValue(name)}"`
}

function escapeValue(value: string): string {
  return value.replace(/[\\\n"]/g, c => (c === '\n' ? '\\n' : `\\${c}`))
}

function escapeHelp(help: string): string {
  return help.replace(/[\\\n]/g, c => (c === '\n' ? '\\n' : '\\\\'))
}

function writeSeries(series: Series, text: SeriesText, out: ByteWriter): void {
  if (series.type === 'histogram') {
    writeHistogram(series as HistogramSeries, text as HistogramText, out)
  } else {
    const { line } = text as SingleText
    out.reserve(line.length + VALUE_ROOM)
    out.copy(line)
    out.number((series as CounterSeries | GaugeSeries | UpDownCounterSeries).value)
    out.byte(NEWLINE)
  }
  if (text.created.length === 0) return
  out.reserve(text.created.length + VALUE_ROOM)
  out.copy(text.created)
  out.number(series.created / 1000)
  out.byte(NEWLINE)
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

function exemplarText(exemplar: Exemplar | undefined): string {
  if (exemplar === undefined) return ''
  const { traceId, spanId, value, timestamp } = exemplar
  const labels = `trace_id="${escapeValue(traceId)}",span_id="${escapeValue(spanId)}"`
  return ` # {${labels}} ${value} ${timestamp / 1000}`
}
