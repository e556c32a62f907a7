/** One counter or histogram with three labels, as each library offers it. */

export type LabelSet = { readonly method: string; readonly route: string; readonly status: string }

export interface CounterLibrary {
  /** Adds one by label object. */
  inc(labels: LabelSet): void
  /** Adds one to a series resolved before, with the least the library can get away with. */
  bind(labels: LabelSet): { inc(): void }
  /** The sum over all series, from the library's own export. */
  total(): number | Promise<number>
}

export interface HistogramLibrary {
  observe(labels: LabelSet, value: number): void
  bind(labels: LabelSet): { observe(value: number): void }
  /** Observations over all series, from the library's own export. */
  count(): number | Promise<number>
  /** The Prometheus text. */
  scrape(): string | Promise<string>
  /** The same as a server answers a scraper with it. */
  serve(): Promise<string | Uint8Array>
}

export interface MetricsLibrary {
  counter(): Promise<CounterLibrary>
  histogram(): Promise<HistogramLibrary>
}

const labelNames = ['method', 'route', 'status'] as const
/** The same eleven bounds everywhere. */
const buckets = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10]

export const millrace: MetricsLibrary = {
  async counter() {
    const { Registry } = await import('@millrace/perf-metrics')
    const metrics = new Registry()
    const counter = metrics.counter('requests_total', { labels: labelNames })
    return {
      inc: labels => counter.inc(labels),
      bind: labels => counter.labels(labels),
      total: () => sumOf(metrics.toPrometheus(), 'requests_total'),
    }
  },
  async histogram() {
    const { Registry } = await import('@millrace/perf-metrics')
    const metrics = new Registry({ maxSeries: 1_000_000 })
    const histogram = metrics.histogram('request_seconds', { labels: labelNames, buckets })
    return {
      observe: (labels, value) => histogram.observe(labels, value),
      bind: labels => histogram.labels(labels),
      count: () => sumOf(metrics.toPrometheus(), 'request_seconds_count'),
      scrape: () => metrics.toPrometheus(),
      serve: async () => (await metrics.scrape()).body,
    }
  },
}

interface PromClient {
  Registry: new () => { metrics(): Promise<string> }
  Counter: new (
    options: object,
  ) => {
    inc(labels: LabelSet): void
    labels(labels: LabelSet): { inc(): void }
  }
  Histogram: new (
    options: object,
  ) => {
    observe(labels: LabelSet, value: number): void
    labels(labels: LabelSet): { observe(value: number): void }
  }
}

function promClient(load: () => Promise<PromClient>): MetricsLibrary {
  return {
    async counter() {
      const { Registry, Counter } = await load()
      const registry = new Registry()
      const counter = new Counter({
        name: 'requests_total',
        help: 'requests',
        labelNames,
        registers: [registry],
      })
      return {
        inc: labels => counter.inc(labels),
        bind: labels => counter.labels(labels),
        total: async () => sumOf(await registry.metrics(), 'requests_total'),
      }
    },
    async histogram() {
      const { Registry, Histogram } = await load()
      const registry = new Registry()
      const histogram = new Histogram({
        name: 'request_seconds',
        help: 'durations',
        labelNames,
        buckets,
        registers: [registry],
      })
      return {
        observe: (labels, value) => histogram.observe(labels, value),
        bind: labels => histogram.labels(labels),
        count: async () => sumOf(await registry.metrics(), 'request_seconds_count'),
        scrape: () => registry.metrics(),
        serve: () => registry.metrics(),
      }
    },
  }
}

export const promClient15: MetricsLibrary = promClient(
  async () => (await import('prom-client')) as unknown as PromClient,
)
export const promClient16: MetricsLibrary = promClient(
  async () => (await import('@prometheus-io/client')) as unknown as PromClient,
)

/** OpenTelemetry has no bound instruments: the nearest is an attribute object made once. */
export const openTelemetry: MetricsLibrary = {
  async counter() {
    const { meter, collect } = await meterAndReader()
    const counter = meter.createCounter('requests')
    return {
      inc: labels => counter.add(1, labels),
      bind: labels => ({ inc: () => counter.add(1, labels) }),
      total: async () => (await collect()).reduce<number>((sum, v) => sum + (v as number), 0),
    }
  },
  async histogram() {
    const { meter, collect } = await meterAndReader()
    const histogram = meter.createHistogram('request', {
      unit: 's',
      advice: { explicitBucketBoundaries: buckets },
    })
    return {
      observe: (labels, value) => histogram.record(value, labels),
      bind: labels => ({ observe: value => histogram.record(value, labels) }),
      count: async () =>
        (await collect()).reduce<number>((sum, v) => sum + (v as { count: number }).count, 0),
      scrape: needsAnExporter,
      serve: needsAnExporter,
    }
  },
}

function needsAnExporter(): never {
  throw new Error('OpenTelemetry exports Prometheus text through a package of its own')
}

async function meterAndReader() {
  const { MeterProvider, MetricReader } = await import('@opentelemetry/sdk-metrics')
  class Reader extends MetricReader {
    protected override async onForceFlush(): Promise<void> {}
    protected override async onShutdown(): Promise<void> {}
  }
  const reader = new Reader()
  const meter = new MeterProvider({ readers: [reader] }).getMeter('bench')
  const collect = async (): Promise<unknown[]> => {
    const { resourceMetrics } = await reader.collect()
    return resourceMetrics.scopeMetrics.flatMap(scope =>
      scope.metrics.flatMap(metric => metric.dataPoints.map(point => point.value as unknown)),
    )
  }
  return { meter, collect }
}

function sumOf(text: string, sample: string): number {
  let sum = 0
  for (const line of text.split('\n')) {
    if (line.startsWith(`${sample}{`) || line.startsWith(`${sample} `)) {
      sum += Number(line.slice(line.lastIndexOf(' ') + 1))
    }
  }
  return sum
}
