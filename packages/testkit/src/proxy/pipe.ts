import type { Socket } from 'node:net'
import type { Direction, Faults } from './faults.ts'

interface Parcel {
  /** The end of the stream is `null`. */
  readonly chunk: Buffer | null
  readonly due: number
}

/** How many bytes a pipe holds before it stops reading, as a full socket buffer would. */
const highWater = 1 << 20

/** One direction of a proxied connection: carries chunks in order, late, or not at all, as the faults say. */
export class Pipe {
  readonly #source: Socket
  readonly #sink: Socket
  readonly #direction: Direction
  readonly #faults: Faults
  readonly #random: () => number
  readonly #onCut: () => void
  readonly #queue: Parcel[] = []
  #held = 0
  #lastDue = 0
  #timer: NodeJS.Timeout | undefined
  /** Bytes carried since {@link recount}, against the faults' `cutAfter`. */
  #counted = 0
  /** Bytes carried in all. */
  carried = 0

  constructor(
    source: Socket,
    sink: Socket,
    direction: Direction,
    faults: Faults,
    random: () => number,
    onCut: () => void,
  ) {
    this.#source = source
    this.#sink = sink
    this.#direction = direction
    this.#faults = faults
    this.#random = random
    this.#onCut = onCut
    source.on('data', chunk => this.#enqueue(chunk as Buffer))
    source.on('end', () => this.#enqueue(null))
    sink.on('drain', () => this.pump())
  }

  /** Starts counting towards `cutAfter` anew. */
  recount(): void {
    this.#counted = 0
  }

  /** Forwards what is due; called again whenever the faults change. */
  pump(): void {
    clearTimeout(this.#timer)
    if (this.#faults.halfOpen) {
      this.#queue.length = 0
      this.#held = 0
      this.#source.resume()
      return
    }
    if (this.#faults.stalled.has(this.#direction)) return
    while (this.#queue.length > 0 && !this.#sink.writableNeedDrain) {
      const { chunk, due } = this.#queue[0]!
      const wait = due - performance.now()
      if (wait > 0) {
        this.#timer = setTimeout(() => this.pump(), wait)
        return
      }
      this.#queue.shift()
      if (chunk === null) this.#sink.end()
      else this.#forward(chunk)
    }
    if (this.#held < highWater) this.#source.resume()
  }

  stop(): void {
    clearTimeout(this.#timer)
    this.#queue.length = 0
  }

  #enqueue(chunk: Buffer | null): void {
    if (this.#faults.halfOpen) return
    const { latency, jitter } = this.#faults
    // A chunk never overtakes the one before it: TCP keeps the order.
    this.#lastDue = Math.max(this.#lastDue, performance.now() + latency + jitter * this.#random())
    this.#queue.push({ chunk, due: this.#lastDue })
    this.#held += chunk?.length ?? 0
    if (this.#held >= highWater) this.#source.pause()
    this.pump()
  }

  #forward(chunk: Buffer): void {
    this.#held -= chunk.length
    const limit = this.#faults.cutAfter.get(this.#direction)
    const room = limit === undefined ? chunk.length : limit - this.#counted
    const part = room < chunk.length ? chunk.subarray(0, Math.max(0, room)) : chunk
    this.carried += part.length
    this.#counted += part.length
    if (limit !== undefined && this.#counted >= limit) {
      this.stop()
      this.#sink.write(part, this.#onCut)
    } else this.#sink.write(part)
  }
}
