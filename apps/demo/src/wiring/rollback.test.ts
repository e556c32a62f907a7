import { Registry } from '@millrace/perf-metrics'
import { Guard } from '@millrace/perf-metrics/guard'
import { MemoryExporter, Tracer } from '@millrace/tracer'
import { expect, test } from 'vitest'

test('a guard that trips rolls the tracer back to its plain path, and forward when it recovers', async () => {
  await using tracer = new Tracer({ exporter: new MemoryExporter(), signals: [] })
  const metrics = new Registry()
  const failures = metrics.gauge('failure_share')
  using guard = new Guard(metrics, {
    rules: [
      {
        name: 'Failures',
        type: 'threshold',
        metric: 'failure_share',
        above: 0.01,
        for: 0,
        recoverAfter: 0,
      },
    ],
    onTrip: () => tracer.setOptimized(0),
    onRecover: () => tracer.setOptimized(100),
  })
  const unpooled = (): number => {
    tracer.startSpan('work').end()
    return tracer.stats().unpooled
  }
  guard.evaluate()
  expect(unpooled()).toBe(0)
  failures.set(0.5)
  guard.evaluate()
  expect(unpooled()).toBe(1)
  failures.set(0)
  guard.evaluate()
  expect(unpooled()).toBe(1)
})
