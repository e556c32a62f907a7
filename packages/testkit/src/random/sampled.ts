import { testScale } from './runs.ts'
import { seededRandom } from './seeded-random.ts'

const random = seededRandom(1)

/**
 * The cells of a large table of cases that a run tries: about `share` of them times MILLRACE_TEST_SCALE, at least one, all once
 * that reaches 1. Each call draws others, so that nested tables are covered evenly; a program draws the same in each run.
 *
 * @param share from 0 to 1; default 1: all, unless the scale is below 1
 */
export function sampled<T>(cases: readonly T[], share = 1): T[] {
  const wanted = Math.max(1, Math.round(cases.length * share * testScale()))
  const chosen: T[] = []
  cases.forEach((one, index) => {
    // Selection sampling (Knuth, The Art of Computer Programming 2, 3.4.2, algorithm S): keeps the order.
    if (random() * (cases.length - index) < wanted - chosen.length) chosen.push(one)
  })
  return chosen
}
