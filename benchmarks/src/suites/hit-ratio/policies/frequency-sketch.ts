/**
 * A count-min sketch of 4-bit counters, four rows, that halves all counters after a sample of increments: the popularity filter
 * of TinyLFU. G. Einziger, R. Friedman and B. Manes, "TinyLFU: A Highly Efficient Cache Admission Policy", TOS 2017.
 */
export class FrequencySketch {
  /** 16 words per block, 4 words per row, 8 counters per word. */
  readonly #words: Uint32Array
  readonly #blockMask: number
  readonly #sample: number
  #increments = 0

  constructor(capacity: number) {
    const counters = 2 ** Math.ceil(Math.log2(Math.max(capacity, 256)))
    // As many 64-bit words as counted entries, in blocks of 8.
    this.#words = new Uint32Array(counters * 2)
    this.#blockMask = counters / 8 - 1
    this.#sample = 10 * capacity
  }

  increment(id: number): void {
    const block = spread(id)
    const hash = spread(block)
    const start = (block & this.#blockMask) << 4
    let changed = false
    for (let row = 0; row < 4; row++) {
      const byte = hash >>> (row << 3)
      const word = start + (row << 2) + ((byte >>> 3) & 3)
      const shift = (byte & 7) << 2
      if (((this.#words[word]! >>> shift) & 15) < 15) {
        this.#words[word] = this.#words[word]! + (1 << shift)
        changed = true
      }
    }
    if (changed && ++this.#increments === this.#sample) this.#age()
  }

  frequency(id: number): number {
    const block = spread(id)
    const hash = spread(block)
    const start = (block & this.#blockMask) << 4
    let least = 15
    for (let row = 0; row < 4; row++) {
      const byte = hash >>> (row << 3)
      const word = this.#words[start + (row << 2) + ((byte >>> 3) & 3)]!
      least = Math.min(least, (word >>> ((byte & 7) << 2)) & 15)
    }
    return least
  }

  #age(): void {
    let odd = 0
    for (let at = 0; at < this.#words.length; at++) {
      const word = this.#words[at]!
      odd += bits(word & 0x11111111)
      this.#words[at] = (word >>> 1) & 0x77777777
    }
    this.#increments = (this.#increments - (odd >>> 2)) >>> 1
  }
}

/** Mixes the bits of an id (the 32-bit finalizer of MurmurHash3). */
function spread(id: number): number {
  let x = id + 0x9e3779b9
  x = Math.imul(x ^ (x >>> 16), 0x85ebca6b)
  x = Math.imul(x ^ (x >>> 13), 0xc2b2ae35)
  return (x ^ (x >>> 16)) >>> 0
}

function bits(word: number): number {
  let count = 0
  for (let rest = word; rest !== 0; rest &= rest - 1) count++
  return count
}
