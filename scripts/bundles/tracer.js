import { once } from 'node:events'
import { createServer } from 'node:http'
import { Tracer } from '@millrace/tracer'
import { instrument } from '@millrace/tracer/auto'
import { OtlpTraceExporter } from '@millrace/tracer/otlp'

let received = 0
const collector = createServer((request, response) => {
  if (request.url === '/v1/traces') received++
  request.resume().on('end', () => response.end())
}).listen(0, '127.0.0.1')
await once(collector, 'listening')
const url = `http://127.0.0.1:${collector.address().port}`
const tracer = new Tracer({
  exporter: new OtlpTraceExporter({ url: `${url}/v1/traces` }),
  signals: [],
})
const traced = instrument(tracer, { roots: true, httpServer: false })
await (await fetch(`${url}/other`)).text()
traced.close()
await tracer.close()
collector.close()
collector.closeAllConnections()
if (received !== 1) throw new Error(`the collector has received ${received} batches`)
