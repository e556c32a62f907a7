/**
 * Strings up to this length are read as a whole: reading its characters is most of what hashing one costs.
 * Benchmark case: cache "Zipf get-or-set, key strings built anew".
 */
const WHOLE = 128
/** Characters read from the two ends of a longer string. */
const ENDS = 64
/** Characters read from between. */
const SPREAD = 64

/**
 * Hashes keys to 32 bits for the policies that remember keys they no longer hold.
 *
 * Seeded at random per process, so that no outsider can prepare keys that collide: a multiplier
 * known to an attacker could be used to lend a worthless key the frequency of a popular one. Equal
 * keys (as `Map` compares them) hash equally; that different ones may collide costs a little hit
 * ratio, never a wrong value.
 */
export class KeyHasher {
  /** What makes the hashes differ from other processes'. */
  readonly seed: number
  readonly #multiplier: number
  /** Numbers given to objects, functions and symbols, which have nothing else to hash. */
  #identities: WeakMap<WeakKey, number> | undefined
  #nextIdentity = 1

  constructor(seed: number = (Math.random() * 2 ** 32) | 0) {
    this.seed = seed | 0
    this.#multiplier = Math.imul(seed ^ 0x9e3779b9, 0x85ebca6b) | 1
  }

  /** O(1): of strings longer than 128 characters, 128 are read. */
  hash(key: unknown): number {
    if (typeof key === 'string') return this.#string(key)
    if (typeof key === 'number') return this.#number(key)
    return this.#other(key)
  }

  #string(key: string): number {
    const multiplier = this.#multiplier
    const { length } = key
    let hash = this.seed ^ length
    if (length <= WHOLE) {
      for (let index = 0; index < length; index++) {
        hash = Math.imul(hash ^ key.charCodeAt(index), multiplier)
        hash ^= hash >>> 15
      }
      return mix(hash)
    }
    // Both ends, which tell most keys apart, and as much from between, evenly spread.
    const stride = (length - ENDS) / SPREAD
    for (let index = 0; index < ENDS / 2; index++) {
      hash = Math.imul(hash ^ key.charCodeAt(index), multiplier)
      hash = Math.imul(hash ^ key.charCodeAt(length - 1 - index), multiplier)
      hash ^= hash >>> 15
    }
    for (let index = 0; index < SPREAD; index++) {
      hash = Math.imul(hash ^ key.charCodeAt((ENDS / 2 + index * stride) | 0), multiplier)
      hash ^= hash >>> 15
    }
    return mix(hash)
  }

  #number(key: number): number {
    const integer = key | 0
    if (integer === key) return mix(Math.imul(integer ^ this.seed, this.#multiplier))
    float[0] = key
    return mix(Math.imul(words[0]! ^ this.seed, this.#multiplier) ^ words[1]!)
  }

  #other(key: unknown): number {
    switch (typeof key) {
      case 'object':
      case 'function':
      case 'symbol':
        if (key === null) return this.#number(-1.5)
        if (typeof key === 'symbol' && Symbol.keyFor(key) !== undefined) {
          return this.#string(Symbol.keyFor(key)!)
        }
        return this.#number(this.#identity(key as WeakKey))
      case 'bigint':
        return this.#string(key.toString(36))
      default:
        return this.#string(String(key))
    }
  }

  #identity(key: WeakKey): number {
    this.#identities ??= new WeakMap()
    let identity = this.#identities.get(key)
    if (identity === undefined) {
      identity = this.#nextIdentity++
      this.#identities.set(key, identity)
    }
    return identity
  }
}

const float = new Float64Array(1)
const words = new Int32Array(float.buffer)

/** Finalizer of MurmurHash3: every input bit reaches every output bit. */
function mix(hash: number): number {
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35)
  return hash ^ (hash >>> 16)
}
