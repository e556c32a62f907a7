/** A program that does nothing but wait: for an export to a collector that is at the URL given, and for a page of its dashboard. */
import { Dashboard } from '../dashboard.ts'
import { Registry } from '../index.ts'
import { OtlpMetricExporter } from '../otlp.ts'

const metrics = new Registry()
metrics.counter('x_total').inc()
const dashboard = new Dashboard({ registry: metrics, authorize: () => true })
const { status } = await dashboard.fetch(new Request('http://localhost/snapshot.json'))
console.log('dashboard', status)
const exporter = new OtlpMetricExporter(metrics, { url: process.argv[2]!, timeout: 60_000 })
await exporter.export()
console.log('exported', exporter.stats().exports, 'retries', exporter.stats().retries)
