import { VirtualClock } from '@millrace/testkit'
import { Registry } from '../index.ts'

export const NOW = 1_700_000_000_000.25
export const span = { traceId: '0af7651916cd43dd8448eb211c80319c', spanId: 'b7ad6b7169203331' }

/** A metric of each kind, as of {@link NOW}. */
export function sample(): Registry {
  const metrics = new Registry({ clock: new VirtualClock(NOW), activeSpan: () => span })
  metrics.counter('requests_total', { labels: ['method'] }).inc({ method: 'GÉT "\n' }, 3)
  metrics.gauge('temperature_celsius').set(-4.5)
  metrics.upDownCounter('open').inc(7)
  const sizes = metrics.histogram('size_bytes', { buckets: [10, 100] })
  for (const value of [0, 1, 5, 50, 500, 5000]) sizes.observe(value)
  return metrics
}
