/**
 * Hot kernel: the lines of a series, kept as bytes in which the counts of a histogram are patched where they changed. A
 * scrape then copies them in one piece instead of putting them together from fifty.
 */
import { KEPT } from '../bytes/byte-pool.ts'
import { ByteWriter } from '../bytes/byte-writer.ts'
import type { HistogramSeries } from '../instrument/histogram-series.ts'
import type { Series } from '../instrument/series.ts'
import type { LineParts, LineShape } from './line-shape.ts'
import { labelText } from './text-parts.ts'

const NEWLINE = 10
const ZERO = 48
/** Room for a value and a line end. */
export const VALUE_ROOM = 32
/** Bytes from which a native copy takes less than a loop. */
const NATIVE_COPY = 256
/** Bytes set aside per count for the digits to come. */
const SPARE = 2

/** For building lines before their length is known. */
const LINES = new ByteWriter()
const LABELS = new ByteWriter(1024)

/** Keeps the lines of a series up to its value, or up to its sum where it is a histogram. */
export function keepLines(series: Series, shape: LineShape): void {
  const { lines, lengths } = shape
  LABELS.reset()
  LABELS.text(labelText(shape.labels, series))
  LINES.reset()
  const last = lines.length - 1
  for (let i = 0, seen = 0; i <= last; i++) {
    const { head, tail } = lines[i]!
    LINES.reserve(lengths[i]! + LABELS.length + VALUE_ROOM)
    LINES.copy(head)
    LINES.copy(LABELS.bytes, 0, LABELS.length)
    LINES.copy(tail)
    if (i === last) break
    if (i < last - 1) seen += (series as HistogramSeries).classicCount(i)
    LINES.number(seen)
  }
  series.text = shape
  series.labelsLength = LABELS.length
  series.textLength = LINES.size
  series.textRoom = LINES.size + SPARE * last
  series.textAt = KEPT.take(series.textRoom)
  series.textBytes = KEPT.chunk
  LINES.copyTo(KEPT.chunk, series.textAt)
}

/** Writes the kept lines as they are. */
export function writeLines({ textBytes, textAt, textLength }: Series, out: ByteWriter): void {
  out.reserve(textLength + VALUE_ROOM)
  if (textLength >= NATIVE_COPY) out.block(textBytes!.subarray(textAt, textAt + textLength))
  else out.copy(textBytes!, textAt, textAt + textLength)
}

/** Writes another line of the series up to its value, with the labels of its first one. */
export function writeLine(
  series: Series,
  { lines }: LineShape,
  { head, tail }: LineParts,
  out: ByteWriter,
): void {
  const { textBytes, textAt, labelsLength } = series
  const labels = textAt + lines[0]!.head.length
  out.reserve(head.length + labelsLength + tail.length + VALUE_ROOM)
  out.copy(head)
  out.copy(textBytes!, labels, labels + labelsLength)
  out.copy(tail)
}

/** The lines of a histogram up to its sum, with `after(i)` behind each count. */
export function annotatedLines(
  { textBytes, textAt, textLength }: HistogramSeries,
  after: (i: number) => string,
): string {
  const lines = (textBytes as Buffer).toString('utf8', textAt, textAt + textLength).split('\n')
  return lines.map((line, i) => (i < lines.length - 1 ? line + after(i) : line)).join('\n')
}

/** Brings the counts in a histogram's lines up to date. */
export function updateCounts(series: HistogramSeries, { lengths }: LineShape): void {
  const { labelsLength } = series
  const counts = lengths.length - 1
  // From the start of the lines, as they may move meanwhile.
  let at = 0
  let seen = 0
  for (let i = 0; i < counts; i++) {
    at += lengths[i]! + labelsLength
    if (i < counts - 1) seen += series.classicCount(i)
    at = setNumber(series, at, seen)
  }
}

/** Makes `value` the number that begins at `at`. Returns where it ends. */
function setNumber(series: Series, at: number, value: number): number {
  let old = at
  let bytes = series.textBytes!
  let start = series.textAt
  while (bytes[start + old] !== NEWLINE) old++
  const end = at + countDigits(value)
  if (end !== old) {
    moveRest(series, at, old, end)
    bytes = series.textBytes!
    start = series.textAt
  }
  const first = start + at
  let next = start + end
  let rest = value
  // Division of doubles above 2^31, of integers below, which is faster.
  while (rest > 0x7fffffff) {
    const tens = Math.floor(rest / 10)
    bytes[--next] = ZERO + (rest - tens * 10)
    rest = tens
  }
  let small = rest | 0
  do {
    const tens = (small / 10) | 0
    bytes[--next] = ZERO + small - tens * 10
    small = tens
  } while (next > first)
  return end
}

/** Moves what follows the number at `at` from `from` to `to`, and everything elsewhere where there is no room. */
function moveRest(series: Series, at: number, from: number, to: number): void {
  const bytes = series.textBytes!
  const start = series.textAt
  const end = start + series.textLength
  series.textLength += to - from
  if (series.textLength <= series.textRoom) {
    bytes.copyWithin(start + to, start + from, end)
    return
  }
  series.textRoom = series.textLength + SPARE * ((series.text as LineShape).lines.length - 1)
  series.textAt = KEPT.take(series.textRoom)
  series.textBytes = KEPT.chunk
  KEPT.chunk.set(bytes.subarray(start, start + at), series.textAt)
  KEPT.chunk.set(bytes.subarray(start + from, end), series.textAt + to)
}

function countDigits(value: number): number {
  let digits = 1
  for (let limit = 10; value >= limit; limit *= 10) digits++
  return digits
}
