import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { VirtualClock } from '@millrace/testkit'
import { describe, expect, it, onTestFinished } from 'vitest'
import { decoded, exportMetricsRequest as request } from '../bytes/definitions.fixture.ts'
import { Registry } from '../index.ts'
import { OtlpMetricExporter } from '../otlp.ts'
import { claimLane, SharedLanes } from '../workers.ts'
import { NOW } from './sample.fixture.ts'

/** What makes series while metrics are collected, by what makes it. Each has the metric `late`. */
const SOURCES: Readonly<Record<string, (metrics: Registry) => void>> = {
  'lanes of threads': metrics => {
    const lanes = new SharedLanes({ threads: 1 })
    lanes.aggregateInto(metrics)
    new Registry({ store: claimLane(lanes.buffer) }).counter('late_total').inc(3)
  },
  'an observed object': metrics => void metrics.observe('late', { stats: () => ({ hits: 3 }) }),
  'a collector': metrics =>
    void metrics.addCollector(() => metrics.counter('late_total').observeTotal(3)),
}

/** A clock that goes on between any two looks, as real ones do. */
function running(): Registry {
  const clock = new VirtualClock(NOW)
  let looks = 0
  return new Registry({
    clock: {
      now: () => clock.now() + ++looks,
      setTimer: (callback, delay) => clock.setTimer(callback, delay),
    },
  })
}

function late(body: Uint8Array): string[] {
  const { metrics } = decoded(request, body).resourceMetrics[0].scopeMetrics[0]
  return (metrics as { name: string; sum?: { dataPoints?: { asDouble?: number }[] } }[])
    .filter(({ name }) => name.startsWith('late'))
    .flatMap(({ sum }) => sum?.dataPoints?.map(({ asDouble }) => String(asDouble)) ?? [])
}

describe.each(Object.entries(SOURCES))(
  'what begins while metrics are collected, of %s',
  (_, add) => {
    it('is in the same request', () => {
      const metrics = running()
      add(metrics)
      expect(late(metrics.toOtlp())).toEqual(['3'])
    })

    it.each(['cumulative', 'delta'] as const)(
      'is not lost where the exporter is closed at once: %s',
      async temporality => {
        const received: Buffer[] = []
        const server = createServer(async (incoming, answer) => {
          const chunks: Buffer[] = []
          for await (const chunk of incoming) chunks.push(chunk as Buffer)
          received.push(Buffer.concat(chunks))
          answer.writeHead(200, { connection: 'close' }).end()
        })
        server.listen(0, '127.0.0.1')
        await once(server, 'listening')
        onTestFinished(() => void server.close())
        const { port } = server.address() as AddressInfo
        const metrics = running()
        add(metrics)
        const url = `http://127.0.0.1:${port}/v1/metrics`
        await new OtlpMetricExporter(metrics, { url, compression: 'none', temporality }).close()
        expect(received.map(late)).toEqual([['3']])
      },
    )
  },
)
