/**
 * Hot kernel: an observation updates an exponential histogram of 1 % precision and exact classic buckets, without a
 * logarithm, a search or an allocation. The tables are in store/exponential.ts and store/classic.ts.
 */
import { type BucketBlock, type BucketRange, enclosingBlock } from '../store/bucket-block.ts'
import type { CellStore, Cells } from '../store/cells.ts'
import type { ClassicBounds } from '../store/classic.ts'
import { type Distribution, quantile } from '../store/distribution.ts'
import {
  BOUND_HIGH,
  BOUND_LOW,
  coarsen,
  FINEST_SCHEMA,
  FIRST_BUCKET,
  ZERO_THRESHOLD,
} from '../store/exponential.ts'
import type { Timeline } from '../time/timeline.ts'
import { ExemplarReservoir, type ExemplarSource } from './exemplars.ts'
import type { Histogram } from './histogram.ts'
import { type RecentStats, RecentValues } from './recent-values.ts'
import { joinListeners, type SampleListener } from './sample-listener.ts'
import { Series } from './series.ts'

// Where the numbers of a series are within its cells. Not exported: V8 folds a module's own constants into the code,
// but reads exported and imported ones from memory at every use.
const SUM = 0
const MIN = 1
const MAX = 2
const ZEROS = 3
// The exponential buckets are described twice: the description in force is the one of the generation's parity. Another thread reads it,
// and a thread that is terminated leaves either the old one or the new one, never half of both.
const GENERATION = 4
const DESCRIPTIONS = 5
const DESCRIPTION_SIZE = 4
// Within a description. CAPACITY is written last: where it is 0, there are no buckets.
const SHIFT = 0
const LOWEST = 1
const FROM = 2
const CAPACITY = 3
/** The first of the classic bucket counts. Their sum is the count of observations, so that is not kept apart. */
const CLASSIC = 13

function descriptionAt(at: number, generation: number): number {
  return at + DESCRIPTIONS + (generation & 1) * DESCRIPTION_SIZE
}

/** How many cells a series with `buckets` classic buckets needs beside its exponential ones. */
export function histogramCells(buckets: number): number {
  return CLASSIC + buckets
}

/**
 * What the cells of a histogram series say, read without the series: from another thread. `undefined` where its writer replaced the
 * buckets meanwhile.
 */
export function readHistogramCells(
  cells: Float64Array,
  at: number,
  buckets: number,
): { distribution: Distribution; classic: Float64Array } | undefined {
  const generation = cells[at + GENERATION]!
  const description = descriptionAt(at, generation)
  const classic = cells.slice(at + CLASSIC, at + CLASSIC + buckets)
  const count = classic.reduce((sum, n) => sum + n, 0)
  const from = cells[description + FROM]!
  const distribution = {
    schema: FINEST_SCHEMA - cells[description + SHIFT]!,
    low: cells[description + LOWEST]!,
    counts: cells.slice(from, from + cells[description + CAPACITY]!),
    zeros: cells[at + ZEROS]!,
    count,
    sum: cells[at + SUM]!,
    min: count === 0 ? NaN : cells[at + MIN]!,
    max: count === 0 ? NaN : cells[at + MAX]!,
  }
  return cells[at + GENERATION] === generation ? { distribution, classic } : undefined
}

const DOUBLE = new Float64Array(1)
const WORDS = new Uint32Array(DOUBLE.buffer)
const HIGH = BOUND_HIGH
const LOW = BOUND_LOW
const FIRST = FIRST_BUCKET
const SMALLEST = ZERO_THRESHOLD

/** What all series of one histogram share. */
export interface HistogramShape {
  readonly store: CellStore
  readonly classic: ClassicBounds
  /** Most exponential buckets a series holds; when values spread wider, neighbours are merged. */
  readonly maxBuckets: number
  /** How many values to keep as they came. */
  readonly recent: number
  /** Where examples of the buckets come from; without it there are none. */
  readonly exemplars: ExemplarSource | undefined
}

/** The run of a description that names one. */
function runOf(array: Float64Array, at: number, size: number): Cells | undefined {
  return size > 0 ? { array, at, size } : undefined
}

export class HistogramSeries extends Series implements Histogram {
  override readonly type = 'histogram'
  readonly shape: HistogramShape
  readonly exemplars: ExemplarReservoir | undefined
  readonly #recent: RecentValues | undefined
  /** What sees every value besides the buckets, if anything does. */
  readonly #listener: SampleListener | null

  // The exponential buckets: bucket `low + i` of schema FINEST_SCHEMA - shift is counts[from + i], for i < capacity.
  #counts: Float64Array
  #from: number
  #capacity: number
  #low = 0
  #shift = 0
  #round = 0
  #buckets: Cells | undefined
  /** The block before this one, where blocks are not given back. */
  #spare: Cells | undefined
  #generation = 0

  readonly #bounds: Float64Array
  readonly #table: Uint8Array
  readonly #base: number

