const ENCODER = new TextEncoder()

/** Hot kernel: text straight into bytes. Callers reserve room once per series and write without checks. */
export class ByteWriter {
  bytes: Buffer
  length = 0

  constructor(capacity = 16_384) {
    this.bytes = Buffer.allocUnsafe(capacity)
  }

  /** Makes room for `size` more bytes. */
  reserve(size: number): void {
    if (this.length + size <= this.bytes.length) return
    const grown = Buffer.allocUnsafe(Math.max(this.bytes.length * 2, this.length + size))
    this.bytes.copy(grown, 0, 0, this.length)
    this.bytes = grown
  }

  /** Any text. Reserves for itself. */
  text(text: string): void {
    this.reserve(text.length * 3)
    this.length += ENCODER.encodeInto(text, this.bytes.subarray(this.length)).written
  }

  /** All of `source`, by a native copy: for some hundred bytes and more. */
  block(source: Uint8Array): void {
    this.bytes.set(source, this.length)
    this.length += source.length
  }

  /** All of `source`. A loop, as a native copy of fifty bytes spends its time on the call. */
  copy(source: Uint8Array): void {
    const { bytes } = this
    const start = this.length
    for (let i = 0; i < source.length; i++) bytes[start + i] = source[i]!
    this.length = start + source.length
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

  /** What was written, without a copy: valid until the next write. */
  view(): Buffer {
    return this.bytes.subarray(0, this.length)
  }

  toString(): string {
    return this.bytes.toString('utf8', 0, this.length)
  }
}
