import { countSpans } from './count-spans.ts'

/** Tracers behind the part of the Span interface that both libraries have. */

export interface BenchSpan {
  setAttribute(key: string, value: string | number): unknown
  end(): void
}

export interface BenchTracer {
  startSpan(name: string, options?: { attributes?: Record<string, string | number> }): BenchSpan
  /** Runs `fn` in an active span that ends with it. */
  active(name: string, fn: () => number): number
  /** A function whose every call is a span, for functions that are synchronous. */
  wrap(fn: (value: number) => number): (value: number) => number
  /** The number of spans that ended since the last call, counted in their bytes where there are any. */
  arrived(): number
}

/** What becomes of ended spans: nothing, or OTLP protobuf bytes in memory. */
export type Output = 'discard' | 'bytes'

export interface TracerLibrary {
  tracer(output: Output, sampled?: boolean): Promise<BenchTracer>
}

export interface MillraceOptions {
  optimized?: boolean
  lazy?: boolean
  pool?: number
}

export function millraceWith(options: MillraceOptions): TracerLibrary {
  return {
    async tracer(output, sampled = true) {
      const { alwaysOff, ratio, Tracer } = await import('@millrace/tracer')
      const { ProtobufEncoder } = await import('@millrace/tracer/otlp')
      const encoder = new ProtobufEncoder()
      encoder.open({ 'service.name': 'bench' })
      let chunks: Uint8Array[] = []
      let discarded = 0
      const bytes = output === 'bytes'
      const tracer = new Tracer({
        signals: [],
        sampler: sampled ? ratio(1) : alwaysOff,
        ...options,
        exporter: {
          write(span) {
            if (!bytes) {
              discarded++
              return
            }
            encoder.write(span)
            if (encoder.size >= 65_536) chunks.push(encoder.take())
          },
          send() {},
          flush: async () => {},
          close: async () => {},
          stats: () => ({ exported: 0, dropped: 0, queued: 0, queuedBytes: 0 }),
        },
      })
      return {
        startSpan: (name, spanOptions) => tracer.startSpan(name, spanOptions),
        active: (name, fn) => tracer.span(name, fn),
        wrap: fn => tracer.traced(fn, { name: 'wrapped', sync: true }),
        arrived() {
          tracer.flushSync()
          const spans = discarded
          discarded = 0
          if (!bytes) return spans
          if (encoder.size > 0) chunks.push(encoder.take())
          let counted = 0
          for (const chunk of chunks) {
            counted += countSpans(chunk)
            // As OtlpTraceExporter does once the collector has answered.
            encoder.giveBack(chunk)
          }
          chunks = []
          return counted
        },
      }
    },
  }
}

export const millrace: TracerLibrary = millraceWith({})

/**
 * OpenTelemetry's SDK with its AsyncLocalStorage context manager. The processor does what a BatchSpanProcessor does, in
 * batches of its default size, without timers and without dropping what a busy loop does not let it send.
 */
export const openTelemetry: TracerLibrary = {
  async tracer(output, sampled = true) {
    const { context } = await import('@opentelemetry/api')
    const { AlwaysOffSampler, AlwaysOnSampler, ParentBasedSampler, TracerProvider } = await import(
      '@opentelemetry/sdk-trace'
    )
    const { AsyncLocalStorageContextManager } = await import('@opentelemetry/context-async-hooks')
    const { ProtobufTraceSerializer } = await import('@opentelemetry/otlp-transformer')
    const { resourceFromAttributes } = await import('@opentelemetry/resources')
    context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable())
    type Readable = Parameters<typeof ProtobufTraceSerializer.serializeRequest>[0][number]
    let batch: Readable[] = []
    let chunks: Uint8Array[] = []
    let discarded = 0
    const encode = (): void => {
      if (batch.length > 0) chunks.push(ProtobufTraceSerializer.serializeRequest(batch)!)
      batch = []
    }
    const bytes = output === 'bytes'
    const provider = new TracerProvider({
      sampler: new ParentBasedSampler({
        root: sampled ? new AlwaysOnSampler() : new AlwaysOffSampler(),
      }),
      resource: resourceFromAttributes({ 'service.name': 'bench' }),
      spanProcessors: [
        {
          onStart() {},
          onEnd(span) {
            if (!bytes) {
              discarded++
              return
            }
            batch.push(span as Readable)
            if (batch.length === 512) encode()
          },
          forceFlush: async () => {},
          shutdown: async () => {},
        },
      ],
    })
    const tracer = provider.getTracer('bench')
    const active = (name: string, fn: () => number): number =>
      tracer.startActiveSpan(name, span => {
        try {
          return fn()
        } finally {
          span.end()
        }
      })
    return {
      startSpan: (name, options) => tracer.startSpan(name, options),
      active,
      wrap: fn => value => active('wrapped', () => fn(value)),
      arrived() {
        const spans = discarded
        discarded = 0
        if (!bytes) return spans
        encode()
        let counted = 0
        for (const chunk of chunks) counted += countSpans(chunk)
        chunks = []
        return counted
      },
    }
  },
}
