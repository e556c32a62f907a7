/** What kind of keys a workload uses. */
export type KeyKind = 'strings' | 'integers'

/** Keys as applications make them: about 20 characters, none of them an array index. */
export function keys(count: number): string[] {
  return Array.from({ length: count }, (_, index) => `user:profile:${index}`)
}

/** Key number `index`, a string made anew each time, as each request to a server brings its own. */
export function keyOf(kind: KeyKind, index: number): string | number {
  return kind === 'strings' ? `user:profile:${index}` : index
}

export interface Shape {
  /** Entries that the cache holds. */
  readonly entries: number
  readonly kind: KeyKind
}

export const usual: Shape = { entries: 10_000, kind: 'strings' }

/** Numbers from 0 to 1, the same ones in every process (mulberry32). */
export function randomNumbers(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296
  }
}

/** Indexes below `count` by a Zipf law: number n is drawn in proportion to 1 / (n + 1)^exponent. */
export function zipf(draws: number, count: number, exponent = 0.99, seed = 1): Int32Array {
  const cumulative = new Float64Array(count)
  let total = 0
  for (let n = 0; n < count; n++) {
    total += (n + 1) ** -exponent
    cumulative[n] = total
  }
  const random = randomNumbers(seed)
  return Int32Array.from({ length: draws }, () => firstAbove(cumulative, random() * total))
}

function firstAbove(cumulative: Float64Array, value: number): number {
  let [low, high] = [0, cumulative.length - 1]
  while (low < high) {
    const middle = (low + high) >> 1
    if (cumulative[middle]! > value) high = middle
    else low = middle + 1
  }
  return low
}
