import { Registry, type Timing } from '@millrace/perf-metrics'
import { collectRuntime, instrumentChannels } from '@millrace/perf-metrics/collect'
import { Tracer } from '@millrace/tracer'
import { instrument } from '@millrace/tracer/auto'
import { SlowestTrace } from '../report/slowest-trace.ts'

/** Operations whose durations the report shows, by the name of their metric. */
interface Timings {
  readonly facts: Timing
  readonly lookup: Timing
  readonly wait: Timing
  readonly request: Timing
}

/** What observes a run: metrics, traces, and the slowest of them. */
export interface Telemetry extends AsyncDisposable {
  readonly metrics: Registry
  readonly tracer: Tracer
  readonly timings: Timings
  readonly slowest: SlowestTrace
}

/** Name of the limiter in front of the registry. */
export const registryLimiter = 'registry'

export function createTelemetry(): Telemetry {
  const metrics = new Registry()
  const slowest = new SlowestTrace()
  // Signals are the program's business: it flushes everything, not only its traces.
  const tracer = new Tracer({ service: 'millrace-demo', exporter: slowest, signals: [] })
  const timing = (name: string, help: string) => metrics.timing(`demo_${name}_seconds`, { help })
  metrics.observe('demo_tracer', tracer)
  // The packages know nothing of tracer and metrics: both listen to the channels on which they publish.
  const metering = [collectRuntime(metrics), instrumentChannels(metrics)]
  const tracing = instrument(tracer, { httpServer: false, httpClient: false, undici: false })
  return {
    metrics,
    tracer,
    slowest,
    timings: {
      facts: timing('facts', 'Facts of a source file, by parsing it or from a copy of it'),
      lookup: timing('lookup', 'Answering for a package, from a cache or the registry'),
      request: timing('request', 'One request to the registry, waits and retries included'),
      // Measured by what the limiter publishes, as everything else of the packages is.
      wait: metrics
        .timing('millrace_limit_wait_seconds', { help: 'Waits for a permit', labels: ['limiter'] })
        .labels({ limiter: registryLimiter }),
    },
    async [Symbol.asyncDispose]() {
      tracing.close()
      await tracer.close()
      for (const registration of metering) registration.close()
      metrics.close()
    },
  }
}
