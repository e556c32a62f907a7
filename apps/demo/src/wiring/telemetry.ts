import { Registry, type Timing } from '@millrace/perf-metrics'
import {
  CHANNEL_OPERATIONS,
  collectRuntime,
  instrumentChannels,
} from '@millrace/perf-metrics/collect'
import { OtlpMetricExporter } from '@millrace/perf-metrics/otlp'
import { type Exporter, Tracer } from '@millrace/tracer'
import { instrument } from '@millrace/tracer/auto'
import { OtlpTraceExporter } from '@millrace/tracer/otlp'
import type { DemoOptions } from '../options.ts'
import { SlowTraces } from '../report/slow-traces.ts'
import { BothExporters } from './both-exporters.ts'

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
  readonly slow: SlowTraces
}

/** Name of the limiter in front of the registry. */
export const registryLimiter = 'registry'

/** What is timed: of undici nothing, as every request goes through the pool, which says more of it. */
const operations = CHANNEL_OPERATIONS.filter(({ metric }) => !metric.startsWith('undici_'))

/** Ctrl-C waits no longer than that for a collector that does not answer, in ms. */
const PATIENCE = 2_000

/**
 * @param options of which `otlp` is the base URL of a collector that gets traces and metrics too; without `telemetry` nothing is taken,
 * and what is made here costs nothing
 * @param notice told once, when the collector does not take what it is sent
 */
export function createTelemetry(
  { otlp, telemetry: enabled }: Pick<DemoOptions, 'otlp' | 'telemetry'>,
  notice: (line: string) => void,
): Telemetry {
  const metrics = new Registry({ enabled })
  const slow = new SlowTraces()
  let told = false
  const onError = ({ message }: Error) => {
    if (!told) notice(`The collector at ${otlp?.host} does not take what it is sent (${message})`)
    told = true
  }
  // Signals are the program's business: it flushes everything, not only its traces.
  const tracer = new Tracer({
    enabled,
    service: 'millrace-demo',
    exporter: exporterOf(slow, otlp, onError),
    signals: [],
  })
  const pushing =
    otlp &&
    new OtlpMetricExporter(metrics, {
      url: endpoint(otlp, 'v1/metrics'),
      timeout: PATIENCE,
      onError,
    })
  const timing = (name: string, help: string) => metrics.timing(`demo_${name}_seconds`, { help })
  metrics.observe('demo_tracer', tracer)
  // The packages know nothing of tracer and metrics: both listen to the channels on which they publish.
  const metering = [
    collectRuntime(metrics),
    // The servers of this process are the page, and a registry that stands for somebody else's.
    instrumentChannels(metrics, { operations, httpServer: false }),
  ]
  const tracing = instrument(tracer, { httpServer: false, httpClient: false, undici: false })
  return {
    metrics,
    tracer,
    slow,
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
      await Promise.all([tracer.close(), pushing?.close()])
      for (const registration of metering) registration.close()
      metrics.close()
    },
  }
}

const endpoint = (base: URL, path: string): string =>
  new URL(path, base.href.endsWith('/') ? base : `${base.href}/`).href

/** The slowest traces are always kept; with a collector, everything is sent there as well. */
function exporterOf(
  slow: SlowTraces,
  otlp: URL | undefined,
  onError: (error: Error) => void,
): Exporter {
  if (otlp === undefined) return slow
  return new BothExporters(
    slow,
    new OtlpTraceExporter({
      url: endpoint(otlp, 'v1/traces'),
      timeout: PATIENCE,
      retry: { timeout: PATIENCE },
      onError,
    }),
  )
}
