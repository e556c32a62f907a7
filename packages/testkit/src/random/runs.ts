/**
 * How many runs a property test makes: `count` times MILLRACE_TEST_SCALE (default 1), at least one. A quick check sets
 * the scale below 1, a night run far above it.
 */
export function runs(count: number): number {
  return Math.max(1, Math.round(count * testScale()))
}

/** MILLRACE_TEST_SCALE, 1 where it is not set. */
export function testScale(): number {
  const text = process.env.MILLRACE_TEST_SCALE
  const scale = text === undefined || text === '' ? 1 : Number(text)
  if (!(scale > 0 && Number.isFinite(scale))) {
    throw new RangeError(`Expected MILLRACE_TEST_SCALE to be a number above 0, got ${text}`)
  }
  return scale
}
