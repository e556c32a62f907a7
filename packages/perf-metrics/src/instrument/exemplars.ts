import { heed } from '@millrace/kit'
import type { SampleListener } from './sample-listener.ts'

/** What identifies the active span: hexadecimal ids as in W3C trace context. */
export interface SpanIds {
  readonly traceId: string
  readonly spanId: string
  /** W3C trace flags. A span that says it is not sampled is no example, as it cannot be looked at. */
  readonly traceFlags?: number | undefined
}

/** An update and the span it was made in. */
export interface Exemplar {
  readonly traceId: string
  readonly spanId: string
  /** What was observed, or added to a counter. */
  readonly value: number
  /** Milliseconds since the epoch. */
  readonly timestamp: number
}

/** Where exemplars come from. */
export interface ExemplarSource {
  activeSpan(): SpanIds | undefined
  /** Milliseconds since the epoch as of the last clock tick: tells without a clock whether a new exemplar is due. */
  readonly coarseTime: Float64Array
  /** ms since 1970. */
  date(): number
}

const SAMPLED = 1
const TRACE_ID = /^(?!0+$)[0-9a-f]{32}$/
const SPAN_ID = /^(?!0+$)[0-9a-f]{16}$/

/**
 * One example per bucket, renewed at most once per clock tick: what a reader clicks on is recent, and a busy bucket does
 * not ask for the active span at every update.
 */
export class ExemplarReservoir implements SampleListener {
  readonly #bounds: Float64Array
  readonly #source: ExemplarSource
  readonly #asked: Float64Array
  readonly #exemplars: (Exemplar | undefined)[]
  #size = 0

  /** @param bounds inclusive upper bounds in ascending order, the last of them `Infinity` */
  constructor(bounds: Float64Array, source: ExemplarSource) {
    this.#bounds = bounds
    this.#source = source
    this.#asked = new Float64Array(bounds.length)
    this.#exemplars = new Array(bounds.length).fill(undefined)
  }

  record(value: number): void {
    let bucket = 0
    while (value > this.#bounds[bucket]!) bucket++
    const tick = this.#source.coarseTime[0]!
    if (this.#asked[bucket] === tick) return
    try {
      this.#keep(bucket, value, tick)
    } catch {
      // The program's `activeSpan`, or its span: an update must not fail for it, and goes without an example until the next tick.
      this.#asked[bucket] = tick
    }
  }

  #keep(bucket: number, value: number, tick: number): void {
    const span = this.#source.activeSpan()
    if (span === undefined || span === null) return
    const { traceId, spanId, traceFlags = SAMPLED } = span
    // Ids of another form would make the exposition invalid as a whole.
    const valid = isId(TRACE_ID, traceId) && isId(SPAN_ID, spanId)
    if (!valid) heed(span)
    if (!valid || (traceFlags & SAMPLED) === 0) return
    this.#asked[bucket] = tick
    if (this.#exemplars[bucket] === undefined) this.#size++
    this.#exemplars[bucket] = { traceId, spanId, value, timestamp: this.#source.date() }
  }

  /** How many buckets have one. */
  get size(): number {
    return this.#size
  }

  /** The exemplar of bucket `i`. */
  at(i: number): Exemplar | undefined {
    return this.#exemplars[i]
  }

  clear(): void {
    this.#exemplars.fill(undefined)
    this.#asked.fill(0)
    this.#size = 0
  }

  *[Symbol.iterator](): Generator<Exemplar> {
    for (const exemplar of this.#exemplars) if (exemplar !== undefined) yield exemplar
  }
}

function isId(form: RegExp, id: unknown): boolean {
  return typeof id === 'string' && form.test(id)
}
