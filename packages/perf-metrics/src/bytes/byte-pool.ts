const CHUNK = 65_536

const ENCODER = new TextEncoder()

/**
 * Bytes that are kept: many runs in one buffer, as a buffer each would be three objects for the garbage collector to
 * carry, and 20,000 of them at once pauses of 18 ms. A chunk lives as long as it is referred to.
 */
class BytePool {
  /** Where the last run is. */
  chunk: Buffer<ArrayBuffer> = Buffer.alloc(0)
  #used = 0
  #scratch = new Uint8Array(1024)

  /** Takes `size` bytes of any content. Returns where in {@link chunk} they begin. */
  take(size: number): number {
    if (this.#used + size > this.chunk.length) {
      this.chunk = Buffer.allocUnsafeSlow(Math.max(CHUNK, size))
      this.#used = 0
    }
    const start = this.#used
    this.#used += size
    return start
  }

  /** `text` in UTF-8. */
  text(text: string): Uint8Array {
    if (this.#scratch.length < text.length * 3) this.#scratch = new Uint8Array(text.length * 6)
    const { written } = ENCODER.encodeInto(text, this.#scratch)
    const start = this.take(written)
    for (let i = 0; i < written; i++) this.chunk[start + i] = this.#scratch[i]!
    return this.chunk.subarray(start, start + written)
  }
}

export const KEPT: BytePool = new BytePool()
