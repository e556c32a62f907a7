import type { Timer } from '@millrace/kit'

/** A stream to one browser. */
export interface Sink {
  /** Returns whether there is room for more. */
  write(frame: Uint8Array<ArrayBuffer>): boolean
  /** Ends the stream after what was written. */
  end(): void
  /** Cuts it off, with what was not read. */
  abort(): void
}

/** ms that a client may take no data before it is let go. */
const DRAIN_TIMEOUT = 30_000

/**
 * The browsers that listen. A frame is encoded once and the same bytes go to all. One that does not read is sent nothing
 * until it has read what it was sent, and then a whole snapshot: a stalled client holds one frame, not a queue.
 */
export class Subscribers {
  readonly #sinks = new Map<Sink, { blocked: boolean; giveUp: Timer | undefined }>()
  readonly #setTimer: (callback: () => void, delay: number) => Timer
  dropped = 0

  constructor(setTimer: (callback: () => void, delay: number) => Timer) {
    this.#setTimer = setTimer
  }

  get size(): number {
    return this.#sinks.size
  }

  add(sink: Sink, snapshot: Uint8Array<ArrayBuffer>): void {
    this.#sinks.set(sink, { blocked: false, giveUp: undefined })
    this.#send(sink, snapshot)
  }

  remove(sink: Sink): void {
    this.#sinks.get(sink)?.giveUp?.cancel()
    this.#sinks.delete(sink)
  }

  broadcast(frame: Uint8Array<ArrayBuffer>): void {
    for (const [sink, { blocked }] of this.#sinks) {
      if (blocked) this.dropped++
      else this.#send(sink, frame)
    }
  }

  /** The client has read everything: brings it up to date. */
  drained(sink: Sink, snapshot: () => Uint8Array<ArrayBuffer>): void {
    const state = this.#sinks.get(sink)
    if (state === undefined || !state.blocked) return
    state.blocked = false
    state.giveUp?.cancel()
    state.giveUp = undefined
    this.#send(sink, snapshot())
  }

  #send(sink: Sink, frame: Uint8Array<ArrayBuffer>): void {
    const state = this.#sinks.get(sink)
    if (state === undefined || sink.write(frame)) return
    state.blocked = true
    state.giveUp = this.#setTimer(() => {
      this.remove(sink)
      sink.abort()
    }, DRAIN_TIMEOUT)
  }

  close(): void {
    for (const [sink, { blocked }] of [...this.#sinks]) {
      this.remove(sink)
      // One that does not read would hold up the end of its server.
      if (blocked) sink.abort()
      else sink.end()
    }
  }
}
