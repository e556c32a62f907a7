import type { CounterSeries } from '../instrument/counter.ts'
import type { HistogramSeries } from '../instrument/histogram-series.ts'
import type { Series } from '../instrument/series.ts'
import {
  type Distribution,
  distributionSince,
  emptyDistribution,
  merge,
} from '../store/distribution.ts'
import { FINEST_SCHEMA } from '../store/exponential.ts'

/** ms between two looks at a series. */
export const FRAME = 10_000
/** Shortest span of a rate, in ms: what counted for the first time just now did not do so a thousand times a second. */
export const LEAST_SPAN = 1000
/** Frames in a minute, and minutes kept: recent time is held finely, older time coarsely. */
const FINE_FRAMES = 6
const MINUTES = 15

/** The spans over which rates and quantiles are kept, in milliseconds. */
export const WINDOWS: readonly [60_000, 300_000, 900_000] = [60_000, 300_000, 900_000]

/** What happened to one series in a frame or a minute. */
type Delta = number | Distribution

/** What happened over a window. */
export interface WindowView<D extends Delta> {
  /** How long the window is in fact, in milliseconds: less than asked for when the series is younger. */
  readonly span: number
  readonly delta: D
}

/** What a ring looks at. */
interface Cumulative {
  /** When it began to count, on the registry's timeline. */
  readonly begun: number
  /** How often or by how much it has counted. */
  mark(): number
}

/** What {@link WindowRing} puts together from: no two of them do at once. */
const PARTS: (Delta | undefined)[] = []

/**
 * The last quarter of an hour of a counter or histogram, as differences between looks at it. An update costs nothing;
 * a look costs one pass over the buckets. Windows end now, and begin on a multiple of 10 s (the shortest) or of a
 * minute since the series was first looked at.
 *
 * Small until something has happened (100 bytes instead of 650): 20,000 of them are made within a frame or two, and what
 * survives its first garbage collection is what that one pauses for.
 */
export class WindowRing<D extends Delta = Delta, S extends Cumulative = Cumulative> {
  readonly #source: S
  readonly #read: (source: S, keep: boolean) => D
  readonly #start: number
  #fine: (D | undefined)[] | undefined
  #coarse: (D | undefined)[] | undefined
  /** Frames that have ended since the start. */
  #frame = 0
  /** The cumulative state at the end of the last frame, and the mark of the series then. */
  #last: D
  #lastMark = 0

  /**
   * @param read the state of `source`; unless it is to be kept, good until something is counted
   * @param initial the state when it was created
   * @param start when the first frame begins
   */
  constructor(source: S, read: (source: S, keep: boolean) => D, initial: D, start: number) {
    this.#source = source
    this.#read = read
    this.#start = start
    this.#last = initial
  }

