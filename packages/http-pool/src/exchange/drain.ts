import type { Clock } from '@millrace/kit'
import type { ResponseHeaders } from '../handler.ts'
import type { DeadlineHeap, Timed } from '../time/deadline-heap.ts'

/** Bytes of an unwanted response that are read to keep its connection, and the time that may take, in ms. */
const LIMIT = 128 * 1024
const TIMEOUT = 2_000

/** Whether a response says that it is too long to be read for the sake of its connection. */
export function isTooLong({ 'content-length': length }: ResponseHeaders): boolean {
  return typeof length === 'string' && Number(length) > LIMIT
}

/** The rest of a response that is not wanted: read if it is short, else cut off. */
export class Drain implements Timed {
  deadline = 0
  heapIndex = -1
  readonly #deadlines: DeadlineHeap
  readonly #cutOff: () => void
  #bytes = 0

  constructor({ deadlines, clock }: { deadlines: DeadlineHeap; clock: Clock }, cutOff: () => void) {
    this.#deadlines = deadlines
    this.#cutOff = cutOff
    deadlines.schedule(this, clock.now() + TIMEOUT)
  }

  onData(chunk: Buffer): void {
    this.#bytes += chunk.length
    if (this.#bytes > LIMIT) this.#cutOff()
  }

  onDeadline(): void {
    this.#cutOff()
  }

  end(): void {
    this.#deadlines.cancel(this)
  }
}
