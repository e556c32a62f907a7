/** A program that closes its tracer while nobody listens where its spans go, and says so when that is over. */
import { Tracer } from '../index.ts'
import { OtlpTraceExporter } from '../otlp.ts'

const exporter = new OtlpTraceExporter({
  url: 'http://127.0.0.1:1/v1/traces',
  retry: { timeout: 300 },
})
const tracer = new Tracer({ exporter, signals: [] })
tracer.span('work', () => undefined)
await tracer.close()
console.log('dropped', exporter.stats().dropped)
