import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { createServer as createTcpServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { collectRuntime } from '../collect.ts'
import { grafanaDashboard } from '../grafana.ts'
import { Registry } from '../index.ts'

const traceId = '0af7651916cd43dd8448eb211c80319c'
const metrics = new Registry({ activeSpan: () => ({ traceId, spanId: 'b7ad6b7169203331' }) })
const runtime = collectRuntime(metrics)
const nasty = 'a"b\\c\nd{},=|é値🎈'
const folder = mkdtempSync(join(tmpdir(), 'millrace-prometheus-'))
const closing: (() => unknown)[] = [
  () => runtime.remove(),
  () => rmSync(folder, { recursive: true }),
]
let api: string

async function freePort(): Promise<number> {
  const server = createTcpServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}

interface Sample {
  metric: Record<string, string>
  value: [number, string]
}

async function query(expression: string): Promise<Sample[]> {
  const response = await fetch(`${api}/query?query=${encodeURIComponent(expression)}`)
  const { status, data, error } = (await response.json()) as {
    status: string
    data: { result: Sample[] }
    error?: string
  }
  if (status !== 'success') throw new Error(`${expression}: ${error}`)
  return data.result
}

/** The value of a query once Prometheus has scraped often enough to answer it. */
async function eventually(expression: string, accept: (value: number) => boolean): Promise<number> {
  for (let attempt = 0; attempt < 200; attempt++) {
    const value = Number((await query(expression))[0]?.value[1] ?? NaN)
    if (accept(value)) return value
    await delay(100)
  }
  throw new Error(`${expression} never came to the value expected`)
}

beforeAll(async () => {
  const server = createServer(metrics.handler()).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  closing.unshift(() => server.close())
  const own = await freePort()
  writeFileSync(
    join(folder, 'prometheus.yml'),
    `global: { scrape_interval: 500ms, scrape_timeout: 400ms }
scrape_configs:
  - job_name: shop
    static_configs: [{ targets: ['127.0.0.1:${port}'] }]
`,
  )
  const prometheus = spawn(
    'prometheus',
    [
      '--config.file=prometheus.yml',
      `--web.listen-address=127.0.0.1:${own}`,
      '--storage.tsdb.path=data',
      '--enable-feature=native-histograms,exemplar-storage',
    ],
    { cwd: folder, stdio: 'ignore' },
  )
  closing.unshift(async () => {
    const exited = once(prometheus, 'exit')
    prometheus.kill()
    await exited
  })
  api = `http://127.0.0.1:${own}/api/v1`
})

afterAll(async () => {
  for (const close of closing) await close()
})

describe('a real Prometheus', () => {
  it('scrapes a running process and answers with the right values', async () => {
    const requests = metrics.counter('shop_requests_total', { labels: ['path'] })
    requests.inc({ path: nasty }, 7)
    const sizes = metrics.histogram('shop_size_bytes', { buckets: [10, 100] })
    for (let i = 1; i <= 1000; i++) sizes.observe(i)
    for (let attempt = 0; ; attempt++) {
      if (
        await query('up').then(
          ([up]) => up?.value[1] === '1',
          () => false,
        )
      )
        break
      if (attempt > 200) throw new Error('Prometheus did not scrape')
      await delay(100)
    }
    await eventually('shop_requests_total', value => value === 7)
    const [series] = await query('shop_requests_total')
    expect(series!.metric).toMatchObject({ path: nasty, job: 'shop' })
    await eventually('process_resident_memory_bytes', value => value > 1e7)
    requests.inc({ path: nasty }, 3)
    await eventually('sum(shop_requests_total)', value => value === 10)
    await eventually('sum(rate(shop_requests_total[1m]))', value => value > 0)
  })

  it('takes native histograms, whose quantiles are as good as ours', async () => {
    await eventually('histogram_count(shop_size_bytes)', value => value === 1000)
    const median = await eventually('histogram_quantile(0.5, shop_size_bytes)', value => value > 0)
    expect(Math.abs(median / 500 - 1)).toBeLessThan(0.025)
    const p99 = await eventually('histogram_quantile(0.99, shop_size_bytes)', value => value > 0)
    expect(Math.abs(p99 / 990 - 1)).toBeLessThan(0.025)
    expect((await query('histogram_sum(shop_size_bytes)'))[0]!.value[1]).toBe('500500')
  })

  it('keeps the exemplars, which name the trace', async () => {
    const end = Date.now() / 1000 + 60
    const parameters = new URLSearchParams({
      query: 'shop_size_bytes',
      start: String(end - 3600),
      end: String(end),
    })
    const response = await fetch(`${api}/query_exemplars?${parameters}`)
    const { data } = (await response.json()) as {
      data: { exemplars: { labels: Record<string, string>; value: string }[] }[]
    }
    const [exemplar] = data[0]!.exemplars
    expect(exemplar!.labels.trace_id).toBe(traceId)
    expect(Number(exemplar!.value)).toBeGreaterThan(0)
  })

  it('understands every query of the Grafana dashboard', async () => {
    const { panels } = grafanaDashboard(metrics, { matchers: 'job="shop"' }) as {
      panels: { targets?: { expr: string }[] }[]
    }
    const expressions = panels.flatMap(({ targets = [] }) => targets.map(({ expr }) => expr))
    expect(expressions.length).toBeGreaterThan(30)
    for (const expression of expressions)
      await query(expression.replaceAll('$__rate_interval', '1m'))
  })
})
