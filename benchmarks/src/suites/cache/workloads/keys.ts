/** What kind of keys a workload uses: strings of about 20 characters, none of them an array index, or small integers. */
export type KeyKind = 'strings' | 'integers'

/** Key number `index`, a string made anew each time. */
function keyOf(kind: KeyKind, index: number): string | number {
  return kind === 'strings' ? `user:profile:${index}` : index
}

/** Keys 0 to `count - 1`. */
export function keysOf({ kind }: Shape, count: number): (string | number)[] {
  return Array.from({ length: count }, (_, index) => keyOf(kind, index))
}

/**
 * The keys with these numbers, to be read one after the other: the very objects of `stored`, or strings of their own, as each
 * request to a server brings one. A `Map` finds the former by their address and has to compare the characters of the latter.
 */
export function readsOf(
  { kind, anew = false }: Shape,
  stored: readonly (string | number)[],
  order: Int32Array,
): (string | number)[] {
  return Array.from(order, index => (anew ? keyOf(kind, index) : stored[index]!))
}

export interface Shape {
  /** Entries that the cache holds. */
  readonly entries: number
  readonly kind: KeyKind
  /** Whether reads bring other string objects than those that were stored. Default: no. */
  readonly anew?: boolean
}

/** A shape in the name of a case. */
export function shapeLabel({ entries, kind, anew = false }: Shape): string {
  return `${entries.toLocaleString('en-US')} ${kind}${anew ? ' built anew' : ''}`
}

/** One round each in a short run: there are many. A million integers, which take seconds to fill, are for full runs. */
export function quickRoundsOf({ entries, kind }: Shape): number {
  return entries === 1_000_000 && kind === 'integers' ? 0 : 1
}

export const usual: Shape = { entries: 10_000, kind: 'strings' }
export const usualAnew: Shape = { ...usual, anew: true }

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

const drawn = new Map<string, Int32Array>()

/** Indexes below `count` by a Zipf law: number n is drawn in proportion to 1 / (n + 1)^exponent. Drawn once per process. */
export function zipf(draws: number, count: number, exponent = 0.99): Int32Array {
  const name = `${draws} of ${count} by ${exponent}`
  const known = drawn.get(name) ?? drawZipf(draws, count, exponent, 1)
  drawn.set(name, known)
  return known
}

function drawZipf(draws: number, count: number, exponent: number, seed: number): Int32Array {
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
