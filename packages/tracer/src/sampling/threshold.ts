/** 2^56: a rejection threshold of this size rejects everything. */
const SPACE = 2 ** 56

/**
 * A rejection threshold of consistent probability sampling (OpenTelemetry, "TraceState: Probability Sampling"): a trace
 * is kept when the low 56 bits of its id are at least the threshold. Services with different probabilities that see the same
 * trace then agree as far as they can, and `ot=th` tells a backend how many traces a kept one stands for.
 */
export class Threshold {
  /** Bits 55..32 and 31..0, as unsigned numbers. */
  readonly high: number
  readonly low: number
  readonly probability: number

  constructor(probability: number) {
    this.probability = probability
    // 2^56 (1 - p) is an integer after rounding to 56 bits, well within a double's exponent; 53 bits are significant.
    const rejected = Math.min(SPACE - 1, Math.round((1 - probability) * SPACE))
    this.high = Math.floor(rejected / 2 ** 32)
    this.low = rejected - this.high * 2 ** 32
  }

  /** Whether the trace id with these last two words (signed or unsigned) is kept. */
  keeps(c: number, d: number): boolean {
    const high = c & 0xffffff
    return high > this.high || (high === this.high && d >>> 0 >= this.low)
  }

  /** As in `ot=th:`: up to 14 hex digits without trailing zeros. */
  toString(): string {
    const hex = this.high.toString(16).padStart(6, '0') + this.low.toString(16).padStart(8, '0')
    return hex.replace(/0+$/, '') || '0'
  }
}
