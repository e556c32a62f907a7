import type { Clock, Timer } from '../clock.ts'
import type { Exporter } from '../export/exporter.ts'
import type { SpanRecord } from '../span/span-record.ts'
import type { SpanTable } from '../span/span-table.ts'

/** Longest time one slice may hold the event loop, in milliseconds. */
const SLICE = 2
/** Spans between two looks at the clock within a slice. */
const STRIDE = 16

/**
 * Carries ended spans from the pool to the exporter: in slices from macrotasks of its own, so that neither the end of a span
 * nor the event loop waits for encoding. Only when the program ends spans without ever yielding does the end of every
 * hundredth span encode a batch in place, as the pool would overflow otherwise.
 */
export class SpanDrain {
  readonly #exporter: Exporter
  readonly #clock: Clock
  readonly #record: SpanRecord
  readonly #delay: number
  readonly #batchSize: number
  /** Tables with ended spans; one, except after the serials of a table have run out. */
  #tables: SpanTable[] = []
  /** Ended spans that own their data. */
  #records: SpanRecord[] = []
  #timer: Timer | null = null
  #slice: NodeJS.Immediate | null = null
  /** Time spent encoding, in milliseconds; the overhead governor reads it. */
  busy = 0

  constructor(
    exporter: Exporter,
    clock: Clock,
    scratch: SpanRecord,
    batch: { size: number; delay: number },
  ) {
    this.#exporter = exporter
    this.#clock = clock
    this.#record = scratch
    this.#batchSize = batch.size
    this.#delay = batch.delay
  }

  attach(table: SpanTable): void {
    this.#tables = [...this.#tables.filter(old => old.free < old.capacity), table]
  }

  get waiting(): number {
    return this.#tables.reduce((sum, table) => sum + table.waiting, this.#records.length)
  }

  /** Called for each span that ends, with the number of spans waiting in its table. */
  added(table: SpanTable, waiting: number): void {
    if (waiting === 1) this.#schedule()
    else if (waiting >= this.#batchSize) this.#overfull(waiting, table.capacity / 2)
  }

  addRecord(record: SpanRecord): void {
    const waiting = this.#records.push(record)
    if (waiting === 1) this.#schedule()
    else if (waiting >= this.#batchSize) this.#overfull(waiting, Number.POSITIVE_INFINITY)
  }

  /** Hands over everything, in slices. */
  async drain(): Promise<void> {
    while (this.#work(this.#batchSize * 4)) await new Promise(resolve => setImmediate(resolve))
  }

  /** Hands over everything at once, for a process that is exiting. */
  drainSync(): void {
    this.#work(Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY)
    this.cancel()
  }

  cancel(): void {
    this.#timer?.cancel()
    this.#timer = null
    if (this.#slice !== null) clearImmediate(this.#slice)
    this.#slice = null
  }

  #schedule(): void {
    this.#timer ??= this.#clock.setTimer(this.#tick, this.#delay)
  }

  #overfull(waiting: number, most: number): void {
    this.#slice ??= setImmediate(this.#continue)
    // Two batches: a program that yields has them encoded by the immediate; for one that does not, few slots in use stay in
    // the processor's cache.
    if (waiting >= Math.min(this.#batchSize * 2, most))
      this.#work(this.#batchSize, Number.POSITIVE_INFINITY)
  }

  readonly #tick = (): void => {
    this.#timer = null
    this.#continue()
    if (this.#slice === null) this.#exporter.send()
  }

  readonly #continue = (): void => {
    this.#slice = null
    if (this.#work(Number.POSITIVE_INFINITY)) this.#slice = setImmediate(this.#continue)
  }

  /** Encodes until nothing waits, `count` spans are done or the slice is over; returns whether something waits. */
  #work(count: number, budget: number = SLICE): boolean {
    const started = this.#clock.now()
    const epoch = this.#clock.epoch?.() ?? 0
    let spent = 0
    while (count > 0 && spent < budget) {
      const stride = Math.min(count, STRIDE)
      if (this.#encode(stride, epoch) < stride) count = 0
      count -= stride
      spent = this.#clock.now() - started
    }
    this.busy += spent
    return this.waiting > 0
  }

  #encode(limit: number, epoch: number): number {
    const record = this.#record
    record.epoch = epoch
    let done = 0
    for (const table of this.#tables) {
      while (done < limit) {
        const slot = table.dequeue()
        if (slot < 0) break
        table.read(slot, record)
        this.#exporter.write(record)
        table.release(slot)
        done++
      }
    }
    return done + this.#encodeRecords(limit - done, epoch)
  }

  #encodeRecords(limit: number, epoch: number): number {
    if (limit === 0 || this.#records.length === 0) return 0
    const batch = this.#records.splice(0, limit)
    for (const record of batch) {
      record.epoch = epoch
      this.#exporter.write(record)
    }
    return batch.length
  }
}
