import { type FinishedSpan, MemoryExporter } from '../export/memory-exporter.ts'
import { Tracer } from './tracer.ts'
import type { TracerOptions } from './tracer-options.ts'

/** A tracer with the spans that it has exported, by name. */
export function memoryTracer(options: TracerOptions = {}): {
  tracer: Tracer
  spans(): Promise<Record<string, FinishedSpan>>
} {
  const exporter = new MemoryExporter()
  const tracer = new Tracer({ exporter, signals: [], ...options })
  return {
    tracer,
    async spans() {
      await tracer.flush()
      return Object.fromEntries(exporter.spans.map(span => [span.name, span]))
    },
  }
}
