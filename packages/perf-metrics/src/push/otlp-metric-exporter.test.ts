import { createServer, type IncomingHttpHeaders, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { gunzipSync } from 'node:zlib'
import { freePort, VirtualClock } from '@millrace/testkit'
import { afterEach, describe, expect, it } from 'vitest'
import {
  decoded,
  exportMetricsRequest as request,
  exportMetricsResponse as response,
} from '../bytes/definitions.fixture.ts'
import { Registry } from '../index.ts'
import { NOW, sample } from '../otlp/sample.fixture.ts'
import { OtlpMetricExporter } from '../otlp.ts'

describe('the exporter', () => {
  const closing: (() => Promise<unknown>)[] = []
  afterEach(async () => {
    for (const close of closing.splice(0)) await close()
  })

  interface Received {
    headers: IncomingHttpHeaders
    body: Buffer
  }

  async function collector(
    answer: (n: number) => { status: number; headers?: object; body?: Uint8Array } = () => ({
      status: 200,
    }),
  ): Promise<{ url: string; received: Received[] }> {
    const received: Received[] = []
    const server: Server = createServer(async (req, res) => {
      const chunks: Buffer[] = []
      for await (const chunk of req) chunks.push(chunk as Buffer)
      const body = Buffer.concat(chunks)
      received.push({
        headers: req.headers,
        body: req.headers['content-encoding'] === 'gzip' ? gunzipSync(body) : body,
      })
      const { status, headers, body: content } = answer(received.length)
      res.writeHead(status, { ...headers, connection: 'close' }).end(content)
    })
    await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
    closing.push(() => new Promise(resolve => server.close(resolve)))
    const { port } = server.address() as AddressInfo
    return { url: `http://127.0.0.1:${port}/v1/metrics`, received }
  }

  function firstValue(body: Uint8Array): number | undefined {
    return decoded(request, body).resourceMetrics[0].scopeMetrics[0].metrics[0].sum.dataPoints[0]
      .asDouble
  }

  it('posts on its interval, one export at a time, and once more at the end', async () => {
    const clock = new VirtualClock(NOW)
    const metrics = new Registry({ clock })
    const counter = metrics.counter('x_total')
    const { url, received } = await collector()
    const exporter = new OtlpMetricExporter(metrics, { url, clock, interval: 5000 })
    counter.inc(2)
    clock.advance(5000)
    await exporter.export()
    counter.inc(3)
    await exporter.close()
    await exporter.close()
    expect(received.map(({ body }) => firstValue(body))).toEqual([2, 2, 5])
    expect(received[0]!.headers).toMatchObject({
      'content-type': 'application/x-protobuf',
      'content-encoding': 'gzip',
    })
    expect(exporter.stats()).toMatchObject({ exports: 3, failures: 0, pointsSent: 3 })
    expect(clock.pending).toBe(1)
  })

  it('sends changes only, with delta, and sends them again when they did not arrive', async () => {
    const metrics = new Registry()
    const counter = metrics.counter('x_total')
    const histogram = metrics.histogram('h')
    const { url, received } = await collector(n => ({ status: n === 2 ? 400 : 200 }))
    const exporter = new OtlpMetricExporter(metrics, {
      url,
      temporality: 'delta',
      compression: 'none',
    })
    closing.push(() => exporter.close())
    counter.inc(2)
    histogram.observe(1)
    await exporter.export()
    counter.inc(3)
    histogram.observe(8)
    await expect(exporter.export()).rejects.toMatchObject({
      code: 'ERR_MILLRACE_METRICS_EXPORT',
      status: 400,
      message: 'The collector answered 400 to the metrics',
    })
    counter.inc(4)
    await exporter.export()
    expect(received.map(({ body }) => firstValue(body))).toEqual([2, 3, 7])
    const [first, , third] = received.map(
      ({ body }) => decoded(request, body).resourceMetrics[0].scopeMetrics[0].metrics,
    )
    expect(first[1].exponentialHistogram.dataPoints[0]).toMatchObject({ count: '1', sum: 1 })
    const [point] = third[1].exponentialHistogram.dataPoints
    expect(point).toMatchObject({ count: '1', sum: 8 })
    expect(point.startTimeUnixNano).toBe(first[1].exponentialHistogram.dataPoints[0].timeUnixNano)
  })

  it.each(['cumulative', 'delta'] as const)(
    'leaves series that begin after a reading to the next one (%s)',
    async temporality => {
      const clock = new VirtualClock(NOW)
      const metrics = new Registry({ clock })
      const counter = metrics.counter('x_total', { labels: ['user'] })
      const histogram = metrics.histogram('h', { labels: ['user'] })
      counter.inc({ user: 'early' }, 2)
      let collected = false
      metrics.addCollector(() => {
        collected = true
      })
      // What is counted between two slices of a long export, which looks at its clock for them once metrics are collected.
      const counting = {
        now() {
          if (collected) {
            collected = false
            clock.advance(1)
            counter.inc({ user: 'late' }, 3)
            histogram.observe({ user: 'late' }, 3)
          }
          return clock.now()
        },
        setTimer: (callback: () => void, delay: number) => clock.setTimer(callback, delay),
      }
      const { url, received } = await collector()
      await using exporter = new OtlpMetricExporter(metrics, {
        url,
        clock: counting,
        temporality,
      })
      await exporter.export()
      expect(exporter.stats().pointsSent).toBe(1)
      clock.advance(1000)
      await exporter.export()
      const [first, second] = received.map(
        ({ body }) => decoded(request, body).resourceMetrics[0].scopeMetrics[0].metrics,
      )
      expect(first).toHaveLength(1)
      expect(first[0].sum.dataPoints).toMatchObject([
        { asDouble: 2, attributes: [{ value: { stringValue: 'early' } }] },
      ])
      const late = { attributes: [{ key: 'user', value: { stringValue: 'late' } }] }
      const times = {
        startTimeUnixNano: '1700000000001250000',
        timeUnixNano: '1700000001001250000',
      }
      expect(second[0].sum.dataPoints[1]).toMatchObject({ ...late, ...times, asDouble: 6 })
      const [point] = second[1].exponentialHistogram.dataPoints
      expect(point).toMatchObject({ ...late, ...times, count: '2', sum: 6 })
    },
  )

  it('begins anew with a series that expired and came back before the last export arrived', async () => {
    const clock = new VirtualClock(NOW)
    const metrics = new Registry({ clock, retention: 5000 })
    const counter = metrics.counter('x_total', { labels: ['user'] })
    const histogram = metrics.histogram('h', { labels: ['user'] })
    const user = { user: 'a' }
    const counted = counter.labels(user)
    const observed = histogram.labels(user)
    const { url, received } = await collector(n => ({ status: n === 2 ? 400 : 200 }))
    await using exporter = new OtlpMetricExporter(metrics, {
      url,
      clock,
      temporality: 'delta',
      compression: 'none',
    })
    counted.inc(9)
    observed.observe(9)
    await exporter.export()
    clock.advance(20_000)
    expect(counter.family.size).toBe(0)
    counted.inc(4)
    observed.observe(4)
    await expect(exporter.export()).rejects.toThrow('The collector answered 400')
    clock.advance(1000)
    await exporter.export()
    const [sum, h] = decoded(request, received[2]!.body).resourceMetrics[0].scopeMetrics[0].metrics
    const start = { startTimeUnixNano: '1700000020000250000' }
    expect(sum.sum.dataPoints).toMatchObject([{ ...start, asDouble: 4 }])
    expect(h.exponentialHistogram.dataPoints).toMatchObject([{ ...start, count: '1', sum: 4 }])
  })

  it('tries again when the collector is busy, as it asks, and gives up for good answers', async () => {
    const clock = new VirtualClock(0)
    const metrics = new Registry({ clock })
    metrics.counter('x_total')
    const busy = await collector(n =>
      n < 3 ? { status: 503, headers: { 'retry-after': '3' } } : { status: 200 },
    )
    await using patient = new OtlpMetricExporter(metrics, { url: busy.url })
    const exported = patient.export()
    for (const retries of [1, 2]) {
      while (patient.stats().retries < retries) await new Promise(setImmediate)
      clock.advance(3000)
    }
    await exported
    expect(patient.stats()).toMatchObject({ exports: 1, retries: 2, failures: 0 })
    const refusing = await collector(() => ({ status: 401 }))
    const errors: unknown[] = []
    await using refused = new OtlpMetricExporter(metrics, {
      url: refusing.url,
      onError: error => errors.push(error),
    })
    await expect(refused.export()).rejects.toThrow('The collector answered 401 to the metrics')
    expect(refusing.received).toHaveLength(1)
    expect(errors).toHaveLength(1)
  })

  it('gives up a collector that does not answer, once, when it is closed', async () => {
    const clock = new VirtualClock(0)
    const metrics = new Registry({ clock })
    metrics.counter('x_total')
    let asked = 0
    const server = createServer(() => asked++)
    await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
    const errors: unknown[] = []
    const onError = (error: unknown) => errors.push(error)
    const exporter = new OtlpMetricExporter(metrics, { url, timeout: 50, onError })
    const closed = exporter.close()
    while (asked === 0) await new Promise(setImmediate)
    clock.advance(50)
    await closed
    expect(asked).toBe(1)
    expect(errors[0]).toMatchObject({
      code: 'ERR_MILLRACE_METRICS_EXPORT',
      cause: { name: 'AbortError' },
    })
    expect(exporter.stats()).toMatchObject({ exports: 0, failures: 1, retries: 0 })
    server.closeAllConnections()
    server.close()
    const nowhere = `http://127.0.0.1:${await freePort()}`
    const late = new OtlpMetricExporter(metrics, { url: nowhere, onError })
    await late.close()
    expect(errors[1]).toMatchObject({
      code: 'ERR_MILLRACE_METRICS_EXPORT',
      cause: { code: 'ECONNREFUSED' },
    })
  })

  it('counts the points that the collector rejects', async () => {
    const metrics = new Registry()
    metrics.counter('x_total')
    metrics.counter('y_total')
    const body = response
      .encode(
        response.fromObject({ partialSuccess: { rejectedDataPoints: 1, errorMessage: 'no' } }),
      )
      .finish()
    const { url } = await collector(() => ({ status: 200, body }))
    await using exporter = new OtlpMetricExporter(metrics, { url })
    await exporter.export()
    expect(exporter.stats()).toMatchObject({ pointsSent: 1, pointsRejected: 1 })
  })

  it('sends JSON on demand, which says what toOtlpJson() does', async () => {
    const metrics = sample()
    metrics.counter('unused_total', { labels: ['a'] })
    const { url, received } = await collector()
    const resource = { 'service.name': 'shop "é"' }
    for (const histograms of ['exponential', 'explicit'] as const) {
      await using exporter = new OtlpMetricExporter(metrics, {
        url,
        histograms,
        protocol: 'http/json',
        headers: { 'x-key': 'k' },
        resource,
        clock: new VirtualClock(NOW),
      })
      await exporter.export()
      const { headers, body } = received.at(-1)!
      expect(headers).toMatchObject({ 'content-type': 'application/json', 'x-key': 'k' })
      expect(JSON.parse(body.toString())).toEqual(metrics.toOtlpJson({ histograms, resource }))
    }
  })

  it.each([
    [{ url: 'nowhere' }, 'Expected `url` to be an http or https URL, got a string of length 7'],
    [{ url: 'ftp://a/b' }, 'Expected `url` to be an http or https URL, got a string of length 9'],
    [
      { interval: 5 },
      'Expected `interval` to be a finite number of at least 100, got a positive integer of 1 digit',
    ],
    [{ temporality: 'low' }, 'Expected `temporality` to be one of'],
  ])('refuses the options %j', (options, message) => {
    expect(() => new OtlpMetricExporter(new Registry(), options as never)).toThrow(message)
  })
})
