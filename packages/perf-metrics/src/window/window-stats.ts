import type { Series } from '../instrument/series.ts'
import { type Distribution, quantile } from '../store/distribution.ts'
import { LEAST_SPAN, ringOf, WINDOWS, type WindowRing } from './window-ring.ts'

/** A counter over a window. */
export interface WindowStats {
  /** How long the window is in fact, in ms: shorter than asked for while the series is younger, never below 1,000. */
  span: number
  /** By how much the counter rose, or how many values were observed. */
  count: number
  /** `count` per second. */
  rate: number
}

/** A histogram over a window. `NaN` where nothing was observed. */
export interface DistributionStats extends WindowStats {
  sum: number
  mean: number
  p50: number
  p90: number
  p95: number
  p99: number
  p999: number
}

/** The names of {@link WINDOWS} in exports. */
export const WINDOW_NAMES = ['1m', '5m', '15m'] as const

/** Statistics of a counter or histogram over the last `window` milliseconds; `undefined` for other types. */
export function windowStats(
  series: Series,
  window: number,
  now: number,
): WindowStats | DistributionStats | undefined {
  const ring = ringOf(series, now)
  if (ring === undefined) return undefined
  const { span, delta } = ring.view(window, now)
  return typeof delta === 'number'
    ? { span, count: delta, rate: (delta * 1000) / span }
    : distributionStats(delta, span)
}

/** By how much a counter or histogram rises per second over `window`, or since its start where no window is kept of it. */
export function windowRate(series: Series, window: number, now: number): number {
  const ring = series.window as WindowRing | undefined
  if (ring !== undefined) return ring.rate(window, now)
  return (series.mark() * 1000) / Math.max(LEAST_SPAN, now - series.begun)
}

export function distributionStats(d: Distribution, span: number): DistributionStats {
  return {
    span,
    count: d.count,
    rate: (d.count * 1000) / span,
    sum: d.sum,
    mean: d.sum / d.count,
    p50: quantile(d, 0.5),
    p90: quantile(d, 0.9),
    p95: quantile(d, 0.95),
    p99: quantile(d, 0.99),
    p999: quantile(d, 0.999),
  }
}

/** All windows of a series by name, `undefined` for types that have none. */
export function allWindows(
  series: Series,
  now: number,
): Record<(typeof WINDOW_NAMES)[number], WindowStats | DistributionStats> | undefined {
  const [minute, five, fifteen] = WINDOWS.map(window => windowStats(series, window, now))
  if (minute === undefined || five === undefined || fifteen === undefined) return undefined
  return { '1m': minute, '5m': five, '15m': fifteen }
}
