import { ByteWriter } from './byte-writer.ts'

const DOUBLE = new Float64Array(1)
const DOUBLE_BYTES = new Uint8Array(DOUBLE.buffer)

const VARINT = 0
const FIXED64 = 1
const BYTES = 2

/** Bytes reserved for the length of a nested message, which is written once it is known: enough for 256 MiB. */
const LENGTH_ROOM = 4

/**
 * Protocol Buffers in one pass. The lengths of nested messages are written as padded varints, which the format allows,
 * so that nothing is measured beforehand or moved afterwards.
 */
export class ProtoWriter extends ByteWriter {
  /** Opens a nested message; {@link end} closes it. */
  begin(field: number): number {
    this.#tag(field, BYTES)
    return this.beginDelimited()
  }

  /** Opens a message that stands by itself, preceded by its length. */
  beginDelimited(): number {
    this.reserve(LENGTH_ROOM)
    this.length += LENGTH_ROOM
    return this.size
  }

  /** @param start what the opening returned */
  end(start: number): void {
    let rest = this.size - start
    for (let i = 0; i < LENGTH_ROOM; i++) {
      this.patch(start - LENGTH_ROOM + i, (rest & 0x7f) | (i < LENGTH_ROOM - 1 ? 0x80 : 0))
      rest >>>= 7
    }
  }

  /** An unsigned whole number up to 2^53, an enum or a boolean. */
  uint(field: number, value: number): void {
    this.#tag(field, VARINT)
    this.varint(value)
  }

  /** A signed whole number of at most 2^52 in zigzag coding. */
  sint(field: number, value: number): void {
    this.#tag(field, VARINT)
    this.zigzag(value)
  }

  double(field: number, value: number): void {
    this.#tag(field, FIXED64)
    this.rawDouble(value)
  }

  /** An unsigned whole number up to 2^53. */
  fixed64(field: number, value: number): void {
    this.#tag(field, FIXED64)
    this.rawFixed64(value)
  }

  /**
   * Milliseconds since the epoch as nanoseconds, exact to the microsecond, as a double is at this size. In two halves:
   * a BigInt and its temporaries for each time of each point were a third of what a push left to the garbage collector.
   */
  nanoseconds(field: number, milliseconds: number): void {
    this.#tag(field, FIXED64)
    const whole = Math.floor(milliseconds)
    const upper = Math.floor(whole / 2 ** 20) * 1e6
    const lower = (whole % 2 ** 20) * 1e6 + Math.round((milliseconds - whole) * 1e6)
    // upper * 2^20 + lower, without a number beyond 2^53.
    const rest = (upper % 2 ** 12) * 2 ** 20 + lower
    this.#words(rest, Math.floor(upper / 2 ** 12) + Math.floor(rest / 2 ** 32))
  }

  string(field: number, value: string): void {
    const start = this.begin(field)
    this.text(value)
    this.end(start)
  }

  bytesField(field: number, value: Uint8Array): void {
    const start = this.begin(field)
    this.reserve(value.length)
    this.block(value)
    this.end(start)
  }

  varint(value: number): void {
    this.reserve(10)
    let rest = value
    while (rest > 0x7f) {
      this.byte((rest % 128) | 0x80)
      rest = Math.floor(rest / 128)
    }
    this.byte(rest)
  }

  zigzag(value: number): void {
    this.varint(value < 0 ? -2 * value - 1 : 2 * value)
  }

  rawDouble(value: number): void {
    DOUBLE[0] = value
    this.reserve(8)
    this.block(DOUBLE_BYTES)
  }

  rawFixed64(value: number): void {
    this.#words(value, Math.floor(value / 2 ** 32))
  }

  /** @param low of which the lower 32 bits count */
  #words(low: number, high: number): void {
    this.reserve(8)
    const { bytes } = this
    let at = this.length
    for (let word = low >>> 0, i = 0; i < 4; i++, word >>>= 8) bytes[at++] = word
    for (let word = high >>> 0, i = 0; i < 4; i++, word >>>= 8) bytes[at++] = word
    this.length = at
  }

  #tag(field: number, wire: number): void {
    this.varint(field * 8 + wire)
  }
}
