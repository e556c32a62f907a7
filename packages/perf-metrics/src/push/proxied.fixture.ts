/** A program whose metrics go to a host that only the proxy of its environment can reach. */
import { Registry } from '../index.ts'
import { OtlpMetricExporter } from '../otlp.ts'

const metrics = new Registry()
metrics.counter('x_total').inc()
const exporter = new OtlpMetricExporter(metrics, {
  url: 'http://collector.invalid:4318/v1/metrics',
  timeout: 10_000,
})
await exporter.close()
console.log('exported', exporter.stats().exports)
