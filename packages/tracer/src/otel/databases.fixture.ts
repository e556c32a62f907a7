/**
 * A program under OpenTelemetry's own instrumentation of pg and redis, on this package's provider. Prints the spans as JSON. A process of
 * its own, as the instrumentation patches modules for good.
 */
import { createRequire } from 'node:module'
import { trace } from '@opentelemetry/api'
import { registerInstrumentations } from '@opentelemetry/instrumentation'
import { PgInstrumentation } from '@opentelemetry/instrumentation-pg'
import { RedisInstrumentation } from '@opentelemetry/instrumentation-redis'
import { MemoryExporter } from '../export/memory-exporter.ts'
import { Tracer } from '../tracer/tracer.ts'
import { MillraceTracerProvider } from './tracer-provider.ts'

const [postgresPort, redisUrl] = process.argv.slice(2)
const exporter = new MemoryExporter()
const tracer = new Tracer({ exporter, signals: [] })
new MillraceTracerProvider(tracer).register()
registerInstrumentations({
  instrumentations: [new PgInstrumentation(), new RedisInstrumentation()],
})
const require = createRequire(import.meta.url)
const { Pool } = require('pg') as typeof import('pg')
const { createClient } = require('redis') as typeof import('redis')

const pool = new Pool({
  host: '127.0.0.1',
  port: Number(postgresPort),
  user: 'test',
  database: 'postgres',
})
const redis = await createClient({ url: redisUrl! }).connect()

await trace.getTracer('app').startActiveSpan('work', async span => {
  await pool.query('SELECT $1::int AS one', [1])
  // The native tracer in between: both kinds of spans are parents of each other.
  await tracer.span('native', () => pool.query('SELECT 2'))
  await pool.query('SELECT broken FROM nowhere').catch(() => {})
  await redis.set('key', 'value')
  await redis.multi().get('key').get('other').exec()
  await redis.sendCommand(['NOSUCH']).catch(() => {})
  span.end()
})
await pool.end()
await redis.close()
await tracer.flush()
process.stdout.write(
  JSON.stringify(
    exporter.spans.map(
      ({ name, kind, spanId, parentSpanId, traceId, status, scope, attributes }) => ({
        name,
        kind,
        spanId,
        parentSpanId,
        traceId,
        failed: status.code === 2,
        scope: scope.name,
        attributes,
      }),
    ),
  ),
)
