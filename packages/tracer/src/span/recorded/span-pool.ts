import type { Scope } from '../api/span.ts'
import type { IdSource } from '../ids/id-source.ts'
import { type RecordPool, type SpanHost, SpanRecord } from './span-record.ts'

/**
 * At most a fixed number of span records for reuse, so that starting a span allocates no more than its handle. A record is owned by
 * the serial in `owner`; a handle whose serial is not there any more has ended and does nothing (serials are not reused
 * within a pool).
 *
 * One object per span, not columns of typed arrays: a field of an object is one load behind a check that is made once per
 * span, an element of a column is a load behind checks of the array, its buffer and its bounds for every field, and a cache
 * line of its own. Benchmark case: "5 attributes to bytes".
 *
 * Invariant: each record is in exactly one of the free list, the hands of its owner, a held trace, the queue of ended ones.
 */
export class SpanPool implements RecordPool {
  readonly capacity: number
  readonly ids: IdSource
  readonly host: SpanHost
  /** Calls on handles whose span had ended. */
  lateCalls = 0
  readonly #scope: Scope
  #made = 0
  #firstFree: SpanRecord | null = null
  #freeCount = 0

  constructor(capacity: number, ids: IdSource, host: SpanHost, scope: Scope) {
    this.capacity = capacity
    this.ids = ids
    this.host = host
    this.#scope = scope
  }

  /** Records that no span occupies, those included that have not been made yet. */
  get free(): number {
    return this.capacity - this.#made + this.#freeCount
  }

  /** A record, or null when all are taken. O(1). */
  take(): SpanRecord | null {
    const record = this.#firstFree
    if (record === null) return this.#made < this.capacity ? this.#make() : null
    this.#firstFree = record.next
    this.#freeCount--
    return record
  }

  #make(): SpanRecord {
    this.#made++
    return new SpanRecord(this, true, this.#scope, this.host.limits.forSpan())
  }

  /** A record that is used once. */
  makeSingle(lazy: boolean): SpanRecord {
    return new SpanRecord(this, false, this.#scope, this.host.limits.forSpan(lazy))
  }

  takeBack(record: SpanRecord): void {
    try {
      this.release(record)
    } catch {
      // Of the span nothing is lost: the exporter has seen it. A new record is made for this one when it is missed.
      this.#made--
    }
  }

  /** Clears a record of the pool and takes it back, so that nothing of its span stays reachable. */
  release(record: SpanRecord): void {
    if (!record.pooled) return
    record.name = ''
    record.trace = null
    record.details = null
    record.attributes.clear()
    record.next = this.#firstFree
    this.#firstFree = record
    this.#freeCount++
  }
}
