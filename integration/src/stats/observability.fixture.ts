import { join } from 'node:path'
import { Registry } from '@millrace/perf-metrics'
import { Guard } from '@millrace/perf-metrics/guard'
import { OtlpMetricExporter } from '@millrace/perf-metrics/otlp'
import type { UpstreamServer } from '@millrace/testkit'
import { type Exporter, MemoryExporter, Tracer } from '@millrace/tracer'
import { FileExporter, OtlpTraceExporter } from '@millrace/tracer/otlp'
import type { Subject } from './walk.fixture.ts'

export function metricSubjects(upstream: UpstreamServer): Record<string, Subject> {
  const metrics = new Registry()
  const level = metrics.gauge('level')
  const exporter = new OtlpMetricExporter(metrics, { url: upstream.url('/v1/metrics') })
  const guard = new Guard(metrics, {
    rules: [
      { name: 'High', type: 'threshold', metric: 'level', above: 1, for: 0, recoverAfter: 0 },
    ],
  })
  return {
    OtlpMetricExporter: {
      source: exporter,
      steps: [() => exporter.export(), () => exporter.export(), () => exporter.close()],
    },
    Guard: {
      source: guard,
      steps: [
        () => guard.evaluate(),
        () => {
          level.set(5)
          guard.evaluate()
        },
        () => {
          level.set(0)
          guard.evaluate()
        },
        () => guard.evaluate(),
        () => guard.close(),
      ],
    },
  }
}

/** Spans that are written, delivered, and cannot be any more. */
function exporterSubject(exporter: Exporter): Subject {
  const tracer = new Tracer({ exporter, signals: [] })
  const work = (): void => {
    for (let i = 0; i < 3; i++) tracer.span('work', () => undefined)
  }
  return {
    source: exporter,
    steps: [work, () => tracer.flush(), work, () => tracer.close()],
  }
}

/** @param folder for files, which is there */
export function tracerSubjects(upstream: UpstreamServer, folder: string): Record<string, Subject> {
  const tracer = new Tracer({ exporter: new MemoryExporter(), signals: [] })
  return {
    Tracer: {
      source: tracer,
      // What it found out of itself, which nothing undoes.
      held: ['overhead', 'allowed', 'optimized', 'poolFree'],
      steps: [
        () => tracer.span('work', () => undefined),
        () => tracer.flush(),
        () => tracer.span('work', () => undefined),
        () => tracer.close(),
      ],
    },
    MemoryExporter: exporterSubject(new MemoryExporter()),
    FileExporter: exporterSubject(new FileExporter({ path: join(folder, 'spans.jsonl') })),
    OtlpTraceExporter: exporterSubject(new OtlpTraceExporter({ url: upstream.url('/v1/traces') })),
  }
}
