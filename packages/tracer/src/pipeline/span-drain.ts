import type { Clock, Timer } from '@millrace/kit'
import { runUntraced } from '../context/active-context.ts'
import { SpanQueue } from '../span/recorded/span-queue.ts'
import type { SpanRecord } from '../span/recorded/span-record.ts'
import type { GuardedExporter } from './guarded-exporter.ts'
import { SlowSpans } from './slow-spans.ts'

/** Longest time one slice may hold the event loop, in milliseconds. */
const SLICE = 2
/** Spans between two looks at the clock within a slice. */
const STRIDE = 16

export interface DrainOptions {
  /** Spans handed on in one slice. */
  readonly batchSize: number
  /** Longest time that an ended span waits, in milliseconds. */
  readonly delay: number
}

/**
 * Carries ended spans from the pool to the exporter: in slices from macrotasks of its own, so that neither the end of a span
 * nor the event loop waits for encoding. Only when the program ends spans without ever yielding does the end of every
 * hundredth span encode a batch in place, as the pool would overflow otherwise.
 */
export class SpanDrain {
  readonly #guarded: GuardedExporter
  readonly #clock: Clock
  readonly #delay: number
  readonly #batchSize: number
  readonly #queue = new SpanQueue()
  #timer: Timer | null = null
  #slice: NodeJS.Immediate | null = null
  /** The slowest of what came through. */
  readonly slow: SlowSpans = new SlowSpans()
  /** Time spent encoding, in milliseconds; the overhead governor reads it. */
  busy = 0

  constructor(exporter: GuardedExporter, clock: Clock, options: DrainOptions) {
    this.#guarded = exporter
    this.#clock = clock
    this.#batchSize = options.batchSize
    this.#delay = options.delay
  }

  /** Ended spans that the exporter has not seen. */
  get waiting(): number {
    return this.#queue.length
  }

  /** Takes a span that has ended. */
  add(record: SpanRecord): void {
    const waiting = this.#queue.push(record)
    if (waiting === 1) this.#schedule()
    else if (waiting >= this.#batchSize) this.#overfull(waiting, record)
  }

  /** Hands over everything, in slices. */
  async drain(): Promise<void> {
    while (this.#work(this.#batchSize * 4)) await new Promise(resolve => setImmediate(resolve))
  }

  /** Hands over everything at once, for a process that is exiting. */
  drainSync(): void {
    this.#work(Infinity, Infinity)
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

  #overfull(waiting: number, { pooled, pool }: SpanRecord): void {
    this.#slice ??= setImmediate(this.#continue)
    // Two batches: a program that yields has them encoded by the immediate; for one that does not, few records in use stay in
    // the processor's cache.
    const most = pooled ? pool.capacity / 2 : Infinity
    if (waiting >= Math.min(this.#batchSize * 2, most)) this.#work(this.#batchSize, Infinity)
  }

  readonly #tick = (): void => {
    this.#timer = null
    this.#continue()
    if (this.#slice === null) this.#guarded.send()
  }

  readonly #continue = (): void => {
    this.#slice = null
    if (this.#work(Infinity)) this.#slice = setImmediate(this.#continue)
  }

  /** Encodes until nothing waits, `count` spans are done or the slice is over; returns whether something waits. */
  #work(count: number, budget: number = SLICE): boolean {
    if (this.waiting > 0) runUntraced(() => this.#handOver(count, budget))
    return this.waiting > 0
  }

  #handOver(count: number, budget: number): void {
    const started = this.#clock.now()
    this.slow.expire(started)
    let spent = 0
    while (count > 0 && spent < budget) {
      const stride = Math.min(count, STRIDE)
      if (this.#encode(stride) < stride) count = 0
      count -= stride
      spent = this.#clock.now() - started
    }
    // A clock that was set back has measured nothing.
    this.busy += Math.max(0, spent)
  }

  /** Hands over at most `limit` spans; returns how many. */
  #encode(limit: number): number {
    const queue = this.#queue
    const guarded = this.#guarded
    for (let done = 0; done < limit; done++) {
      const record = queue.shift()
      if (record === null) return done
      const { pool } = record
      this.slow.offer(record)
      try {
        guarded.heed('write', guarded.exporter.write(record))
      } catch (error) {
        guarded.lose(error)
      }
      pool.takeBack(record)
    }
    return limit
  }
}
