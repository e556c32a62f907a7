/**
 * The buckets of an exponential histogram, and the search for a value's bucket without a logarithm.
 *
 * Schema `s` has `2^s` buckets per power of two. Bucket `i` holds the values `(2^((i-1)/2^s), 2^(i/2^s)]`: the index
 * names the upper bound, as in Prometheus' native histograms. OpenTelemetry counts the same buckets from one less.
 * (`ceil(log2(v) * 2^s)` puts values next to a bound in the wrong bucket; comparing with the bound cannot.)
 */

/** The finest schema kept: 32 buckets per power of two, each 2.2 % wide. */
export const FINEST_SCHEMA = 5
/** The coarsest schema that Prometheus and OpenTelemetry's conversion rules accept. */
export const COARSEST_SCHEMA = -4
/** Values up to this count as zero: Prometheus' default zero threshold, `2^-128`. */
export const ZERO_THRESHOLD: number = 2 ** -128

const PER_OCTAVE = 1 << FINEST_SCHEMA
/** `2^(k/32)` for k = 0 … 32, each the double nearest to the real number. */
export const OCTAVE: Float64Array = octaveBounds()

function octaveBounds(): Float64Array {
  // Integer square roots of 2 with 240 fractional bits: five of them give 2^(1/32), whose powers round correctly.
  const bits = 240n
  let root = 2n << bits
  for (let i = 0; i < FINEST_SCHEMA; i++) root = squareRoot(root << bits)
  const bounds = new Float64Array(PER_OCTAVE + 1)
  let power = 1n << bits
  for (let k = 0; k <= PER_OCTAVE; k++) {
    // Dropping 176 bits leaves 64, which Number() rounds to 53.
    bounds[k] = Number(power >> 176n) / 2 ** 64
    power = (power * root) >> bits
  }
  bounds[PER_OCTAVE] = 2
  return bounds
}

function squareRoot(n: bigint): bigint {
  let x = 1n << (BigInt(n.toString(16).length) * 2n + 2n)
  for (;;) {
    const next = (x + n / x) >> 1n
    if (next >= x) return x
    x = next
  }
}

const DOUBLE = new Float64Array(1)
const WORDS = new Uint32Array(DOUBLE.buffer)

/** Upper and lower words of the mantissas of {@link OCTAVE}, to compare with in integers. */
export const BOUND_HIGH: Uint32Array = new Uint32Array(PER_OCTAVE + 1)
export const BOUND_LOW: Uint32Array = new Uint32Array(PER_OCTAVE + 1)
/** By the ten leading mantissa bits: the first bucket of the octave that a value with them can be in. */
export const FIRST_BUCKET: Uint8Array = new Uint8Array(1024)

for (let k = 0; k < PER_OCTAVE; k++) {
  DOUBLE[0] = OCTAVE[k]!
  BOUND_HIGH[k] = WORDS[1]! & 0xfffff
  BOUND_LOW[k] = WORDS[0]!
}
// No mantissa is above the last bound, which is 2.
BOUND_HIGH[PER_OCTAVE] = 0xfffff
BOUND_LOW[PER_OCTAVE] = 0xffffffff
for (let cell = 0, k = 0; cell < 1024; cell++) {
  while (OCTAVE[k]! < 1 + cell / 1024) k++
  FIRST_BUCKET[cell] = k
}

/**
 * Index of the bucket of `value` in the finest schema. `value` must be above {@link ZERO_THRESHOLD} and finite. O(1):
 * one table look-up and one comparison, as neighbouring bounds are never less than 1/1024 apart.
 */
export function finestIndex(value: number): number {
  DOUBLE[0] = value
  const high = WORDS[1]!
  const mantissa = high & 0xfffff
  let k = FIRST_BUCKET[mantissa >>> 10]!
  const bound = BOUND_HIGH[k]!
  if (mantissa > bound || (mantissa === bound && WORDS[0]! > BOUND_LOW[k]!)) k++
  return ((high >>> 20) - 1023) * PER_OCTAVE + k
}

/** The bucket of schema `FINEST_SCHEMA - shift` that holds bucket `index` of the finest schema. */
export function coarsen(index: number, shift: number): number {
  return 0 - (-index >> shift)
}

/** Upper bound of bucket `index` of `schema`. */
export function upperBound(index: number, schema: number): number {
  const finest = schema >= FINEST_SCHEMA ? index : index * 2 ** (FINEST_SCHEMA - schema)
  const octave = Math.floor(finest / PER_OCTAVE)
  return OCTAVE[finest - octave * PER_OCTAVE]! * 2 ** octave
}

/** Largest relative error of a quantile read from buckets of `schema`: half a bucket, in the geometric sense. */
export function quantileError(schema: number): number {
  return 2 ** (1 / 2 ** (schema + 1)) - 1
}
