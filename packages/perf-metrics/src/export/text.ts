/**
 * Prometheus text 0.0.4 and OpenMetrics 1.0. Everything on a line but its value is encoded when the series is first
 * exported and copied from then on.
 */
import type { CounterSeries } from '../instrument/counter.ts'
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
import type { TextFormat } from './text-format.ts'

const NEWLINE = 10
/** Room for a value, an exemplar and a line end. */
const VALUE_ROOM = 256
/** Series between two opportunities to yield. */
const SLICE = 32

const ENCODER = new TextEncoder()

/** The beginnings of a series' lines, one after the other, and where each ends. */
interface SeriesText {
  readonly format: TextFormat
  readonly bytes: Uint8Array
  readonly ends: Uint32Array
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
  const parts = linePrefixes(family, series, format).map(prefix => ENCODER.encode(prefix))
  const ends = new Uint32Array(parts.length)
  let length = 0
  for (let i = 0; i < parts.length; i++) ends[i] = length += parts[i]!.length
  const bytes = new Uint8Array(length)
  for (let i = 0, at = 0; i < parts.length; at = ends[i++]!) bytes.set(parts[i]!, at)
  const text: SeriesText = { format, bytes, ends }
  series.text = text
  return text
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
  return [...buckets, line('_sum'), line('_count'), ...created]
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
  out.reserve(text.bytes.length + text.ends.length * VALUE_ROOM)
  switch (series.type) {
    case 'histogram':
      writeHistogram(series as HistogramSeries, text, out)
      break
    case 'counter':
      out.copy(text.bytes, 0, text.ends[0]!)
      out.number((series as CounterSeries).value)
      out.byte(NEWLINE)
      if (text.ends.length > 1) writeCreated(series, text, 1, out)
      break
    default:
      out.copy(text.bytes, 0, text.ends[0]!)
      out.number((series as GaugeSeries | UpDownCounterSeries).value)
      out.byte(NEWLINE)
  }
}

function writeHistogram(series: HistogramSeries, text: SeriesText, out: ByteWriter): void {
  const { bytes, ends } = text
  const buckets = series.shape.classic.bounds.length
  let start = 0
  let seen = 0
  for (let i = 0; i < buckets; i++) {
    const end = ends[i]!
    out.copy(bytes, start, end)
    out.number((seen += series.classicCount(i)))
    out.byte(NEWLINE)
    start = end
  }
  out.copy(bytes, start, ends[buckets]!)
  out.number(series.sum)
  out.byte(NEWLINE)
  out.copy(bytes, ends[buckets]!, ends[buckets + 1]!)
  out.number(seen)
  out.byte(NEWLINE)
  if (ends.length > buckets + 2) writeCreated(series, text, buckets + 2, out)
}

function writeCreated(series: Series, text: SeriesText, line: number, out: ByteWriter): void {
  out.copy(text.bytes, text.ends[line - 1]!, text.ends[line]!)
  out.number(series.created / 1000)
  out.byte(NEWLINE)
}
