/**
 * The growth of a series' floor, in units per millisecond: the least of all values from a moment on, at the beginning and
 * after two thirds. Whatever is given back later does not count, so the teeth of a garbage collector whose major rounds
 * are minutes apart are no growth, where a fitted line and a test of trend see a rise while one tooth grows.
 */
export function floorGrowth(times: readonly number[], values: readonly number[]): number {
  const later = Math.floor((times.length * 2) / 3)
  const elapsed = times[later]! - times[0]!
  return elapsed > 0 ? (Math.min(...values.slice(later)) - Math.min(...values)) / elapsed : 0
}
