import { Registry } from '@millrace/perf-metrics'
import { OtlpMetricExporter } from '@millrace/perf-metrics/otlp'
import { JobBatcher } from '@millrace/rate-limit/jobs'
import { MemoryExporter, Tracer } from '@millrace/tracer'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { published, sources } from './published.fixture.ts'

/** Beyond this many ms, 24.9 days, Node's timers fire at once. */
const beyond = 2 ** 31

describe('an interval longer than Node can wait', () => {
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval'] })
  })
  afterEach(() => {
    vi.useRealTimers()
  })

  test('does not make the tracer export at once', async () => {
    const exporter = new MemoryExporter()
    const send = vi.spyOn(exporter, 'send')
    const tracer = new Tracer({ exporter, delay: beyond, signals: [] })
    tracer.startSpan('a').end()
    await vi.advanceTimersByTimeAsync(1_000)
    expect(send).not.toHaveBeenCalled()
    await tracer.close()
  })

  test('does not make a batch of jobs run at once', async () => {
    const run = vi.fn()
    const batcher = new JobBatcher({ maxTime: beyond, maxSize: 2, run })
    const done = batcher.add(1)
    await vi.advanceTimersByTimeAsync(beyond - 1)
    expect(run).not.toHaveBeenCalled()
    await vi.advanceTimersByTimeAsync(1)
    expect(run).toHaveBeenCalledWith([1])
    await done
  })

  test('does not make the metrics exporter export all the time', async () => {
    const send = vi.fn(async () => new Response())
    vi.stubGlobal('fetch', send)
    const registry = new Registry()
    registry.counter('a_total').inc()
    const exporter = new OtlpMetricExporter(registry, {
      url: 'http://127.0.0.1:9/v1/metrics',
      interval: beyond,
    })
    await vi.advanceTimersByTimeAsync(60_000)
    expect(send).not.toHaveBeenCalled()
    expect(exporter.stats()).toMatchObject({ exports: 0 })
    vi.unstubAllGlobals()
    await exporter.close()
  })
})

test('no timer of Node is set but for a time that is known, so that no option can be beyond them', () => {
  for (const each of published) {
    for (const [file, text] of sources(each)) {
      for (const [call] of text.matchAll(/^(?! *\*).*\bset(?:Timeout|Interval)\(.*$/gm)) {
        const isKnown = /, (?:[A-Z_]+|retryDelay\(.*\))\),?$/.test(call)
        expect([each.name, file, call.trim(), isKnown]).toEqual([
          each.name,
          file,
          call.trim(),
          true,
        ])
      }
    }
  }
})
