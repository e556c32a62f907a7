import assert from 'node:assert/strict'
import type { Prepare } from '../../../define.ts'
import type { CreateCache } from '../contenders/caches.ts'
import { keysOf, readsOf, type Shape, usual, zipf } from './keys.ts'

export interface GetOrSetResult {
  readonly reads: number
  readonly misses: number
  /** Reads that gave another value than was set. */
  readonly wrong: number
}

/** Reads of one run. */
const operations = 100_000
/** Ten keys for each entry; two for a million, as making so many keys would take longer than reading them. */
const distinctOf = ({ entries }: Shape): number => Math.min(entries * 10, 2_000_000)

/**
 * Reads keys by a Zipf law through a cache that holds a tenth of them (a million: half of them), and sets what it misses. The
 * cache is filled first, with the popular keys last. A run goes on where the last one ended.
 */
export const getOrSet =
  (create: CreateCache, shape: Shape = usual): Prepare<GetOrSetResult> =>
  async () => {
    const { entries } = shape
    const cache = await create({ entries })
    const distinct = distinctOf(shape)
    const names = keysOf(shape, distinct)
    for (let index = entries - 1; index >= 0; index--) cache.set(names[index]!, index)
    const order = zipf(Math.max(2 * operations, entries), distinct).slice()
    const own = shape.anew ? readsOf(shape, names, order) : undefined
    const result = { reads: operations, misses: 0, wrong: 0 }
    let at = 0
    return {
      operations,
      run() {
        let misses = 0
        let wrong = 0
        for (let i = at; i < at + operations; i++) {
          const index = order[i]!
          const key = own === undefined ? names[index]! : own[i]!
          const value = cache.get(key)
          if (value === undefined) {
            misses++
            cache.set(key, index)
          } else if (value !== index) {
            wrong++
          }
        }
        at += operations
        if (at === order.length) {
          at = 0
          if (distinct < entries * 10) redrawTail(order, entries, distinct)
        }
        result.misses = misses
        result.wrong = wrong
        return result
      },
    }
  }

/**
 * Replaces the draws of keys beyond the first `entries`, which are almost equally rare, by draws of others: else a cache of a
 * million, which a lap does not turn over, would hold all keys of the next one.
 */
function redrawTail(order: Int32Array, entries: number, distinct: number): void {
  const tail = distinct - entries
  const shift = Math.floor(tail * 0.381_966)
  for (let i = 0; i < order.length; i++) {
    if (order[i]! >= entries) order[i] = entries + ((order[i]! - entries + shift) % tail)
  }
}

/** A cache of a tenth to a half of the keys misses that share of such reads, by its policy; else it is none, or has no bound. */
export function checkGetOrSet({ reads, misses, wrong }: GetOrSetResult): void {
  assert.equal(wrong, 0)
  assert.ok(misses > 0.02 * reads && misses < 0.65 * reads, `${misses} misses in ${reads} reads`)
}
