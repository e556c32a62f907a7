/** Encoded spans that wait to be sent. */
export interface Chunk {
  readonly bytes: Uint8Array
  readonly spans: number
}

/**
 * What gives way when the queue is full:
 * - `newest`: spans that come while it is full (default: the beginning of an incident is kept)
 * - `oldest`: the spans that have waited longest
 */
export type DropPolicy = 'newest' | 'oldest'

/** A first-in first-out queue bounded by bytes and spans. */
export class ChunkQueue {
  readonly #chunks: Chunk[] = []
  readonly #maxBytes: number
  readonly #maxSpans: number
  readonly #policy: DropPolicy
  bytes = 0
  spans = 0
  /** Spans dropped because the queue was full. */
  dropped = 0

  constructor(maxBytes: number, maxSpans: number, policy: DropPolicy) {
    this.#maxBytes = maxBytes
    this.#maxSpans = maxSpans
    this.#policy = policy
  }

  get isHalfEmpty(): boolean {
    return this.bytes <= this.#maxBytes / 2 && this.spans <= this.#maxSpans / 2
  }

  push(chunk: Chunk): void {
    if (this.#policy === 'oldest') {
      while (this.#chunks.length > 0 && !this.#fits(chunk)) this.dropped += this.#shift().spans
    }
    if (!this.#fits(chunk)) {
      this.dropped += chunk.spans
      return
    }
    this.#chunks.push(chunk)
    this.bytes += chunk.bytes.length
    this.spans += chunk.spans
  }

  /** Takes chunks from the front, at least one, together at most `maxBytes`. */
  take(maxBytes: number): Chunk[] {
    const taken: Chunk[] = []
    let size = 0
    while (this.#chunks.length > 0) {
      size += this.#chunks[0]!.bytes.length
      if (taken.length > 0 && size > maxBytes) break
      taken.push(this.#shift())
    }
    return taken
  }

  /** Drops everything; returns how many spans that were. */
  clear(): number {
    const { spans } = this
    this.#chunks.length = 0
    this.bytes = 0
    this.spans = 0
    return spans
  }

  #fits({ bytes, spans }: Chunk): boolean {
    return this.bytes + bytes.length <= this.#maxBytes && this.spans + spans <= this.#maxSpans
  }

  #shift(): Chunk {
    const chunk = this.#chunks.shift()!
    this.bytes -= chunk.bytes.length
    this.spans -= chunk.spans
    return chunk
  }
}
