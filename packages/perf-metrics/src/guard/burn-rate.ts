import { binomialTail } from '../statistics/binomial.ts'
import { type Evaluator, type Finding, UNKNOWN } from './finding.ts'
import { History } from './history.ts'
import { type BurnRateRule, DEFAULT_BURN_WINDOWS } from './rules.ts'
import { RunningTotal } from './select.ts'

/** How probable so many failures may be by chance, in a service that spends its budget exactly. */
const ALPHA = 1e-4

/**
 * Whether an error budget is spent faster than its period allows, over a long window and a short one at once (Site Reliability Workbook,
 * chapter 5, "Multiwindow, Multi-Burn-Rate Alerts"). With little traffic a single failure is a high rate: failures must be too many for
 * chance as well.
 */
export function burnRate(rule: BurnRateRule): Evaluator {
  const { windows = DEFAULT_BURN_WINDOWS, minimum = 20 } = rule
  const longest = Math.max(...windows.map(({ long }) => long))
  const budget = 1 - rule.objective
  const [failed, all] = [new RunningTotal([rule.errors]), new RunningTotal(rule.total)]
  const errors = new History(longest)
  const whole = new History(longest)
  return {
    evaluate(families, now) {
      errors.add(now, failed.read(families))
      whole.add(now, all.read(families))
      const count = (window: number): { failed: number; of: number } => ({
        failed: errors.increase(window, now),
        of: whole.increase(window, now),
      })
      let worst: Finding | undefined
      for (const { long, short, factor } of windows) {
        const over = count(long)
        const lately = count(short)
        if (lately.of < minimum) continue
        const value = Math.min(over.failed / over.of, lately.failed / lately.of) / budget
        const holds = value > factor && binomialTail(over.failed, over.of, budget) < ALPHA
        const worse = worst === undefined || value / factor > worst.value / worst.limit
        if (holds || (worse && !worst?.holds)) worst = { holds, value, limit: factor }
      }
      return worst ?? UNKNOWN
    },
  }
}
