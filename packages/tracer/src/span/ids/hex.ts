const DIGITS = Buffer.from('0123456789abcdef', 'latin1')
const scratch = Buffer.alloc(64)

/** Writes 32 bits as 8 lower-case hex digits. */
export function writeHex(target: Uint8Array, at: number, word: number): void {
  for (let shift = 28; shift >= 0; shift -= 4) target[at++] = DIGITS[(word >>> shift) & 15]!
}

/** 16 lower-case hex digits of two 32-bit words; flat, where concatenation would build a rope. */
export function spanIdHex(high: number, low: number): string {
  writeHex(scratch, 0, high)
  writeHex(scratch, 8, low)
  return scratch.toString('latin1', 0, 16)
}

/** 32 lower-case hex digits of four 32-bit words. */
export function traceIdHex(a: number, b: number, c: number, d: number): string {
  writeHex(scratch, 0, a)
  writeHex(scratch, 8, b)
  writeHex(scratch, 16, c)
  writeHex(scratch, 24, d)
  return scratch.toString('latin1', 0, 32)
}

/**
 * Reads 8 lower-case hex digits as a signed 32-bit word, or NaN where there is any other character
 * (W3C trace context allows lower case only).
 */
export function readHex(text: string, at: number): number {
  let word = 0
  for (let end = at + 8; at < end; at++) {
    const code = text.charCodeAt(at)
    if (code >= 48 && code <= 57) word = (word << 4) | (code - 48)
    else if (code >= 97 && code <= 102) word = (word << 4) | (code - 87)
    else return Number.NaN
  }
  return word
}
