import { type Trace, toTrace } from './trace.ts'

export interface SyntheticStream {
  readonly name: string
  /** Capacities in entries at which the policies are compared. */
  readonly capacities: readonly number[]
  reads(): Iterable<number>
}

/** Numbers from 0 to 1, the same ones in every run. */
type Random = () => number

const length = 300_000

/**
 * Patterns made by a formula, on which no constant of a policy was tuned: skew, loops, scans, drift and recency, alone and
 * mixed. Real traces are never as pure; what is lost here shows what a policy cannot see.
 */
export const synthetic: readonly SyntheticStream[] = [
  ...[0.7, 0.9, 1.1].map(exponent => ({
    name: `Zipf ${exponent}`,
    capacities: [200, 2000],
    reads: () => zipf(20_000, exponent, randomNumbers(1)),
  })),
  {
    name: 'Zipf 0.9, popularity drifts',
    capacities: [500, 2000],
    reads: () => drifting(20_000, 0.9, 20),
  },
  {
    name: 'Zipf 0.9, new keys every 50,000 reads',
    capacities: [500, 2000],
    reads: () => phases(10_000, 0.9, 50_000),
  },
  {
    name: 'Zipf 0.9 with scans of 2,000 keys',
    capacities: [500, 2000],
    reads: () => scanned(10_000, 0.9, 2000, 8000),
  },
  { name: 'loop over 1,200 keys', capacities: [800, 1000, 1300], reads: () => loop(1200) },
  {
    name: 'loop over 1,200 keys, each third read by Zipf 0.9',
    capacities: [500, 1000],
    reads: () => loopWithZipf(1200),
  },
  {
    name: 'back and forth over 1,700 keys',
    capacities: [425, 850],
    reads: () => backAndForth(1700),
  },
  {
    name: 'back and forth over 3,000 keys',
    capacities: [500, 1500],
    reads: () => backAndForth(3000),
  },
  { name: 'recency, depth about 300', capacities: [200, 500], reads: () => recency(300) },
  { name: 'recency, depth about 2,000', capacities: [500, 2000], reads: () => recency(2000) },
  {
    name: 'each key read twice, 400 reads apart',
    capacities: [256, 512],
    reads: () => twice(400, 0),
  },
]

/**
 * Streams that the sums leave out: what another one of them is when the cache comes to it later, so that no policy profits from having
 * been empty when it began.
 */
export const fromTheMiddle: readonly SyntheticStream[] = [
  {
    name: 'each key read twice, 400 reads apart, from its middle',
    capacities: [256, 512],
    reads: () => twice(400, length / 2),
  },
]

/** @throws {Error} if there is none of that name */
export function streamNamed(name: string): SyntheticStream {
  const found = [...synthetic, ...fromTheMiddle].find(stream => stream.name === name)
  if (found === undefined) throw new Error(`There is no stream ${name}`)
  return found
}

export function makeTrace({ name, reads }: SyntheticStream): Trace {
  return toTrace(name, reads(), length)
}

/** Rank n in proportion to 1 / (n + 1)^exponent. */
function ranks(count: number, exponent: number, random: Random): () => number {
  const cumulative = new Float64Array(count)
  let sum = 0
  for (let n = 0; n < count; n++) cumulative[n] = sum += (n + 1) ** -exponent
  return () => {
    const at = random() * sum
    let [low, high] = [0, count - 1]
    while (low < high) {
      const middle = (low + high) >> 1
      if (cumulative[middle]! > at) high = middle
      else low = middle + 1
    }
    return low
  }
}

function* zipf(count: number, exponent: number, random: Random): Generator<number> {
  const rank = ranks(count, exponent, random)
  for (let i = 0; i < length; i++) yield rank()
}

/** Every `period` reads the most popular key becomes another one and all others a little less popular. */
function* drifting(count: number, exponent: number, period: number): Generator<number> {
  const rank = ranks(count, exponent, randomNumbers(2))
  for (let i = 0; i < length; i++) yield rank() - Math.floor(i / period)
}

function* phases(count: number, exponent: number, period: number): Generator<number> {
  const rank = ranks(count, exponent, randomNumbers(3))
  for (let i = 0; i < length; i++) yield rank() + count * Math.floor(i / period)
}

/** Keys of a scan never come again. */
function* scanned(
  count: number,
  exponent: number,
  scan: number,
  between: number,
): Generator<number> {
  const rank = ranks(count, exponent, randomNumbers(4))
  for (let i = 0; i < length; i++) yield i % (scan + between) < scan ? count + i : rank()
}

function* loop(count: number): Generator<number> {
  for (let i = 0; i < length; i++) yield i % count
}

function* loopWithZipf(count: number): Generator<number> {
  const rank = ranks(10_000, 0.9, randomNumbers(5))
  let next = 0
  for (let i = 0; i < length; i++) yield i % 3 === 0 ? count + rank() : next++ % count
}

function* backAndForth(count: number): Generator<number> {
  const turn = 2 * count - 2
  for (let i = 0; i < length; i++) {
    const at = i % turn
    yield at < count ? at : turn - at
  }
}

/**
 * Reads the key that was read d different keys ago, d falling off exponentially; one read in ten is a new key. LRU is the best
 * that can be had without knowing the future.
 */
function* recency(depth: number): Generator<number> {
  const random = randomNumbers(6)
  const recent: number[] = []
  let fresh = 0
  for (let i = 0; i < length; i++) {
    const distance = Math.floor(-Math.log(1 - random()) * depth)
    const at = recent.length - 1 - distance
    const key = at < 0 || random() < 0.1 ? fresh++ : recent.splice(at, 1)[0]!
    recent.push(key)
    if (recent.length > depth * 20) recent.splice(0, depth)
    yield key
  }
}

/** @param from reads of the stream that were before */
function* twice(distance: number, from: number): Generator<number> {
  for (let i = from; i < from + length; i++) {
    yield i % 2 === 0 ? i : Math.max(0, i - 2 * distance + 1) & ~1
  }
}

function randomNumbers(seed: number): Random {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296
  }
}
