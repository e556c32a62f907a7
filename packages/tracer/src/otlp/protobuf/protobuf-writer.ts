import { allocate, type BufferStock } from './buffer-stock.ts'

/** Strings longer than this are written by the engine; shorter ones are faster in a loop that never leaves JavaScript. */
const NATIVE_LENGTH = 48

/** Bytes kept free behind the last one that a caller may write. */
const SLACK = 16

/** Bytes that a length prefix of unknown size reserves. Padded varints are legal protobuf and spare moving the content. */
const RESERVED = 5

/**
 * Protocol buffer primitives over one growing buffer. Hot: everything is written in one pass, without moving bytes and
 * without allocating. Callers `ensure` room once and then use the writers, which do not check.
 */
export class ProtobufWriter {
  bytes: Buffer
  view: DataView
  pos = 0
  /** Where `pos` may be at most after a write: the length less the slack of writers that write eight bytes at a time. */
  #limit: number
  readonly #stock: BufferStock | null

  /** @param stock where further buffers come from; none: new ones */
  constructor(capacity: number, stock: BufferStock | null = null) {
    this.#stock = stock
    const { bytes, view } = allocate(capacity)
    this.bytes = bytes
    this.view = view
    this.#limit = capacity - SLACK
  }

  /** Makes room for `size` more bytes. */
  ensure(size: number): void {
    if (this.pos + size > this.#limit) this.#grow(this.pos + size + SLACK)
  }

  #grow(needed: number): void {
    const { bytes, pos } = this
    this.#replace(Math.max(needed, bytes.length * 2))
    this.bytes.set(bytes.subarray(0, pos))
  }

  #replace(capacity: number): void {
    const { bytes, view } = this.#stock?.take(capacity) ?? allocate(capacity)
    this.bytes = bytes
    this.view = view
    this.#limit = bytes.length - SLACK
  }

  /** Hands over what was written: the buffer itself where it is well filled, else a copy. */
  take(capacity: number): Uint8Array {
    const { bytes, view, pos } = this
    this.pos = 0
    if (pos < bytes.length / 2) return Buffer.from(bytes.subarray(0, pos))
    this.#replace(capacity)
    this.#stock?.lend({ bytes, view })
    return bytes.subarray(0, pos)
  }

  /** An unsigned varint below 2^32. */
  varint(value: number): void {
    const { bytes } = this
    let { pos } = this
    while (value > 0x7f) {
      bytes[pos++] = (value & 0x7f) | 0x80
      value >>>= 7
    }
    bytes[pos++] = value
    this.pos = pos
  }

  /** A varint of 64 bits in two unsigned halves. */
  varint64(high: number, low: number): void {
    const { bytes } = this
    let { pos } = this
    while (high > 0) {
      bytes[pos++] = (low & 0x7f) | 0x80
      low = ((low >>> 7) | (high << 25)) >>> 0
      high >>>= 7
    }
    this.pos = pos
    this.varint(low)
  }

  byte(value: number): void {
    this.bytes[this.pos++] = value
  }

  /** 32 bits, most significant byte first: ids are byte strings. */
  word(value: number): void {
    this.view.setInt32(this.pos, value)
    this.pos += 4
  }

  /** 32 bits, least significant byte first. */
  fixed32(value: number): void {
    this.view.setInt32(this.pos, value, true)
    this.pos += 4
  }

  /** Bytes as they are. The caller has made room. */
  raw(bytes: Uint8Array): void {
    this.bytes.set(bytes, this.pos)
    this.pos += bytes.length
  }

  double(value: number): void {
    this.view.setFloat64(this.pos, value, true)
    this.pos += 8
  }

  /** Prepared bytes; writes up to seven bytes of slack behind them. */
  prepared(units: readonly number[], length: number): void {
    const { view, pos } = this
    for (let i = 0, at = pos; i < units.length; i++, at += 8) view.setFloat64(at, units[i]!, true)
    this.pos = pos + length
  }

  /** The number of bytes that `text` takes in UTF-8, when that is its length; otherwise asks the engine. */
  utf8Length(text: string): number {
    const { length } = text
    if (length > NATIVE_LENGTH) return Buffer.byteLength(text)
    let all = 0
    for (let i = 0; i < length; i++) all |= text.charCodeAt(i)
    return all < 0x80 ? length : Buffer.byteLength(text)
  }

  /** Writes `text`, whose UTF-8 form has `size` bytes. Lone surrogates become U+FFFD. */
  utf8(text: string, size: number): void {
    const { length } = text
    const { bytes } = this
    let { pos } = this
    if (size !== length || length > NATIVE_LENGTH) {
      bytes.write(text, pos, size, 'utf8')
      this.pos = pos + size
      return
    }
    for (let i = 0; i < length; i++) bytes[pos++] = text.charCodeAt(i)
    this.pos = pos
  }

  /** A field of text with a one-byte tag. Checks for room itself. */
  text(tag: number, text: string): void {
    const size = this.utf8Length(text)
    this.ensure(size + 6)
    this.byte(tag)
    this.varint(size)
    this.utf8(text, size)
  }

  /** Begins a nested message of unknown length; give the result to {@link end}. */
  begin(tag: number): number {
    this.ensure(RESERVED + 1)
    this.byte(tag)
    this.pos += RESERVED
    return this.pos
  }

  /** Fills in the length of the message that began at `start`. */
  end(start: number): void {
    this.padded(start - RESERVED, this.pos - start, RESERVED)
  }

  /** A varint stretched to `width` bytes, at `at`. */
  padded(at: number, value: number, width: number): void {
    const { bytes } = this
    for (let last = at + width - 1; at < last; at++) {
      bytes[at] = (value & 0x7f) | 0x80
      value >>>= 7
    }
    bytes[at] = value
  }
}

/** Bytes that an unsigned varint below 2^32 takes. */
export function varintSize(value: number): number {
  if (value < 0x80) return 1
  if (value < 0x4000) return 2
  if (value < 0x20_0000) return 3
  return value < 0x1000_0000 ? 4 : 5
}
