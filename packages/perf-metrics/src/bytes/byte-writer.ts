const ENCODER = new TextEncoder()

/** Smallest chunk after the first, in bytes. */
const CHUNK = 262_144

/** Characters up to which a loop is faster than a call of the encoder, which needs a view of the rest of the chunk. */
const SHORT = 64

/**
 * Hot kernel: text straight into bytes. Callers reserve room once per series and write without checks. What does not fit
 * begins a new chunk, as moving megabytes to a larger buffer would hold up the event loop.
 */
export class ByteWriter {
  /** The chunk being written, and how much of it is. */
  bytes: Buffer<ArrayBuffer>
  length = 0
  #full: Uint8Array<ArrayBuffer>[] = []
  /** Bytes in the chunks before this one. */
  #before = 0

  constructor(capacity = 16_384) {
    this.bytes = Buffer.allocUnsafe(capacity)
  }

  /** Bytes written so far. */
  get size(): number {
    return this.#before + this.length
  }

  /** Makes room for `size` more bytes in a row. */
  reserve(size: number): void {
    if (this.length + size <= this.bytes.length) return
    this.#full.push(this.bytes.subarray(0, this.length))
    this.#before += this.length
    this.bytes = Buffer.allocUnsafe(Math.max(CHUNK, size))
    this.length = 0
  }

  /** Any text. Reserves for itself. */
  text(text: string): void {
    this.reserve(text.length * 3)
    if (text.length <= SHORT && this.#shortAscii(text)) return
    this.length += ENCODER.encodeInto(text, this.bytes.subarray(this.length)).written
  }

  #shortAscii(text: string): boolean {
    const { bytes } = this
    let at = this.length
    for (let i = 0; i < text.length; i++) {
      const code = text.charCodeAt(i)
      if (code > 0x7f) return false
      bytes[at++] = code
    }
    this.length = at
    return true
  }

  /** All of `source`, by a native copy: for some hundred bytes and more. */
  block(source: Uint8Array): void {
    this.bytes.set(source, this.length)
    this.length += source.length
  }

  /** `source` from byte `from` to `to`. A loop, as a native copy of fifty bytes spends its time on the call. */
  copy(source: Uint8Array, from = 0, to: number = source.length): void {
    const { bytes } = this
    let at = this.length
    for (let i = from; i < to; i++) bytes[at++] = source[i]!
    this.length = at
  }

  /** One byte. */
  byte(value: number): void {
    this.bytes[this.length++] = value
  }

  /** ASCII text. */
  ascii(text: string): void {
    const { bytes } = this
    let at = this.length
    for (let i = 0; i < text.length; i++) bytes[at++] = text.charCodeAt(i)
    this.length = at
  }

  /** A number as Go's ParseFloat reads it. Needs at most 25 bytes. */
  number(value: number): void {
    if (value >= 0 && value <= 0x7fffffff && (value | 0) === value) this.#integer(value | 0)
    else if (Number.isFinite(value)) this.ascii(String(value))
    else this.ascii(value > 0 ? '+Inf' : value < 0 ? '-Inf' : 'NaN')
  }

  #integer(value: number): void {
    const { bytes } = this
    let digits = 1
    for (let limit = 10; digits < 10 && value >= limit; limit *= 10) digits++
    let at = this.length + digits
    this.length = at
    let rest = value
    do {
      const tens = (rest / 10) | 0
      bytes[--at] = 48 + rest - tens * 10
      rest = tens
    } while (rest > 0)
  }

  /** Overwrites a byte that was written at `position` of the whole. O(chunks since). */
  protected patch(position: number, value: number): void {
    let start = this.#before
    if (position >= start) {
      this.bytes[position - start] = value
      return
    }
    for (let i = this.#full.length - 1; i >= 0; i--) {
      const chunk = this.#full[i]!
      start -= chunk.length
      if (position < start) continue
      chunk[position - start] = value
      return
    }
  }

  /** What was written in one piece: without a copy where one chunk held it, and then valid until the next write. */
  finish(): Uint8Array<ArrayBuffer> {
    if (this.#full.length === 0) return this.bytes.subarray(0, this.length)
    const whole = Buffer.allocUnsafe(this.size)
    this.copyTo(whole, 0)
    return whole
  }

  /** Copies everything to `target`, from its byte `at` on. */
  copyTo(target: Uint8Array, at: number): void {
    if (this.whole) this.bytes.copy(target, at, 0, this.length)
    else for (const _ of this.copySteps(target, at));
  }

  /** As {@link copyTo}, stopping after each chunk. */
  *copySteps(target: Uint8Array, at: number): Generator<void> {
    let next = at
    for (const chunk of this.chunks()) {
      target.set(chunk, next)
      next += chunk.length
      yield
    }
  }

  /** What was written, in order; valid until the next write. */
  chunks(): Uint8Array<ArrayBuffer>[] {
    return [...this.#full, this.bytes.subarray(0, this.length)]
  }

  /** Whether one chunk held everything. */
  get whole(): boolean {
    return this.#full.length === 0
  }

  /** Starts again, with a first chunk that would have held it all and a little more. */
  reset(): void {
    if (!this.whole) this.bytes = Buffer.allocUnsafe(Math.ceil(this.size * 1.1))
    this.#full = []
    this.#before = 0
    this.length = 0
  }

  toString(): string {
    // No text is split between two chunks.
    return this.chunks()
      .map(chunk => Buffer.from(chunk.buffer, chunk.byteOffset, chunk.length).toString('utf8'))
      .join('')
  }
}
