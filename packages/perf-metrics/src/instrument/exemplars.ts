import type { Tap } from './histogram.ts'

/** What identifies the active span: hexadecimal ids as in W3C trace context. */
export interface SpanIds {
  readonly traceId: string
  readonly spanId: string
}

/** An observation and the span it was made in. */
export interface Exemplar extends SpanIds {
  readonly value: number
  /** Milliseconds since the epoch. */
  readonly timestamp: number
}

/**
 * One example per classic bucket, renewed at most once per clock tick: what a reader clicks on is recent, and a busy
 * bucket does not ask for the active span at every observation.
 */
export class ExemplarReservoir implements Tap {
  readonly #bounds: Float64Array
  readonly #coarseTime: Float64Array
  readonly #activeSpan: () => SpanIds | undefined
  readonly #renewed: Float64Array
  readonly #exemplars: (Exemplar | undefined)[]
  #size = 0

  constructor(
    bounds: Float64Array,
    coarseTime: Float64Array,
    activeSpan: () => SpanIds | undefined,
  ) {
    this.#bounds = bounds
    this.#coarseTime = coarseTime
    this.#activeSpan = activeSpan
    this.#renewed = new Float64Array(bounds.length)
    this.#exemplars = new Array(bounds.length).fill(undefined)
  }

  record(value: number): void {
    let bucket = 0
    while (value > this.#bounds[bucket]!) bucket++
    const now = this.#coarseTime[0]!
    if (this.#renewed[bucket] === now) return
    const span = this.#activeSpan()
    if (span === undefined) return
    this.#renewed[bucket] = now
    if (this.#exemplars[bucket] === undefined) this.#size++
    const { traceId, spanId } = span
    this.#exemplars[bucket] = { traceId, spanId, value, timestamp: now }
  }

  /** How many buckets have one. */
  get size(): number {
    return this.#size
  }

  /** The exemplar of classic bucket `i`. */
  at(i: number): Exemplar | undefined {
    return this.#exemplars[i]
  }

  *[Symbol.iterator](): Generator<Exemplar> {
    for (const exemplar of this.#exemplars) if (exemplar !== undefined) yield exemplar
  }
}
