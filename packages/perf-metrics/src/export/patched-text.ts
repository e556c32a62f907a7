const ENCODER = new TextEncoder()

/**
 * Text with whole numbers in it, kept as bytes and patched where a number changed. The lines of a histogram are copied
 * out in one piece instead of being put together from fifty.
 */
export class PatchedText {
  bytes: Uint8Array
  /** Where each number begins, how many digits it has, and what it is. */
  readonly #at: Uint32Array
  readonly #digits: Uint8Array
  readonly #last: Float64Array

  /** @param parts the text before each number, and after the last; the numbers begin as 0 */
  constructor(parts: readonly string[]) {
    const numbers = parts.length - 1
    this.#at = new Uint32Array(numbers)
    this.#digits = new Uint8Array(numbers).fill(1)
    this.#last = new Float64Array(numbers)
    const chunks = parts.map(part => ENCODER.encode(part))
    let length = numbers
    for (const chunk of chunks) length += chunk.length
    this.bytes = new Uint8Array(length)
    let at = 0
    for (let i = 0; i <= numbers; i++) {
      this.bytes.set(chunks[i]!, at)
      at += chunks[i]!.length
      if (i === numbers) break
      this.#at[i] = at
      this.bytes[at++] = 48
    }
  }

  /** Makes `value`, a whole number from 0 to 2^53, the number at position `i`. */
  set(i: number, value: number): void {
    if (value === this.#last[i]) return
    this.#last[i] = value
    const digits = countDigits(value)
    if (digits !== this.#digits[i]) this.#resize(i, digits)
    const { bytes } = this
    const start = this.#at[i]!
    let at = start + digits
    let rest = value
    // Division of doubles above 2^31, of integers below: the latter is three times as fast.
    while (rest > 0x7fffffff) {
      const tens = Math.floor(rest / 10)
      bytes[--at] = 48 + (rest - tens * 10)
      rest = tens
    }
    let small = rest | 0
    do {
      const tens = (small / 10) | 0
      bytes[--at] = 48 + small - tens * 10
      small = tens
    } while (at > start)
  }

  /** The text with `after(i)` behind each number. */
  annotated(after: (i: number) => string): string {
    const decoder = new TextDecoder()
    let text = ''
    let from = 0
    for (let i = 0; i < this.#at.length; i++) {
      const end = this.#at[i]! + this.#digits[i]!
      text += decoder.decode(this.bytes.subarray(from, end)) + after(i)
      from = end
    }
    return text + decoder.decode(this.bytes.subarray(from))
  }

  #resize(i: number, digits: number): void {
    const by = digits - this.#digits[i]!
    const at = this.#at[i]!
    const old = this.bytes
    const bytes = new Uint8Array(old.length + by)
    bytes.set(old.subarray(0, at))
    bytes.set(old.subarray(at + this.#digits[i]!), at + digits)
    this.bytes = bytes
    this.#digits[i] = digits
    for (let j = i + 1; j < this.#at.length; j++) this.#at[j]! += by
  }
}

function countDigits(value: number): number {
  let digits = 1
  for (let limit = 10; value >= limit; limit *= 10) digits++
  return digits
}
