/** Buffers kept; what comes beyond goes to the collector. */
const MAX_BUFFERS = 16
/** Capacities are multiples of this, so that one buffer can stand in for another. */
const GRAIN = 16 * 1024
/** Larger buffers come of single huge spans and are not kept. */
const MAX_CAPACITY = 256 * 1024

/** A buffer with the view that numbers are written through. Kept together, as making either anew costs microseconds. */
export interface Memory {
  readonly bytes: Buffer
  readonly view: DataView
}

/** New memory of so many bytes. */
export function allocate(capacity: number): Memory {
  const bytes = Buffer.allocUnsafeSlow(capacity)
  return { bytes, view: new DataView(bytes.buffer) }
}

/**
 * The buffers of an encoder, used again once their bytes have left the process. A new buffer for every piece
 * makes V8 collect its whole heap again and again. Benchmark case: "10,000 spans a second".
 */
export class BufferStock {
  readonly #spare: Memory[] = []
  /** Those that were handed out: a piece may also be a copy that shares its memory with other code. */
  readonly #lent = new WeakMap<ArrayBufferLike, Memory>()

  /** Memory of at least `capacity` bytes. */
  take(capacity: number): Memory {
    const spare = this.#spare.pop()
    if (spare !== undefined && spare.bytes.length >= capacity) return spare
    return allocate(Math.ceil(capacity / GRAIN) * GRAIN)
  }

  /** Notes that this memory leaves the encoder and will come back. */
  lend(memory: Memory): void {
    this.#lent.set(memory.bytes.buffer, memory)
  }

  /** Takes back bytes that are not read any more; those that were not lent are ignored. */
  giveBack({ buffer }: Uint8Array): void {
    const memory = this.#lent.get(buffer)
    if (memory === undefined) return
    this.#lent.delete(buffer)
    if (this.#spare.length < MAX_BUFFERS && memory.bytes.length <= MAX_CAPACITY) {
      this.#spare.push(memory)
    }
  }
}
