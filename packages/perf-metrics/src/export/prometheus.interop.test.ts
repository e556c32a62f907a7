import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { freePort } from '@millrace/testkit'
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
  () => runtime.close(),
  () => rmSync(folder, { recursive: true }),
]
/** What scrapers ask for, by a path each that answers with it whatever the scraper says. */
const FORMATS: Readonly<Record<string, string>> = {
  text: 'text/plain;version=0.0.4',
  'text-1': 'text/plain;version=1.0.0;escaping=underscores',
  openmetrics: 'application/openmetrics-text;version=1.0.0',
  protobuf:
    'application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited',
}
let api: string
/** Of a server that takes no protobuf, and so asks for OpenMetrics. */
let textApi: string
/** Of a server with a job for each of {@link FORMATS}. */
let formatsApi: string

interface Sample {
  metric: Record<string, string>
  value: [number, string]
}

async function query(expression: string, from = api): Promise<Sample[]> {
  const response = await fetch(`${from}/query?query=${encodeURIComponent(expression)}`)
  const { status, data, error } = (await response.json()) as {
    status: string
    data: { result: Sample[] }
    error?: string
  }
  if (status !== 'success') throw new Error(`${expression}: ${error}`)
  return data.result
}

/**
 * The answer to a query once Prometheus has scraped often enough to give it: where a scrape takes too long it has none, as all series
 * are stale until the next one.
 */
async function eventually(
  expression: string,
  accept: (value: number) => boolean,
  from = api,
): Promise<{ value: number; metric: Record<string, string> }> {
  let value = NaN
  for (const end = performance.now() + 60_000; performance.now() < end; await delay(100)) {
    const [sample] = await query(expression, from)
    if (sample === undefined) continue
    value = Number(sample.value[1])
    if (accept(value)) return { value, metric: sample.metric }
  }
  throw new Error(`${expression} never came to the value expected, at last it was ${value}`)
}

/** Starts a server that scrapes `port` at a path per job, and returns the address of its API. */
async function prometheusOf(
  port: number,
  name: string,
  features: string,
  paths: Readonly<Record<string, string>> = { shop: '/metrics' },
): Promise<string> {
  const own = await freePort()
  const jobs = Object.entries(paths).map(
    ([job, path]) => `  - job_name: ${job}
    metrics_path: ${path}
    static_configs: [{ targets: ['127.0.0.1:${port}'] }]
`,
  )
  writeFileSync(
    join(folder, `${name}.yml`),
    `global: { scrape_interval: 500ms, scrape_timeout: 400ms }
scrape_configs:
${jobs.join('')}`,
  )
  const prometheus = spawn(
    'prometheus',
    [
      `--config.file=${name}.yml`,
      `--web.listen-address=127.0.0.1:${own}`,
      `--storage.tsdb.path=${name}`,
      `--enable-feature=${features}`,
    ],
    { cwd: folder, stdio: 'ignore' },
  )
  closing.unshift(async () => {
    const exited = once(prometheus, 'exit')
    prometheus.kill()
    await exited
  })
  return `http://127.0.0.1:${own}/api/v1`
}

/** Waits until a server has scraped for the first time. */
async function scraped(from: string): Promise<void> {
  for (const end = performance.now() + 60_000; performance.now() < end; await delay(100)) {
    const up = await query('up', from).catch(() => [])
    if (up[0]?.value[1] === '1') return
  }
  throw new Error('Prometheus did not scrape')
}

async function exemplarsOf(series: string, from = api) {
  const end = Date.now() / 1000 + 60
  const range = { query: series, start: String(end - 3600), end: String(end) }
  const response = await fetch(`${from}/query_exemplars?${new URLSearchParams(range)}`)
  const { data } = (await response.json()) as {
    data: { exemplars: { labels: Record<string, string>; value: string }[] }[]
  }
  return data.flatMap(({ exemplars }) => exemplars)
}

const accepted: string[] = []

beforeAll(async () => {
  const handler = metrics.handler()
  const server = createServer((request, response) => {
    accepted.push(String(request.headers.accept))
    const asked = FORMATS[request.url!.slice(1)]
    if (asked !== undefined) request.headers.accept = asked
    void handler(request, response)
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  closing.unshift(() => server.close())
  api = await prometheusOf(port, 'native', 'native-histograms,exemplar-storage')
  textApi = await prometheusOf(port, 'text', 'exemplar-storage')
  const paths = Object.fromEntries(Object.keys(FORMATS).map(name => [name, `/${name}`]))
  formatsApi = await prometheusOf(port, 'formats', 'native-histograms', paths)
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
    await scraped(api)
    const { metric } = await eventually('shop_requests_total', value => value === 7)
    expect(metric).toMatchObject({ path: nasty, job: 'shop' })
    await eventually('process_resident_memory_bytes', value => value > 1e7)
    requests.inc({ path: nasty }, 3)
    await eventually('sum(shop_requests_total)', value => value === 10)
    await eventually('sum(rate(shop_requests_total[1m]))', value => value > 0)
  })

  it('takes native histograms, whose quantiles are as good as ours', async () => {
    await eventually('histogram_count(shop_size_bytes)', value => value === 1000)
    const quantile = async (q: number) => {
      const found = await eventually(`histogram_quantile(${q}, shop_size_bytes)`, n => n > 0)
      return found.value
    }
    expect(Math.abs((await quantile(0.5)) / 500 - 1)).toBeLessThan(0.025)
    expect(Math.abs((await quantile(0.99)) / 990 - 1)).toBeLessThan(0.025)
    await eventually('histogram_sum(shop_size_bytes)', value => value === 500_500)
  })

  it('keeps the exemplars, which name the trace', async () => {
    const [exemplar] = await exemplarsOf('shop_size_bytes')
    expect(exemplar!.labels.trace_id).toBe(traceId)
    expect(Number(exemplar!.value)).toBeGreaterThan(0)
  })

  it('reads OpenMetrics, with every label, bucket and exemplar, where it takes no protobuf', async () => {
    await scraped(textApi)
    expect(accepted.some(accept => accept.startsWith('application/openmetrics-text'))).toBe(true)
    const { metric } = await eventually('shop_requests_total', value => value === 10, textApi)
    expect(metric).toMatchObject({ path: nasty, job: 'shop' })
    await eventually('shop_size_bytes_bucket{le="100.0"}', value => value === 100, textApi)
    await eventually('shop_size_bytes_sum', value => value === 500_500, textApi)
    for (const sample of ['shop_size_bytes_bucket', 'shop_requests_total']) {
      const [exemplar] = await exemplarsOf(sample, textApi)
      expect(exemplar!.labels.trace_id, sample).toBe(traceId)
    }
  })

  it('takes every format with names that are beyond its letters', async () => {
    metrics.counter('shop.größe', { labels: ['pfad.é'] }).inc({ 'pfad.é': 'ü' }, 5)
    metrics.timing('wörk_seconds').record(20)
    for (const job of Object.keys(FORMATS)) {
      const labels = `job="${job}"`
      const total = `shop_gr__e_total{${labels}}`
      const { metric } = await eventually(total, value => value === 5, formatsApi)
      expect(metric, job).toMatchObject({ pfad__: 'ü' })
      await eventually(`up{${labels}}`, value => value === 1, formatsApi)
      const count = job === 'protobuf' ? 'histogram_count(w_rk_seconds' : 'w_rk_seconds_count'
      const end = job === 'protobuf' ? ')' : ''
      await eventually(`${count}{${labels}}${end}`, value => value === 1, formatsApi)
    }
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
