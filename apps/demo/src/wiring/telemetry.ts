import { Registry, type Timing } from '@millrace/perf-metrics'
import { collectRuntime, instrumentChannels } from '@millrace/perf-metrics/collect'
import { Tracer } from '@millrace/tracer'
import { SlowestTrace } from '../report/slowest-trace.ts'

/** Operations whose durations the report shows, by the name of their metric. */
export interface Timings {
  readonly stat: Timing
  readonly read: Timing
  readonly facts: Timing
  readonly lookup: Timing
  readonly wait: Timing
  readonly attempt: Timing
}

/** What observes a run: metrics, traces, and the slowest of them. */
export interface Telemetry extends AsyncDisposable {
  readonly metrics: Registry
  readonly tracer: Tracer
  readonly timings: Timings
  readonly slowest: SlowestTrace
}

export function createTelemetry(): Telemetry {
  const metrics = new Registry()
  const slowest = new SlowestTrace()
  // Signals are the program's business: it flushes everything, not only its traces.
  const tracer = new Tracer({ service: 'millrace-demo', exporter: slowest, signals: [] })
  const timing = (name: string, help: string) => metrics.timing(`demo_${name}_seconds`, { help })
  metrics.observe('demo_tracer', tracer)
  const collecting = [collectRuntime(metrics), instrumentChannels(metrics)]
  return {
    metrics,
    tracer,
    slowest,
    timings: {
      stat: timing('stat', 'Checking whether a source file changed'),
      read: timing('read', 'Reading and hashing a source file'),
      facts: timing('facts', 'Facts of a source file, by parsing it or from a copy of it'),
      lookup: timing('lookup', 'Answering for a package, from a cache or the registry'),
      wait: timing('limiter_wait', 'Waiting for the registry limiter'),
      attempt: timing('attempt', 'One HTTP attempt, from the wait for a permit to the last byte'),
    },
    async [Symbol.asyncDispose]() {
      await tracer.close()
      for (const registration of collecting) registration.remove()
      metrics[Symbol.dispose]()
    },
  }
}
