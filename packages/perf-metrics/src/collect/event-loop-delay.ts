import { type Histogram, performance } from 'node:perf_hooks'
import type { Registry } from '../registry/registry.ts'

/** Milliseconds that the statistics cover at least, so that two scrapers do not halve them. */
const DELAY_WINDOW = 10_000

/**
 * The gauges of event-loop delay, and what brings them up to date from `monitor`.
 *
 * @param monitor nanoseconds from one tick of the monitor to the next, as `monitorEventLoopDelay` keeps them
 * @param resolution milliseconds between two ticks of a loop that is never late
 * @param now milliseconds from any origin
 */
export function delayReading(
  metrics: Registry,
  monitor: Histogram,
  resolution: number,
  now: () => number = () => performance.now(),
): () => void {
  const gauge = (name: string, what: string) =>
    metrics.gauge(`nodejs_eventloop_lag${name}_seconds`, { help: `Event-loop delay, ${what}` })
  const mean = gauge('', 'mean')
  const min = gauge('_min', 'least')
  const max = gauge('_max', 'most')
  const deviation = gauge('_stddev', 'standard deviation')
  const percentiles = [50, 90, 99].map(p => ({ p, gauge: gauge(`_p${p}`, `percentile ${p}`) }))
  let since = now()
  const late = (nanoseconds: number): number => Math.max(0, nanoseconds / 1e9 - resolution / 1e3)
  return () => {
    if (monitor.count === 0) return
    mean.set(late(monitor.mean))
    min.set(late(monitor.min))
    max.set(late(monitor.max))
    deviation.set(monitor.stddev / 1e9)
    for (const { p, gauge } of percentiles) gauge.set(late(monitor.percentile(p)))
    if (now() - since < DELAY_WINDOW) return
    monitor.reset()
    since = now()
  }
}
