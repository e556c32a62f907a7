/** Serial numbers run from 1 to this: they stay small integers, and zero can mean "nobody". */
const MAX_SERIAL = 0x7fff_fffe

/**
 * Trace and span ids by counter (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3"): a span only takes
 * the next serial number, and its ids are six keyed bijections of it, computed when somebody reads them. Most ids are read
 * once, by the encoder, as integers; nobody pays for hex or buffers at the start of a span.
 *
 * The keys come from the system's generator, so two processes share an id sequence with probability 2^-96, and within
 * one source no two trace ids are equal, as each word is a permutation of the serial.
 */
export class IdSource {
  readonly #keys = new Int32Array(6)
  #last = 0
  #successor: IdSource | null = null

  constructor() {
    // Not imported at the top: loading node:crypto takes 5 ms, which a program that never traces should not pay.
    process.getBuiltinModule('node:crypto').randomFillSync(this.#keys)
  }

  /** Takes the next serial, or 0 when this source is used up and needs a successor. */
  next(): number {
    return this.#last === MAX_SERIAL ? 0 : ++this.#last
  }

  /** The source to go on with when this one is used up. */
  get successor(): IdSource {
    return (this.#successor ??= new IdSource())
  }

  /** Word 0 (most significant) to 3 of the trace id that starts with `serial`, as signed 32 bits. */
  traceWord(serial: number, word: number): number {
    return mix(Math.imul(serial, 0x9e3779b1) ^ this.#keys[word]!)
  }

  spanHigh(serial: number): number {
    return mix(Math.imul(serial, 0x9e3779b1) ^ this.#keys[4]!)
  }

  /** Never zero together with {@link spanHigh}: an all-zero span id means "none". */
  spanLow(serial: number): number {
    return mix(Math.imul(serial, 0x9e3779b1) ^ this.#keys[5]!) || 1
  }
}

/** A bijection of 32 bits with low bias (C. Wellons, hash-prospector, "triple-round"-class constants). */
function mix(value: number): number {
  value = Math.imul(value ^ (value >>> 16), 0x21f0aaad)
  value = Math.imul(value ^ (value >>> 15), 0x735a2d97)
  return value ^ (value >>> 15)
}
