/** A program whose spans go to a host that only the proxy of its environment can reach. */
import { Tracer } from '../index.ts'
import { OtlpTraceExporter } from '../otlp.ts'

const exporter = new OtlpTraceExporter({
  url: 'http://collector.invalid:4318/v1/traces',
  retry: { timeout: 10_000 },
})
const tracer = new Tracer({ exporter, signals: [] })
tracer.span('work', () => undefined)
await tracer.close()
console.log('exported', exporter.stats().exported)
