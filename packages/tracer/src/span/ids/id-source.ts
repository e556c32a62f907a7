/** Serial numbers go this far from zero: they stay small integers, and zero can mean "none". */
const MAX_SERIAL = 0x7fff_fffe

/** The sources that tracers take from: the newest one of positive serials, and of negative ones. */
const shared: { up: IdSource | null; down: IdSource | null } = { up: null, down: null }

/**
 * Trace and span ids by counter (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3"): a span only takes
 * the next serial number, and its ids are six keyed bijections of it, computed when they are read. Most ids are read
 * once, by the encoder, as integers; the start of a span makes neither hex nor buffers.
 *
 * The keys come from the system's generator, so two processes share an id sequence with probability 2^-96, and within
 * one source no two trace ids are equal, as each word is a permutation of the serial.
 *
 * All tracers of a process take from one source. When it is used up, another one follows that counts the other way, so that the sign of
 * a serial tells which of the two it is of.
 */
export class IdSource {
  readonly #keys = new Int32Array(6)
  readonly #step: 1 | -1
  #last: number
  #successor: IdSource | null = null

  /**
   * @param step 1 for positive serials, -1 for negative ones
   * @param used serials that are taken to be used already
   */
  constructor(step: 1 | -1 = 1, used = 0) {
    // Not imported at the top: loading node:crypto takes longer than all of this package, and a program that never traces does not need it.
    process.getBuiltinModule('node:crypto').randomFillSync(this.#keys)
    this.#step = step
    this.#last = used * step
  }

  /** The source that a new tracer takes from. */
  static shared(): IdSource {
    return (shared.up ??= new IdSource())
  }

  /** The source that gave `serial`, unless more than two billion have been taken since. */
  static of(serial: number): IdSource {
    return (serial > 0 ? shared.up : shared.down) ?? IdSource.shared()
  }

  /** Takes the next serial, or 0 when this source is used up and needs a successor. */
  next(): number {
    if (this.#last === MAX_SERIAL * this.#step) return 0
    return (this.#last += this.#step)
  }

  /** The source to go on with when this one is used up. */
  get successor(): IdSource {
    if (this.#successor === null) {
      const next = new IdSource(this.#step === 1 ? -1 : 1)
      if (shared.up === this) shared.down = next
      else if (shared.down === this) shared.up = next
      this.#successor = next
    }
    return this.#successor
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