  /**
   * Ends the frames that are over. Where several are, the process was asleep or its loop blocked, and what was counted belongs to the
   * first of them.
   */
  advance(now: number): void {
    const due = Math.floor((now - this.#start) / FRAME)
    if (due <= this.#frame) return
    const delta = this.#sinceLast(true)
    if (delta !== undefined && this.#fine === undefined) {
      this.#fine = new Array(FINE_FRAMES).fill(undefined)
      this.#coarse = new Array(MINUTES).fill(undefined)
    }
    if (this.#fine !== undefined) {
      for (let frame = this.#frame; frame < due; frame++) {
        this.#endFrame(frame, frame === this.#frame ? delta : undefined)
        if (due - frame > MINUTES * FINE_FRAMES * 2) frame = due - MINUTES * FINE_FRAMES * 2
      }
    }
    this.#frame = due
  }

  /** What happened since the end of the last frame. An idle series is not even read. */
  #sinceLast(end: boolean): D | undefined {
    const mark = this.#source.mark()
    if (mark === this.#lastMark) return undefined
    const state = this.#read(this.#source, end)
    const delta = difference(state, this.#last)
    if (end) {
      this.#last = state
      this.#lastMark = mark
    }
    return delta
  }

  #endFrame(frame: number, delta: D | undefined): void {
    const fine = this.#fine!
    fine[frame % FINE_FRAMES] = delta
    if ((frame + 1) % FINE_FRAMES !== 0) return
    const minute = (frame + 1) / FINE_FRAMES - 1
    this.#coarse![minute % MINUTES] = total(fine)
  }

  /** What happened in the last `window` milliseconds, one of {@link WINDOWS}. */
  view(window: number, now: number): WindowView<D> {
    this.advance(now)
    const from = this.#gather(window)
    PARTS.push(this.#sinceLast(false))
    const delta = total(PARTS as (D | undefined)[])
    PARTS.length = 0
    return { span: this.#span(from, now), delta: delta ?? difference(this.#last, this.#last) }
  }

  /** How much was counted per second in the last `window` milliseconds. Reads no buckets, and allocates nothing. */
  rate(window: number, now: number): number {
    this.advance(now)
    const from = this.#gather(window)
    let count = this.#source.mark() - this.#lastMark
    for (const part of PARTS) {
      if (part !== undefined) count += typeof part === 'number' ? part : part.count
    }
    PARTS.length = 0
    return (count * 1000) / this.#span(from, now)
  }

  /** Puts the ended parts of `window` into {@link PARTS}. Returns the frame that the window begins with. */
  #gather(window: number): number {
    const frame = this.#frame
    if (window <= FINE_FRAMES * FRAME) {
      // Five ended frames and the running one span up to a minute, six a minute and more.
      for (let back = 1; back <= Math.min(FINE_FRAMES, frame); back++) {
        PARTS.push(this.#fine?.[(frame - back) % FINE_FRAMES])
      }
      return frame - FINE_FRAMES
    }
    const minute = Math.floor(frame / FINE_FRAMES)
    for (let ended = minute * FINE_FRAMES; ended < frame; ended++) {
      PARTS.push(this.#fine?.[ended % FINE_FRAMES])
    }
    const minutes = Math.min(Math.round(window / (FINE_FRAMES * FRAME)), MINUTES)
    for (let back = 1; back <= Math.min(minutes, minute); back++) {
      PARTS.push(this.#coarse?.[(minute - back) % MINUTES])
    }
    return (minute - minutes) * FINE_FRAMES
  }

  /** Milliseconds from the beginning of frame `from`, or of the series, until now. */
  #span(from: number, now: number): number {
    const start = from > 0 ? this.#start + from * FRAME : this.#source.begun
    return Math.max(LEAST_SPAN, now - start)
  }
}

function total<D extends Delta>(parts: readonly (D | undefined)[]): D | undefined {
  let sum: Delta | undefined
  for (const part of parts) {
    if (part === undefined) continue
    if (sum === undefined) sum = part
    else if (typeof sum === 'number') sum += part as number
    else sum = merge(sum, part as Distribution)
  }
  return sum as D | undefined
}

function difference<D extends Delta>(now: D, before: D): D {
  if (typeof now === 'number') return (now - (before as number)) as D
  return distributionSince(now as Distribution, before as Distribution) as D
}

const NOTHING = emptyDistribution(FINEST_SCHEMA)
const readCounter = (counter: CounterSeries): number => counter.value
const readHistogram = (histogram: HistogramSeries, keep: boolean): Distribution =>
  keep ? histogram.distribution() : histogram.liveDistribution()

/** The ring of a series, made at its first look. Gauges and up-down counters have none. */
export function ringOf(series: Series, now: number): WindowRing | undefined {
  if (series.window === undefined) {
    if (series.type === 'counter') {
      series.window = new WindowRing(series as CounterSeries, readCounter, 0, now)
    } else if (series.type === 'histogram') {
      series.window = new WindowRing(series as HistogramSeries, readHistogram, NOTHING, now)
    }
  }
  return series.window as WindowRing | undefined
}
