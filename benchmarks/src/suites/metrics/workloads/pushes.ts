import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Prepare } from '../../../define.ts'
import { durations } from './labels.ts'
import { longestTurn } from './longest-turn.ts'

const series = 20_000
/** ms that a push takes, and a slice of it. */
const DURATION = 300
const SLICE = 0.5

async function largeRegistry() {
  const { Registry } = await import('@millrace/perf-metrics')
  const registry = new Registry({ maxSeries: series })
  const timing = registry.timing('request_seconds', { labels: ['route'] })
  const values = durations(4096)
  for (let i = 0; i < series; i++) {
    const handle = timing.labels({ route: `/api/items/${i}` })
    for (let k = 0; k < 5; k++) handle.record(values[(i * 5 + k) & 4095]! * 1000)
  }
  return registry
}

/** The longest turn of the event loop in milliseconds while a large registry is pushed over OTLP. */
export const longestPush: Prepare<number> = async () => {
  const { OtlpMetricExporter } = await import('@millrace/perf-metrics/otlp')
  const registry = await largeRegistry()
  const server = createServer((request, response) => {
    request.resume().on('end', () => response.writeHead(200, { connection: 'close' }).end())
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const url = `http://127.0.0.1:${port}`
  // A first push of any size loads zlib and Node's fetch: 20 ms, once.
  const { Registry } = await import('@millrace/perf-metrics')
  const small = new Registry()
  small.counter('x_total').inc()
  await using _ = new OtlpMetricExporter(small, { url })
  const exporter = new OtlpMetricExporter(registry, { url })
  return {
    async measure() {
      const value = await longestTurn(() => exporter.export())
      // Timings count their failures too.
      return { value, result: exporter.stats().pointsSent / 2 }
    },
    async close() {
      await exporter.close()
      server.close()
    },
  }
}

/** The longest turn while the dashboard takes a frame of a large registry and sends it to a browser. */
export const longestFrame: Prepare<number> = async () => {
  const { Dashboard } = await import('@millrace/perf-metrics/dashboard')
  const registry = await largeRegistry()
  // A first frame of any size loads Node's Request and Response, which a server that calls `fetch` has: 4 ms, once.
  const { Registry } = await import('@millrace/perf-metrics')
  using small = new Dashboard({ registry: new Registry(), authorize: () => true })
  const stream = await small.fetch(new Request('http://localhost/events'))
  await stream.body!.cancel()
  return {
    async measure() {
      let seen = 0
      const value = await longestTurn(async () => {
        using dashboard = new Dashboard({ registry, interval: 100, authorize: () => true })
        const stream = await dashboard.fetch(new Request('http://localhost/events'))
        const reader = stream.body!.getReader()
        while (dashboard.stats().frameBytes === 0) await reader.read()
        const snapshot = await dashboard.fetch(new Request('http://localhost/snapshot.json'))
        const { frame } = (await snapshot.json()) as { frame: { sequence: number } }
        if (frame.sequence > 0) seen = series
      })
      return { value, result: seen }
    },
  }
}

/** The longest turn of a program that does nothing but arithmetic, in slices as short as ours: what the machine itself takes. */
export const arithmetic: Prepare<number> = async () => {
  await largeRegistry()
  return {
    async measure() {
      let sum = 0
      const value = await longestTurn(async () => {
        for (const end = performance.now() + DURATION; performance.now() < end; ) {
          for (const due = performance.now() + SLICE; performance.now() < due; )
            sum += Math.sqrt(sum + 1)
          await new Promise(resolve => setImmediate(resolve))
        }
      })
      return { value, result: sum > 0 ? series : 0 }
    },
  }
}

export function checkSeries(seen: number): void {
  assert.equal(seen, series)
}
