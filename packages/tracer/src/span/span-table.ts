import type { AttributeList } from '../attributes/attribute-list.ts'
import type { IdSource } from './id-source.ts'
import type { Scope, SpanKind, StatusCode } from './span.ts'
import type { SpanDetails } from './span-details.ts'
import type { SpanHost } from './span-host.ts'
import type { SpanRecord } from './span-record.ts'
import { RANDOM, RECORDED, SAMPLED, type TraceRecord } from './trace-record.ts'

/** Bits of the `flags` column: three for the kind, two for the status, one for a remote parent. */
const KIND = 0b0111
const STATUS_SHIFT = 3
const STATUS = 0b11
const REMOTE = 0b10_0000

/**
 * The pool: a fixed number of span slots as columns, so that starting a span allocates nothing here and the collector
 * never walks scalars. A slot is owned by the serial in `owner`; a handle whose serial is not there any more has ended
 * and does nothing (serials are not reused within a table).
 *
 * Invariant: each slot is in exactly one of the free stack, the hands of its owner, a held trace, the ended ring.
 */
export class SpanTable {
  readonly capacity: number
  readonly ids: IdSource
  readonly host: SpanHost
  /** Calls on handles whose span had ended. */
  lateCalls = 0
  /** Serial of the running span, 0 when it has ended. */
  readonly owner: Int32Array
  readonly #serials: Int32Array
  readonly starts: Float64Array
  readonly ends: Float64Array
  readonly #flags: Uint8Array
  readonly #parentHigh: Int32Array
  readonly #parentLow: Int32Array
  readonly names: string[] = []
  readonly #scopes: Scope[] = []
  /** Null for a root without children: its trace id follows from its serial. */
  readonly traces: (TraceRecord | null)[] = []
  readonly attributes: AttributeList[] = []
  readonly details: (SpanDetails | null)[] = []
  readonly #free: Int32Array
  #freeCount = 0
  readonly #ended: Int32Array
  #endedHead = 0
  #endedCount = 0

  constructor(capacity: number, ids: IdSource, host: SpanHost, scope: Scope) {
    this.capacity = capacity
    this.ids = ids
    this.host = host
    this.owner = new Int32Array(capacity)
    this.#serials = new Int32Array(capacity)
    this.starts = new Float64Array(capacity)
    this.ends = new Float64Array(capacity)
    this.#flags = new Uint8Array(capacity)
    this.#parentHigh = new Int32Array(capacity)
    this.#parentLow = new Int32Array(capacity)
    this.#free = new Int32Array(capacity)
    this.#ended = new Int32Array(capacity)
    for (let slot = capacity - 1; slot >= 0; slot--) this.#free[this.#freeCount++] = slot
    for (let slot = 0; slot < capacity; slot++) {
      this.names.push('')
      this.#scopes.push(scope)
      this.traces.push(null)
      this.attributes.push(host.limits.forSpan())
      this.details.push(null)
    }
  }

  /** Slots that no span occupies. */
  get free(): number {
    return this.#freeCount
  }

  /** Ended spans that wait for the encoder. */
  get waiting(): number {
    return this.#endedCount
  }

  /** Takes a slot for a span, or -1 when all are taken. O(1), no allocation. */
  open(
    serial: number,
    scope: Scope,
    name: string,
    kind: SpanKind,
    start: number,
    trace: TraceRecord | null,
  ): number {
    if (this.#freeCount === 0) return -1
    const slot = this.#free[--this.#freeCount]!
    this.owner[slot] = serial
    this.#serials[slot] = serial
    this.starts[slot] = start
    this.#flags[slot] = kind & KIND
    this.#parentHigh[slot] = 0
    this.#parentLow[slot] = 0
    this.names[slot] = name
    this.#scopes[slot] = scope
    this.traces[slot] = trace
    return slot
  }

  setParent(slot: number, high: number, low: number, remote: boolean): void {
    this.#parentHigh[slot] = high
    this.#parentLow[slot] = low
    if (remote) this.#flags[slot]! |= REMOTE
  }

  /** Whether the span begins its trace in this process. */
  isLocalRoot(slot: number): boolean {
    return (
      (this.#flags[slot]! & REMOTE) !== 0 ||
      (this.#parentHigh[slot]! | this.#parentLow[slot]!) === 0
    )
  }

  status(slot: number): StatusCode {
    return ((this.#flags[slot]! >>> STATUS_SHIFT) & STATUS) as StatusCode
  }

  kind(slot: number): SpanKind {
    return (this.#flags[slot]! & KIND) as SpanKind
  }

  setStatus(slot: number, code: StatusCode): void {
    this.#flags[slot] = (this.#flags[slot]! & ~(STATUS << STATUS_SHIFT)) | (code << STATUS_SHIFT)
  }

  /** Queues an ended slot for the encoder and returns how many wait. Cannot overflow: a slot is queued once. */
  enqueue(slot: number): number {
    let tail = this.#endedHead + this.#endedCount
    if (tail >= this.capacity) tail -= this.capacity
    this.#ended[tail] = slot
    return ++this.#endedCount
  }

  /** The slot that ended first, or -1. */
  dequeue(): number {
    if (this.#endedCount === 0) return -1
    const slot = this.#ended[this.#endedHead]!
    if (++this.#endedHead === this.capacity) this.#endedHead = 0
    this.#endedCount--
    return slot
  }

  /** Copies the scalars and references of a slot into `record`. */
  read(slot: number, record: SpanRecord): void {
    const trace = this.traces[slot]!
    const serial = this.#serials[slot]!
    const flags = this.#flags[slot]!
    const { ids } = this
    if (trace === null) {
      ids.fill(serial, record)
      record.traceFlags = SAMPLED | RANDOM
      record.traceState = undefined
    } else {
      record.traceA = trace.a
      record.traceB = trace.b
      record.traceC = trace.c
      record.traceD = trace.d
      record.traceFlags = trace.flags & ~RECORDED
      record.traceState = trace.state
    }
    record.spanHigh = ids.spanHigh(serial)
    record.spanLow = ids.spanLow(serial)
    record.parentHigh = this.#parentHigh[slot]!
    record.parentLow = this.#parentLow[slot]!
    record.parentRemote = (flags & REMOTE) !== 0
    record.kind = (flags & KIND) as SpanKind
    record.status = ((flags >>> STATUS_SHIFT) & STATUS) as StatusCode
    record.start = this.starts[slot]!
    record.end = this.ends[slot]!
    record.name = this.names[slot]!
    record.scope = this.#scopes[slot]!
    record.attributes = this.attributes[slot]!
    record.details = this.details[slot]!
  }

  /** Clears a slot and gives it back, so that nothing of its span stays reachable. */
  release(slot: number): void {
    this.names[slot] = ''
    this.traces[slot] = null
    this.attributes[slot]!.clear()
    this.details[slot] = null
    this.#free[this.#freeCount++] = slot
  }
}