  constructor(
    block: Cells,
    labelValues: readonly string[],
    timeline: Timeline,
    shape: HistogramShape,
  ) {
    super(block, labelValues, timeline)
    this.shape = shape
    const { classic, exemplars, recent } = shape
    this.exemplars = exemplars && new ExemplarReservoir(classic.bounds, exemplars)
    this.#recent = recent > 0 ? new RecentValues(recent) : undefined
    this.#listener = joinListeners(this.exemplars, this.#recent)
    this.#bounds = classic.bounds
    this.#table = classic.table
    this.#base = classic.base
    this.#counts = block.array
    this.#from = 0
    this.#capacity = 0
    if (block.adopted) this.#adopt()
    else this.reset()
  }

  /** Goes on counting where the former owner of the cells ended. */
  #adopt(): void {
    const { cells, at } = this
    this.#generation = cells[at + GENERATION]!
    const description = descriptionAt(at, this.#generation)
    this.#capacity = cells[description + CAPACITY]!
    this.#from = cells[description + FROM]!
    this.#low = cells[description + LOWEST]!
    this.#shift = cells[description + SHIFT]!
    this.#round = (1 << this.#shift) - 1
    this.#buckets = runOf(cells, this.#from, this.#capacity)
    const other = descriptionAt(at, this.#generation + 1)
    this.#spare = runOf(cells, cells[other + FROM]!, cells[other + CAPACITY]!)
  }

  /**
   * In three parts, each short enough for V8 to inline: a call that is not inlined allocates 16 bytes for its argument
   * and takes twice the time.
   */
  observe(value: number): void {
    if (typeof value !== 'number') {
      this.reject()
      return
    }
    if (value > SMALLEST && value < Infinity) {
      DOUBLE[0] = value
      const high = WORDS[1]!
      this.#countExponential(high, WORDS[0]!)
      this.#countClassic(high, value)
    } else if (value >= 0 && value < Infinity) this.#countZero()
    else {
      this.reject()
      return
    }
    const { cells, at } = this
    cells[at + SUM]! += value
    if (value < cells[at + MIN]!) cells[at + MIN] = value
    if (value > cells[at + MAX]!) cells[at + MAX] = value
    if (this.#listener !== null) this.#listener.record(value)
  }

  #countExponential(high: number, low: number): void {
    const mantissa = high & 0xfffff
    let k = FIRST[mantissa >>> 10]!
    const bound = HIGH[k]!
    // k++ where the mantissa is above the bound, without a branch: half of them would be mispredicted.
    k += (bound - mantissa) >>> 31
    if (mantissa === bound && low > LOW[k]!) k++
    const index = (((high >>> 20) - 1023) << 5) + k
    const slot = ((index + this.#round) >> this.#shift) - this.#low
    if (slot >= 0 && slot < this.#capacity) this.#counts[this.#from + slot]!++
    else this.#place(index)
  }

  #countClassic(high: number, value: number): void {
    const table = this.#table
    let cell = (high >>> 15) - this.#base
    if (cell < 0) cell = 0
    else if (cell >= table.length) cell = table.length - 1
    let bucket = table[cell]!
    while (value > this.#bounds[bucket]!) bucket++
    this.cells[this.at + CLASSIC + bucket]!++
  }

  #countZero(): void {
    this.cells[this.at + ZEROS]!++
    this.cells[this.at + CLASSIC]!++
  }

  /** Counts into a bucket outside the block: grows it, and merges neighbours once it may not grow further. */
  #place(index: number): void {
    this.#makeRoom(index, index)
    this.#counts[this.#from + coarsen(index, this.#shift) - this.#low]!++
  }

  /** Afterwards the block covers buckets `low` to `high` of the finest schema besides all that are in use. */
  #makeRoom(low: number, high: number): void {
    const { maxBuckets, store } = this.shape
    const block = { low: this.#low, shift: this.#shift, capacity: this.#capacity }
    const used = this.#usedRange()
    this.#rebuild(enclosingBlock(block, used, { low, high }, maxBuckets, store.fixedBuckets))
  }

  #usedRange(): BucketRange | undefined {
    const end = this.#from + this.#capacity
    let first = this.#from
    while (first < end && this.#counts[first] === 0) first++
    if (first === end) return undefined
    let last = end - 1
    while (this.#counts[last] === 0) last--
    return { low: this.#low + first - this.#from, high: this.#low + last - this.#from }
  }

  #coarsenTo(shift: number): void {
    if (this.#buckets === undefined) {
      // The first block is still to come, and takes its schema from here.
      this.#shift = shift
      this.#round = (1 << shift) - 1
    } else {
      const low = coarsen(this.#low, shift - this.#shift)
      this.#rebuild({ low, shift, capacity: this.#capacity })
    }
  }

  #rebuild({ low, shift, capacity }: BucketBlock): void {
    const { store } = this.shape
    const by = shift - this.#shift
    // A shared block stays as it is until the new one is complete, and is the spare one afterwards.
    const inPlace = store.fixedBuckets === undefined && capacity === this.#capacity
    const old = inPlace
      ? this.#counts.slice(this.#from, this.#from + this.#capacity)
      : this.#counts.subarray(this.#from, this.#from + this.#capacity)
    const target = inPlace ? this.#buckets! : (this.#spare ?? store.allocate(capacity))
    const { array, at: from } = target
    array.fill(0, from, from + capacity)
    for (let i = 0; i < old.length; i++) {
      if (old[i]! > 0) array[from + coarsen(this.#low + i, by) - low]! += old[i]!
    }
    const before = this.#buckets
    this.#buckets = target
    this.#spare = undefined
    this.#counts = array
    this.#from = from
    this.#capacity = capacity
    this.#low = low
    this.#shift = shift
    this.#round = (1 << shift) - 1
    this.#describe()
    if (before === undefined || before === target) return
    if (store.fixedBuckets === undefined) store.free(before)
    else this.#spare = before
  }

  /** Tells other threads where the buckets are now. */
  #describe(): void {
    const { cells, at } = this
    const { store } = this.shape
    const description = descriptionAt(at, this.#generation + 1)
    // A lane without room left has its buckets elsewhere: its readers see the classic ones alone.
    const shared = this.#counts === cells
    cells[description + SHIFT] = this.#shift
    cells[description + LOWEST] = this.#low
    cells[description + FROM] = shared ? this.#from : 0
    cells[description + CAPACITY] = shared ? this.#capacity : 0
    store.fence?.()
    cells[at + GENERATION] = ++this.#generation
    store.fence?.()
  }

  /** Adds what another process, thread or window counted. `classic` holds counts per bucket of the same bounds. */
  absorb(other: Distribution, classic: ArrayLike<number>): void {
    const shift = FINEST_SCHEMA - other.schema
    const width = 2 ** shift
    let first = -1
    let last = -1
    for (let i = 0; i < other.counts.length; i++) {
      if (other.counts[i]! <= 0) continue
      if (first < 0) first = i
      last = i
    }
    if (first >= 0) {
      if (shift > this.#shift) this.#coarsenTo(shift)
      this.#makeRoom((other.low + first) * width, (other.low + last) * width)
      const by = this.#shift - shift
      for (let i = first; i <= last; i++) {
        this.#counts[this.#from + coarsen(other.low + i, by) - this.#low]! += other.counts[i]!
      }
    }
    const { cells, at } = this
    for (let i = 0; i < classic.length; i++) cells[at + CLASSIC + i]! += classic[i]!
    cells[at + SUM]! += other.sum
    cells[at + ZEROS]! += other.zeros
    if (other.min < cells[at + MIN]!) cells[at + MIN] = other.min
    if (other.max > cells[at + MAX]!) cells[at + MAX] = other.max
  }

  get count(): number {
    const { cells } = this
    const first = this.at + CLASSIC
    const end = first + this.#bounds.length
    let count = 0
    for (let i = first; i < end; i++) count += cells[i]!
    return count
  }

  get sum(): number {
    return this.cells[this.at + SUM]!
  }

  /** Observations in classic bucket `i`, not cumulative. */
  classicCount(i: number): number {
    return this.cells[this.at + CLASSIC + i]!
  }

  /** Observations per classic bucket, not cumulative. */
  classicCounts(): Float64Array {
    const first = this.at + CLASSIC
    return this.cells.slice(first, first + this.#bounds.length)
  }

  quantile(q: number): number {
    return quantile(this.liveDistribution(), q)
  }

  recent(): RecentStats | undefined {
    return this.#recent?.stats()
  }

  distribution(): Distribution {
    const live = this.liveDistribution()
    return { ...live, counts: live.counts.slice() }
  }

  /**
   * The same without a copy of the buckets: to be read before anything else is counted. A copy has memory of its own
   * outside the heap, which costs a microsecond and, for 20,000 series in a row, pauses to give it back.
   */
  liveDistribution(): Distribution & { counts: Float64Array } {
    const { cells, at } = this
    const used = this.#usedRange()
    const { count } = this
    const start = used === undefined ? 0 : this.#from + used.low - this.#low
    const end = used === undefined ? start : start + used.high - used.low + 1
    return {
      schema: FINEST_SCHEMA - this.#shift,
      low: used?.low ?? 0,
      counts: this.#counts.subarray(start, end),
      zeros: cells[at + ZEROS]!,
      count,
      sum: cells[at + SUM]!,
      min: count === 0 ? NaN : cells[at + MIN]!,
      max: count === 0 ? NaN : cells[at + MAX]!,
    }
  }

  override mark(): number {
    return this.count
  }

  /** Gives the exponential buckets back; the caller frees {@link block}. */
  release(): void {
    if (this.#buckets !== undefined) this.shape.store.free(this.#buckets)
    this.#buckets = undefined
    this.#counts = this.cells
    this.#capacity = 0
  }

  override reset(): void {
    const { cells, at } = this
    cells.fill(0, at, at + GENERATION)
    cells.fill(0, at + CLASSIC, at + CLASSIC + this.#bounds.length)
    cells[at + MIN] = Infinity
    cells[at + MAX] = -Infinity
    this.#counts.fill(0, this.#from, this.#from + this.#capacity)
    this.#shift = 0
    this.#round = 0
    this.exemplars?.clear()
    this.#recent?.clear()
  }
}
