/** Buffers kept; what comes beyond goes to the collector. */
const MAX_BUFFERS = 16
/** Capacities are multiples of this, so that one buffer can stand in for another. */
const GRAIN = 16 * 1024
/** Larger buffers come of single huge spans and are not kept. */
const MAX_CAPACITY = 256 * 1024

/**
 * The buffers of an encoder, used again once their bytes have left the process. At 10,000 spans per second, a new buffer for every
 * piece made V8 collect its whole heap every few seconds: half of what tracing cost.
 */
export class BufferStock {
  readonly #spare: ArrayBuffer[] = []
  /** Those that were handed out: a piece may also be a copy that shares its memory with strangers. */
  readonly #lent = new WeakSet<ArrayBufferLike>()

  /** A buffer of at least `capacity` bytes. */
  take(capacity: number): Buffer {
    const spare = this.#spare.pop()
    if (spare !== undefined && spare.byteLength >= capacity) return Buffer.from(spare)
    return Buffer.allocUnsafeSlow(Math.ceil(capacity / GRAIN) * GRAIN)
  }

  /** Notes that `bytes` leave the encoder and will come back. */
  lend(bytes: Uint8Array): Uint8Array {
    this.#lent.add(bytes.buffer)
    return bytes
  }

  /** Takes back bytes that nobody reads any more; those that were not lent are ignored. */
  giveBack({ buffer }: Uint8Array): void {
    if (!this.#lent.delete(buffer)) return
    if (this.#spare.length < MAX_BUFFERS && buffer.byteLength <= MAX_CAPACITY) {
      this.#spare.push(buffer as ArrayBuffer)
    }
  }
}
