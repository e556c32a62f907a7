/**
 * A service under OpenTelemetry's own instrumentation of http and undici, on this package's provider. Prints the spans of one
 * request as JSON. A process of its own, as the instrumentation patches modules for good.
 */
import { once } from 'node:events'
import type * as Http from 'node:http'
import { createRequire } from 'node:module'
import type { AddressInfo } from 'node:net'
import { propagation, trace } from '@opentelemetry/api'
import { registerInstrumentations } from '@opentelemetry/instrumentation'
import { HttpInstrumentation } from '@opentelemetry/instrumentation-http'
import { UndiciInstrumentation } from '@opentelemetry/instrumentation-undici'
import { MemoryExporter } from '../export/memory-exporter.ts'
import { Tracer } from '../tracer/tracer.ts'
import { MillraceTracerProvider } from './tracer-provider.ts'

const exporter = new MemoryExporter()
const tracer = new Tracer({ exporter, signals: [] })
const registered = new MillraceTracerProvider(tracer).register()
registerInstrumentations({
  instrumentations: [new HttpInstrumentation(), new UndiciInstrumentation()],
})
const require = createRequire(import.meta.url)
const http = require('node:http') as typeof Http
const { request: undiciRequest } = require('undici') as typeof import('undici')

const backend = http.createServer((incoming, response) => {
  const { traceparent, baggage } = incoming.headers
  response.end(JSON.stringify({ traceparent, baggage }))
})
backend.listen(0, '127.0.0.1')
await once(backend, 'listening')
const backendUrl = `http://127.0.0.1:${(backend.address() as AddressInfo).port}/data`

const frontend = http.createServer(async (_, response) => {
  const manual = trace.getTracer('app').startActiveSpan('manual', async span => {
    tracer.startSpan('native').end()
    const { body } = await undiciRequest(backendUrl)
    const seen = await body.json()
    span.end()
    return seen
  })
  response.end(JSON.stringify(await manual))
})
frontend.listen(0, '127.0.0.1')
await once(frontend, 'listening')

const seen = await tracer.span('test', async () => {
  const outgoing = http.get({
    host: '127.0.0.1',
    port: (frontend.address() as AddressInfo).port,
    headers: { baggage: 'tenant=acme' },
  })
  const [response] = (await once(outgoing, 'response')) as [Http.IncomingMessage]
  let body = ''
  for await (const part of response) body += part
  return JSON.parse(body) as unknown
})
frontend.close()
backend.close()
await tracer.flush()
const spans = exporter.spans.map(
  ({ name, kind, spanId, parentSpanId, traceId, scope, attributes }) => ({
    name,
    kind,
    spanId,
    parentSpanId,
    traceId,
    scope: scope.name,
    attributes,
  }),
)
process.stdout.write(JSON.stringify({ registered, seen, fields: propagation.fields(), spans }))
