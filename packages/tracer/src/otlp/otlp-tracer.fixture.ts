import { VirtualClock } from '@millrace/testkit'
import { expect } from 'vitest'
import type { SpanExportError } from '../export/span-export-error.ts'
import { Tracer } from '../tracer/tracer.ts'
import type { OtlpTraceExporterOptions } from './otlp-options.ts'
import { OtlpTraceExporter } from './otlp-trace-exporter.ts'

/** A tracer over an exporter on a virtual clock. */
export interface OtlpTracer {
  readonly clock: VirtualClock
  /** What the exporter was told of. */
  readonly errors: SpanExportError[]
  readonly tracer: Tracer
  /** Starts and ends so many spans, `s0` and on. */
  spans(count: number, from?: number): void
}

export function otlpTracer(options: OtlpTraceExporterOptions): OtlpTracer {
  const clock = new VirtualClock()
  const errors: SpanExportError[] = []
  const exporter = new OtlpTraceExporter({
    clock,
    onError: error => errors.push(error),
    ...options,
  })
  const tracer = new Tracer({ service: 'shop', exporter, signals: [] })
  const spans = (count: number, from = 0) => {
    for (let i = from; i < from + count; i++) tracer.startSpan(`s${i}`, { attributes: { i } }).end()
  }
  return { clock, errors, tracer, spans }
}

/**
 * Lets virtual time pass from wait to wait until a flush settles, and none while a request is under way: how many turns of the event loop
 * an answer takes is the machine's business.
 */
export async function settle(clock: VirtualClock, flushed: Promise<void>): Promise<void> {
  let settled = false
  void flushed.finally(() => {
    settled = true
  })
  while (!settled) {
    // One timer is the flush's own; another one is that of a wait between two requests.
    if (clock.pending > 1) clock.advance(clock.next! - clock.now())
    await new Promise(resolve => setTimeout(resolve, 1))
  }
}

/** Exported, dropped, queued and waiting spans are all that ended. */
export function expectAccounted(tracer: Tracer): void {
  const { ended, exported, dropped, queued, waiting } = tracer.stats()
  expect(exported + dropped + queued + waiting).toBe(ended)
}
