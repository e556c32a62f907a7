import assert from 'node:assert/strict'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Fixture, Prepare } from '../../../define.ts'
import { median } from '../../../result/row.ts'
import { countSpans } from '../contenders/count-spans.ts'
import type { BenchSpan } from '../contenders/tracers.ts'
import { fillBySpecification } from './spans.ts'

const RATE = 10_000
const TICK = 10
/** Spans after which the compiler has done its work, on a busy machine too: a service runs for days. */
const WARM_UP = 600_000
/** Seconds of one turn with or without spans. */
const PACED = 2
const QUICK_PACED = 1

/** A collector in a process of its own. `GET` tells how many spans it has received, and starts anew. */
export async function collector(): Promise<Fixture> {
  let spans = 0
  const server = createServer(async (incoming, response) => {
    if (incoming.method === 'GET') {
      response.end(String(spans))
      spans = 0
      return
    }
    const parts: Buffer[] = []
    for await (const part of incoming) parts.push(part as Buffer)
    spans += countSpans(Buffer.concat(parts))
    response.end()
  })
  server.listen(0, '127.0.0.1')
  await new Promise(resolve => server.once('listening', resolve))
  return {
    value: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1/traces`,
    close() {
      server.closeAllConnections()
      server.close()
    },
  }
}

/** Spans started and sent through a real exporter. */
export interface Service {
  /** Starts, fills and ends one span. */
  span(i: number): void
  /** Resolves when what has ended so far has arrived. */
  flush(): Promise<void>
  /** Resolves when all of them have arrived. */
  close(): Promise<void>
}

/** What one span is given before it ends; `i` counts the spans. */
type Fill = (span: BenchSpan, i: number) => void

type StartService = (url: string, fill: Fill) => Promise<Service>

const EXPORTED = 100_000
const BURST = 1_000

/**
 * Microseconds of CPU time that one span costs from its start to its arrival at a collector, HTTP and collection of garbage
 * included: the benchmark that OpenTelemetry's specification describes, as time per span instead of spans per core and second.
 */
export function exported(start: StartService): Prepare<number> {
  return async ({ fixture }) => {
    const url = String(fixture)
    const run = async (): Promise<number> => {
      const cpu = process.cpuUsage()
      const service = await start(url, fillBySpecification)
      for (let done = 0; done < EXPORTED; done += BURST) {
        for (let i = 0; i < BURST; i++) service.span(done + i)
        // Leaves the exporter time to send: who outruns it measures how cheaply spans are dropped.
        await new Promise(resolve => setTimeout(resolve, TICK))
      }
      await service.close()
      const { user, system } = process.cpuUsage(cpu)
      return (user + system) / EXPORTED
    }
    return {
      async measure() {
        await (await fetch(url)).text()
        for (let warm = 0; warm < WARM_UP; warm += EXPORTED) await run()
        const value = await run()
        const received = Number(await (await fetch(url)).text())
        return { value, result: received / (WARM_UP + EXPORTED) }
      },
    }
  }
}

/**
 * The share of one core, in percent, that 10,000 spans a second cost: CPU time of the whole process (encoding, HTTP, collection
 * of garbage and the last flush included) less that of the same process with the same timer and no spans. Seconds with and
 * without spans take turns, as waking up alone costs from 0.5 to 3 % of a core here, depending on what else the machine does.
 */
export function cpuShare(start: StartService): Prepare<number> {
  return async ({ fixture, quick }) => {
    const url = String(fixture)
    const turns = quick ? 3 : 5
    const duration = quick ? QUICK_PACED : PACED
    return {
      async measure() {
        await (await fetch(url)).text()
        const service = await start(url, fillRequest)
        for (let burst = 0; burst < WARM_UP / BURST; burst++) {
          for (let i = 0; i < BURST; i++) service.span(i)
          await new Promise(resolve => setTimeout(resolve, TICK))
        }
        const traced = async (): Promise<number> => {
          const cpu = process.cpuUsage()
          await paced(i => service.span(i), duration)
          await service.flush()
          return seconds(process.cpuUsage(cpu))
        }
        const idle = async (): Promise<number> => {
          const cpu = process.cpuUsage()
          await paced(() => {}, duration)
          return seconds(process.cpuUsage(cpu))
        }
        await traced()
        const added: number[] = []
        for (let turn = 0; turn < turns; turn++) added.push((await traced()) - (await idle()))
        await service.close()
        const received = Number(await (await fetch(url)).text())
        const share = median(added) / duration
        const sent = WARM_UP + RATE * duration * (turns + 1)
        return { value: share * 100, result: received / sent }
      },
    }
  }
}

/** Calls `work` 10,000 times a second. */
async function paced(work: (i: number) => void, seconds: number): Promise<void> {
  const began = performance.now()
  const calls = RATE * seconds
  for (let done = 0; done < calls; ) {
    const due = Math.min(calls, Math.floor(((performance.now() - began) / 1_000) * RATE))
    while (done < due) work(done++)
    await new Promise(resolve => setTimeout(resolve, TICK))
  }
}

function seconds({ user, system }: NodeJS.CpuUsage): number {
  return (user + system) / 1e6
}

export function checkReceived(share: number): void {
  assert.equal(share, 1)
}

export async function millraceService(url: string, fill: Fill): Promise<Service> {
  const { Tracer } = await import('@millrace/tracer')
  const { OtlpTraceExporter } = await import('@millrace/tracer/otlp')
  // As much room as the peer has: what is sent here fills the default of 8 MiB in 140 ms, and a busy machine keeps a collector from running
  // for longer than that. What comes then is dropped, and counted.
  const exporter = new OtlpTraceExporter({ url, maxQueueBytes: 512 * 1024 * 1024 })
  const tracer = new Tracer({ exporter, signals: [] })
  return {
    span: i => fill(tracer.startSpan('GET /api'), i),
    flush: () => tracer.flush(),
    close: () => tracer.close(),
  }
}

export async function openTelemetryService(url: string, fill: Fill): Promise<Service> {
  const { BatchSpanProcessor, TracerProvider } = await import('@opentelemetry/sdk-trace')
  const { OTLPTraceExporter } = await import('@opentelemetry/exporter-trace-otlp-proto')
  const provider = new TracerProvider({
    spanProcessors: [
      new BatchSpanProcessor({
        // By default thirty requests at once, after which it fails: a flush of all that a run made asks for more.
        exporter: new OTLPTraceExporter({ url, concurrencyLimit: 10_000 }),
        maxQueueSize: 1_000_000,
      } as never),
    ],
  })
  const tracer = provider.getTracer('bench')
  return {
    span: i => fill(tracer.startSpan('GET /api'), i),
    flush: () => provider.forceFlush(),
    close: () => provider.shutdown(),
  }
}

/** What a request handler would set. */
function fillRequest(span: BenchSpan, i: number): void {
  span.setAttribute('http.request.method', 'GET')
  span.setAttribute('http.route', '/api/v1/resource/:id')
  span.setAttribute('http.response.status_code', 200)
  span.setAttribute('server.address', 'api.example.com')
  span.setAttribute('app.item', i % 100)
  span.end()
}
