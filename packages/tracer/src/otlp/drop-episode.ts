import { type TimeSource, tell } from '@millrace/kit'
import { SpanExportError } from '../export/span-export-error.ts'
import type { ChunkQueue } from './chunk-queue.ts'

/** Time after which an episode that goes on is told, and another one begins, in milliseconds. */
const LONGEST = 60_000

/**
 * Tells of the spans that a full queue drops, as a number when the episode is over: when half of the queue is empty again, after a
 * minute, or at a flush. Told one by one, they would be a second load in the moment of the first.
 */
export class DropEpisode {
  readonly #queue: ChunkQueue
  readonly #clock: TimeSource
  readonly #onError: (error: SpanExportError) => void
  /** Dropped spans that were told. */
  #told = 0
  #began: number | undefined

  constructor(queue: ChunkQueue, clock: TimeSource, onError: (error: SpanExportError) => void) {
    this.#queue = queue
    this.#clock = clock
    this.#onError = onError
  }

  /** To be called when something was put into the queue. */
  pushed(): void {
    if (this.#queue.dropped === this.#told) return
    const now = this.#clock.now()
    this.#began ??= now
    if (now - this.#began >= LONGEST) this.end()
  }

  /** To be called when something was taken from the queue. */
  taken(): void {
    if (this.#began !== undefined && this.#queue.isHalfEmpty) this.end()
  }

  end(): void {
    const spans = this.#queue.dropped - this.#told
    this.#began = undefined
    if (spans === 0) return
    this.#told = this.#queue.dropped
    tell(this.#onError, new SpanExportError('The queue of the exporter was full', { spans }))
  }
}
