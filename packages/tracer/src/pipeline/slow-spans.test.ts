import { runs, VirtualClock } from '@millrace/testkit'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { MemoryExporter } from '../export/memory-exporter.ts'
import { StatusCode } from '../span/api/span.ts'
import { Tracer } from '../tracer/tracer.ts'

function setup() {
  const clock = new VirtualClock()
  const tracer = new Tracer({ exporter: new MemoryExporter(), clock, signals: [] })
  const trace = (name: string, duration: number, failed = false) => {
    const root = tracer.startSpan(name)
    const child = tracer.startSpan('child', { parent: root })
    clock.advance(duration)
    child.end()
    if (failed) root.setStatus({ code: StatusCode.ERROR })
    root.end()
    tracer.flushSync()
  }
  return { clock, tracer, trace }
}

test('slow roots are kept with what a dashboard shows, the newest first', () => {
  const { clock, tracer, trace } = setup()
  expect(tracer.slowSpans()).toEqual([])
  const began = clock.now()
  trace('GET /a', 30)
  trace('GET /b', 10, true)
  const [newest, oldest] = tracer.slowSpans()
  expect(newest).toMatchObject({ name: 'GET /b', duration: 10, start: began + 30, error: true })
  expect(oldest).toMatchObject({ name: 'GET /a', duration: 30, start: began, error: false })
  expect(newest?.traceId).toMatch(/^[0-9a-f]{32}$/)
  expect(new Tracer().slowSpans()).toEqual([])
})

test('of any durations the twenty longest of the last quarter of an hour remain', () => {
  const duration = fc.integer({ min: 1, max: 1_000 })
  const pause = fc.integer({ min: 0, max: 10 * 60_000 })
  fc.assert(
    fc.property(fc.array(fc.tuple(duration, pause), { maxLength: 60 }), given => {
      const { clock, tracer, trace } = setup()
      let model: { duration: number; end: number }[] = []
      for (const [duration, pause] of given) {
        trace('r', duration)
        model = model.filter(({ end }) => end >= clock.now() - 15 * 60_000)
        model.push({ duration, end: clock.now() })
        // What was crowded out does not come back when others expire.
        model = model.sort((a, b) => b.duration - a.duration || a.end - b.end).slice(0, 20)
        clock.advance(pause)
      }
      model = model.filter(({ end }) => end >= clock.now() - 15 * 60_000)
      const kept = tracer.slowSpans().map(span => span.duration)
      expect(kept.sort((a, b) => a - b)).toEqual(
        model.map(each => each.duration).sort((a, b) => a - b),
      )
    }),
    { numRuns: runs(50) },
  )
})
