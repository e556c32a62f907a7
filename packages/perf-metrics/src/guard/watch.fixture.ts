import { VirtualClock } from '@millrace/testkit'
import { Guard, type Rule } from '../guard.ts'
import { Registry } from '../index.ts'

/** A guard of one rule over a registry on a virtual clock. */
export interface Watch {
  clock: VirtualClock
  metrics: Registry
  guard: Guard
  /** Trips and recoveries, in order. */
  log: string[]
  /** Lets so many seconds pass, and calls `each` in every one of them. */
  run(seconds: number, each: () => void): void
}

export function watch(rule: Rule): Watch {
  const clock = new VirtualClock(1_000_000)
  const metrics = new Registry({ clock })
  const log: string[] = []
  const guard = new Guard(metrics, {
    rules: [rule],
    clock,
    onTrip: ({ rule }) => {
      log.push(`trip ${rule.name}`)
    },
    onRecover: ({ rule }) => {
      log.push(`recover ${rule.name}`)
    },
  })
  const run = (seconds: number, each: () => void): void => {
    for (let second = 1; second <= seconds; second++) {
      each()
      // In steps of five, or what is left: guards look every ten seconds.
      if (second % 5 === 0) clock.advance(5000)
    }
    clock.advance((seconds % 5) * 1000)
  }
  return { clock, metrics, guard, log, run }
}
