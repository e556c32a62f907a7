import { Registry } from '@millrace/perf-metrics'
import { Guard, type Rule } from '@millrace/perf-metrics/guard'
import { seededRandom, VirtualClock } from '@millrace/testkit'
import type { Level } from './levels.ts'
import type { Load } from './loads.ts'
import type { Random } from './random.ts'

/** Seconds between two evaluations. */
export const INTERVAL = 10

interface Run {
  readonly seed: number
  readonly seconds: number
  /** Ends at the first trip after this second. Default: goes on */
  readonly until?: number
}

/** Seconds at which a real guard tripped on durations in a real registry, of about `perSecond` operations a second. */
export function tripsOnLoad(load: Load, perSecond: number, run: Run): number[] {
  const rule: Rule = { name: 'Slower', type: 'regression', metric: 'work_seconds' }
  return drive(rule, run, (metrics, random) => {
    const histogram = metrics.histogram('work_seconds')
    const draws = load.start(random)
    return second => {
      const draw = draws(second)
      const operations = perSecond * (load.rate?.(second) ?? 1)
      // As whole a number as the rate is on average.
      const count = Math.floor(operations) + (random() < operations % 1 ? 1 : 0)
      for (let i = 0; i < count; i++) histogram.observe(draw())
    }
  })
}

/** The same for a gauge that is read every ten seconds. */
export function tripsOnLevel(level: Level, run: Run): number[] {
  const rule: Rule = { name: 'Leak', type: 'leak', metric: 'heap_bytes' }
  return drive(rule, run, (metrics, random) => {
    const gauge = metrics.gauge('heap_bytes')
    const read = level.start(random)
    return second => {
      const value = read(second)
      if (second % INTERVAL === 0) gauge.set(value)
    }
  })
}

/** Requests of which a share fails, by the second. */
export interface Traffic {
  readonly name: string
  readonly perSecond: number
  failing(second: number): number
}

/** The same for an objective of 99.9 %. */
export function tripsOnFailures({ perSecond, failing }: Traffic, run: Run): number[] {
  const rule: Rule = {
    name: 'Budget',
    type: 'burn-rate',
    objective: 0.999,
    errors: { metric: 'errors_total' },
    total: [{ metric: 'requests_total' }],
  }
  return drive(rule, run, (metrics, random) => {
    const errors = metrics.counter('errors_total')
    const requests = metrics.counter('requests_total')
    return second => {
      const count = Math.floor(perSecond) + (random() < perSecond % 1 ? 1 : 0)
      requests.inc(count)
      for (let i = 0; i < count; i++) if (random() < failing(second)) errors.inc()
    }
  })
}

function drive(
  rule: Rule,
  { seed, seconds, until = Infinity }: Run,
  setUp: (metrics: Registry, random: Random) => (second: number) => void,
): number[] {
  const clock = new VirtualClock(1_700_000_000_000)
  const metrics = new Registry({ clock })
  const each = setUp(metrics, seededRandom(seed))
  const trips: number[] = []
  let second = 0
  const guard = new Guard(metrics, {
    clock,
    interval: INTERVAL * 1000,
    rules: [rule],
    onTrip: () => {
      trips.push(second)
    },
  })
  while (second < seconds && !(trips.at(-1)! >= until)) {
    each(second)
    second++
    // Nothing looks in between.
    if (second % INTERVAL === 0) clock.advance(INTERVAL * 1000)
  }
  guard.close()
  metrics.close()
  return trips
}
