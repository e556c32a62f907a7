/**
 * Hot kernel: the lines of a histogram series up to its sum, kept as bytes in which the counts are patched where they
 * changed. A scrape then copies them in one piece instead of putting them together from fifty.
 */
import { KEPT } from '../bytes/byte-pool.ts'
import { ByteWriter } from '../bytes/byte-writer.ts'
import type { Family } from '../instrument/family.ts'
import type { HistogramSeries } from '../instrument/histogram-series.ts'
import type { TextFormat } from './text-format.ts'
import { bound, familyName, sample } from './text-parts.ts'

const NEWLINE = 10
const ZERO = 48
/** Room for a value and a line end. */
const VALUE_ROOM = 32
/** Bytes set aside per count for the digits to come. */
const SPARE = 2
/** Where labels go; no name contains it. */
const MARK = '\0'

/** What the lines of all series of one histogram have in common, before and after the labels. */
export interface LineShape {
  readonly format: TextFormat
  /** One for each bucket, then the count and the sum. */
  readonly heads: readonly Uint8Array[]
  readonly tails: readonly Uint8Array[]
  /** Bytes of a line without its labels and its value, and the line end before it. */
  readonly lengths: Uint32Array
}

export function lineShape(family: Family, format: TextFormat): LineShape {
  const { buckets, labelNames } = family.description
  const name = familyName(family, format)
  const labels = labelNames.length === 0 ? [] : [MARK]
  const bounds = [...buckets, Infinity].map(le => [`le="${bound(le, format)}"`])
  const lines = [
    ...bounds.map(le => sample(`${name}_bucket`, [...labels, ...le])),
    sample(`${name}_count`, labels),
    sample(`${name}_sum`, labels),
  ].map(line => `${line} `.split(MARK) as [string, string?])
  const heads = lines.map(([head], i) => KEPT.text(i === 0 ? head : `\n${head}`))
  const tails = lines.map(([, tail = '']) => KEPT.text(tail))
  const lengths = Uint32Array.from(heads, (head, i) => head.length + tails[i]!.length)
  return { format, heads, tails, lengths }
}

/** For building lines before their length is known. */
const SCRATCH = new ByteWriter()

export class HistogramLines {
  readonly shape: LineShape
  /** The `_created` line up to its value, where the format has one. */
  readonly created: Uint8Array | undefined
  readonly #series: HistogramSeries
  readonly #labels: number
  // The lines, and how long they may become where they are. A view of its own would double the size of this object.
  #chunk: Buffer
  #start: number
  #length: number
  #capacity: number

  /** @param labels the labels of the series as they appear in a line */
  constructor(
    series: HistogramSeries,
    shape: LineShape,
    labels: Uint8Array,
    created: Uint8Array | undefined,
  ) {
    this.shape = shape
    this.created = created
    this.#series = series
    this.#labels = labels.length
    const { heads, tails } = shape
    SCRATCH.reset()
    for (let i = 0, seen = 0; i < heads.length; i++) {
      SCRATCH.reserve(shape.lengths[i]! + labels.length + VALUE_ROOM)
      SCRATCH.copy(heads[i]!)
      SCRATCH.copy(labels)
      SCRATCH.copy(tails[i]!)
      if (i === heads.length - 1) break
      if (i < heads.length - 2) seen += series.classicCount(i)
      SCRATCH.number(seen)
    }
    this.#length = SCRATCH.size
    this.#capacity = this.#length + SPARE * heads.length
    this.#start = KEPT.take(this.#capacity)
    this.#chunk = KEPT.chunk
    SCRATCH.copyTo(this.#chunk, this.#start)
  }

  get format(): TextFormat {
    return this.shape.format
  }

  /** Writes the lines, with the counts as they are now, up to the sum's value. */
  write(out: ByteWriter): void {
    this.#update()
    out.reserve(this.#length + VALUE_ROOM)
    out.block(this.#chunk.subarray(this.#start, this.#start + this.#length))
  }

  /** The same as text, with `after(i)` behind each count. */
  annotated(after: (i: number) => string): string {
    this.#update()
    const end = this.#start + this.#length
    const lines = this.#chunk.toString('utf8', this.#start, end).split('\n')
    return lines.map((line, i) => (i < lines.length - 1 ? line + after(i) : line)).join('\n')
  }

  #update(): void {
    const { lengths } = this.shape
    const series = this.#series
    const counts = lengths.length - 1
    // From the start of the lines, as they may move meanwhile.
    let at = 0
    let seen = 0
    for (let i = 0; i < counts; i++) {
      at += lengths[i]! + this.#labels
      if (i < counts - 1) seen += series.classicCount(i)
      at = this.#set(at, seen)
    }
  }

  /** Makes `value` the number that begins at `at`. Returns where it ends. */
  #set(at: number, value: number): number {
    let old = at
    while (this.#chunk[this.#start + old] !== NEWLINE) old++
    const end = at + countDigits(value)
    if (end !== old) this.#move(at, old, end)
    const bytes = this.#chunk
    const first = this.#start + at
    let next = this.#start + end
    let rest = value
    // Division of doubles above 2^31, of integers below: the latter is three times as fast.
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
  #move(at: number, from: number, to: number): void {
    const chunk = this.#chunk
    const start = this.#start
    const end = start + this.#length
    this.#length += to - from
    if (this.#length <= this.#capacity) {
      chunk.copyWithin(start + to, start + from, end)
      return
    }
    this.#capacity = this.#length + SPARE * this.shape.lengths.length
    this.#start = KEPT.take(this.#capacity)
    this.#chunk = KEPT.chunk
    chunk.copy(this.#chunk, this.#start, start, start + at)
    chunk.copy(this.#chunk, this.#start + to, start + from, end)
  }
}

function countDigits(value: number): number {
  let digits = 1
  for (let limit = 10; value >= limit; limit *= 10) digits++
  return digits
}
