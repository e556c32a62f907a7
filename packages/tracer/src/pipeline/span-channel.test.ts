import { channel } from 'node:diagnostics_channel'
import { VirtualClock } from '@millrace/testkit'
import { afterEach, expect, test } from 'vitest'
import { MemoryExporter } from '../export/memory-exporter.ts'
import { alwaysOff } from '../sampling/samplers.ts'
import type { SpanRecord } from '../span/recorded/span-record.ts'
import { Tracer } from '../tracer/tracer.ts'
import type { TracerOptions } from '../tracer/tracer-options.ts'

const spans = channel('millrace:trace:span')
let undo = (): void => {}
afterEach(() => undo())

function listen<T>(listener: (record: SpanRecord) => T): T[] {
  const seen: T[] = []
  const onSpan = (record: unknown): void => void seen.push(listener(record as SpanRecord))
  spans.subscribe(onSpan)
  undo = () => void spans.unsubscribe(onSpan)
  return seen
}

test.each([
  ['from the pool', {}],
  ['beside the pool', { pool: 0 }],
  ['on the plain path', { optimized: false, lazy: false }],
  ['held for tail sampling', { tail: {} }],
] as [string, TracerOptions][])(
  'each span is published as it ends, whole: one %s',
  async (_, options) => {
    const clock = new VirtualClock()
    const exporter = new MemoryExporter()
    const tracer = new Tracer({ exporter, clock, signals: [], ...options })
    const seen = listen(record => ({
      name: record.name,
      traceId: record.traceId,
      spanId: record.spanId,
      parentSpanId: record.parentSpanId,
      start: record.epoch + record.start,
      duration: record.duration,
      attributes: record.attributes.toObject(),
      traceFlags: record.traceFlags,
    }))
    const root = tracer.startSpan('root', { attributes: { a: 1 } })
    const child = tracer.startSpan('child', { parent: root })
    clock.advance(30)
    child.end()
    expect(seen.map(({ name }) => name)).toEqual(['child'])
    clock.advance(10)
    root.end()
    expect(seen.map(({ name, duration }) => [name, duration])).toEqual([
      ['child', 30],
      ['root', 40],
    ])
    // What a listener sees is what is exported: exemplars point at spans that exist.
    await tracer.flush()
    expect(exporter.spans).toMatchObject(seen)
    expect(seen[1]).toMatchObject(pick(root.spanContext()))
  },
)

test('spans feed metrics without being kept: rate, errors and duration by name', () => {
  const clock = new VirtualClock()
  const tracer = new Tracer({ exporter: new MemoryExporter(), clock, signals: [] })
  const red = new Map<string, { calls: number; errors: number; time: number }>()
  listen(({ name, status, duration }) => {
    const { calls, errors, time } = red.get(name) ?? { calls: 0, errors: 0, time: 0 }
    red.set(name, {
      calls: calls + 1,
      errors: errors + (status === 2 ? 1 : 0),
      time: time + duration,
    })
  })
  for (let i = 0; i < 10; i++) {
    const span = tracer.startSpan(i % 2 === 0 ? 'read' : 'write')
    clock.advance(i)
    if (i === 3) span.setStatus({ code: 2 })
    span.end()
  }
  expect(Object.fromEntries(red)).toEqual({
    read: { calls: 5, errors: 0, time: 20 },
    write: { calls: 5, errors: 1, time: 25 },
  })
})

test('spans that are not recorded are not published', () => {
  const seen = listen(({ name }) => name)
  new Tracer({ exporter: new MemoryExporter(), signals: [], sampler: alwaysOff })
    .startSpan('unsampled')
    .end()
  new Tracer().startSpan('without an exporter').end()
  expect(seen).toEqual([])
})

function pick({ traceId, spanId }: { traceId: string; spanId: string }) {
  return { traceId, spanId }
}
