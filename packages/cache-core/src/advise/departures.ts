import type { RemovalReason } from '../kernel/entry.ts'
import type { KeyHasher } from '../key/key-hasher.ts'

/**
 * Why a key is not there: why its entry was removed, or why there was none to store:
 * - `refused`: it is heavier than the cache, or admission was stopped
 * - `discarded`: the key was invalidated or set while its value loaded
 * - `failed`: its load failed
 */
export type DepartureReason =
  | Exclude<RemovalReason, 'replaced'>
  | 'refused'
  | 'discarded'
  | 'failed'

const REASONS: readonly DepartureReason[] = [
  'evicted',
  'expired',
  'deleted',
  'invalidated',
  'cleared',
  'resized',
  'refused',
  'discarded',
  'failed',
]
const REASON_MASK = 15

/**
 * Remembers why keys left, without keeping them: one word per key in a table twice as large as the
 * cache, which the next key of the same place overwrites. 28 bits of the hash tell keys apart, so
 * one explanation in hundreds of millions is another key's.
 */
export class Departures<K> {
  readonly #hasher: KeyHasher
  readonly #words: Uint32Array

  constructor(hasher: KeyHasher, entries: number) {
    this.#hasher = hasher
    this.#words = new Uint32Array(2 ** Math.ceil(Math.log2(Math.max(64, entries * 2))))
  }

  /** O(1). */
  note(key: K, reason: DepartureReason): void {
    const hash = this.#hasher.hash(key)
    // 0 is an empty place, so reasons count from 1.
    this.#words[this.#place(hash)] = (hash & ~REASON_MASK) | (REASONS.indexOf(reason) + 1)
  }

  /** Why the key left last, if that is still known. O(1). */
  reason(key: K): DepartureReason | undefined {
    const hash = this.#hasher.hash(key)
    const word = this.#words[this.#place(hash)]!
    if (((word ^ hash) & ~REASON_MASK) !== 0) return undefined
    return REASONS[(word & REASON_MASK) - 1]
  }

  clear(): void {
    this.#words.fill(0)
  }

  #place(hash: number): number {
    return Math.imul(hash, 0x9e3779b1) >>> (32 - Math.log2(this.#words.length))
  }
}
