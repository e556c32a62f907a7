import { describe, expect, test } from 'vitest'
import { memoryTracer } from '../../tracer/memory-tracer.fixture.ts'
import { SpanKind, StatusCode } from '../api/span.ts'

describe('spans', () => {
  test('carry name, kind, attributes, events, links, status and duration', async () => {
    const { tracer, spans } = memoryTracer()
    const other = tracer.startSpan('other')
    const span = tracer.startSpan('work', { kind: SpanKind.CLIENT, attributes: { a: 1 } })
    span.setAttribute('b', 'two').setAttributes({ c: [true, null], d: { deep: { er: 1 } } })
    span.addEvent('first', { x: 1 }).addEvent('second', 1_000)
    span.addLink({ context: other.spanContext(), attributes: { why: 'test' } })
    span.setStatus({ code: StatusCode.ERROR, message: 'broken' }).updateName('renamed')
    expect(span.isRecording()).toBe(true)
    span.end()
    other.end()

    const { renamed } = await spans()
    expect(renamed).toMatchObject({
      kind: SpanKind.CLIENT,
      attributes: { a: 1, b: 'two', c: [true, null], d: { deep: { er: 1 } } },
      status: { code: StatusCode.ERROR, message: 'broken' },
      links: [{ ...ids(other.spanContext()), attributes: { why: 'test' } }],
      traceFlags: 3,
      parentSpanId: undefined,
    })
    expect(renamed?.events.map(event => [event.name, event.attributes])).toEqual([
      ['first', { x: 1 }],
      ['second', {}],
    ])
    expect(renamed?.duration).toBeGreaterThanOrEqual(0)
    expect(Math.abs(Date.now() - renamed!.start)).toBeLessThan(5_000)
  })

  test('keep sub-millisecond wall time and explicit times in every form', async () => {
    const { tracer, spans } = memoryTracer()
    tracer
      .startSpan('hr', { startTime: [1_700_000_000, 123_456_000] })
      .end([1_700_000_000, 623_456_000])
    // Numbers before the process's start would be readings of performance.now().
    const future = Math.ceil(Date.now()) + 60_000
    tracer.startSpan('date', { startTime: new Date(future) }).end(future + 250)
    tracer.startSpan('backwards', { startTime: Date.now() }).end(1)
    const { hr, date, backwards } = await spans()
    expect(hr?.start).toBeCloseTo(1_700_000_000_123.456, 2)
    expect(hr?.duration).toBeCloseTo(500, 2)
    expect(date).toMatchObject({ start: future, duration: 250 })
    expect(backwards?.duration).toBe(0)
  })

  test('last write of an attribute wins, lazily and eagerly, pooled and not', async () => {
    for (const options of [{}, { lazy: false }, { pool: 0 }, { optimized: false }]) {
      const { tracer, spans } = memoryTracer(options)
      const span = tracer.startSpan('work')
      for (const value of [1, 2, 3]) span.setAttribute('k', value).setAttribute(`k${value}`, value)
      span.end()
      const { work } = await spans()
      expect(Object.entries(work!.attributes)).toEqual([
        ['k', 3],
        ['k1', 1],
        ['k2', 2],
        ['k3', 3],
      ])
    }
  })

  test('a status of OK is final and UNSET changes nothing', async () => {
    const { tracer, spans } = memoryTracer()
    const span = tracer.startSpan('work')
    span.setStatus({ code: StatusCode.ERROR, message: 'first' })
    span.setStatus({ code: StatusCode.UNSET })
    span.setStatus({ code: StatusCode.OK, message: 'ignored' })
    span.setStatus({ code: StatusCode.ERROR, message: 'late' })
    span.end()
    expect((await spans()).work?.status).toEqual({ code: StatusCode.OK, message: '' })
  })

  test('exceptions are what they were when they were recorded', async () => {
    const { tracer, spans } = memoryTracer()
    let outer: Error | undefined
    expect(() =>
      tracer.span('outer', () => {
        try {
          tracer.span('inner', () => {
            throw new Error('refused')
          })
        } catch (error) {
          outer = error as Error
          outer.message = 'wrapped'
          outer.name = 'WrappedError'
          outer.stack += '\nadded later'
          throw outer
        }
      }),
    ).toThrow('wrapped')
    outer!.message = outer!.stack = 'changed after the end'
    const byName = await spans()
    expect(byName.inner?.status.message).toBe('refused')
    expect(byName.inner?.events[0]?.attributes).toMatchObject({
      'exception.type': 'Error',
      'exception.message': 'refused',
      'exception.stacktrace': expect.not.stringMatching(/added later|changed/),
    })
    expect(byName.outer?.events[0]?.attributes).toMatchObject({
      'exception.type': 'WrappedError',
      'exception.message': 'wrapped',
      'exception.stacktrace': expect.stringMatching(/recorded-span.test.ts[\s\S]*added later$/),
    })
  })

  test('exceptions keep type, message and stack', async () => {
    const { tracer, spans } = memoryTracer()
    const span = tracer.startSpan('work')
    span.recordException(new RangeError('too far'))
    span.recordException('just text')
    span.end()
    const [error, text] = (await spans()).work!.events
    expect(error?.attributes).toMatchObject({
      'exception.type': 'RangeError',
      'exception.message': 'too far',
      'exception.stacktrace': expect.stringContaining('recorded-span.test.ts'),
    })
    expect(text?.attributes['exception.message']).toBe('just text')
  })
})

describe('ended spans', () => {
  test('a handle kept too long never touches the span that has its slot now', async () => {
    const { tracer, spans } = memoryTracer({ pool: 1 })
    const old = tracer.startSpan('old')
    const context = old.spanContext()
    old.end()
    await tracer.flush()
    const current = tracer.startSpan('current')
    old.setAttribute('stale', 1).setAttributes({ stale: 2 }).addEvent('stale').updateName('stale')
    old.setStatus({ code: StatusCode.ERROR }).addLink({ context })
    old.recordException(new Error('stale'))
    old.end()
    expect(old.isRecording()).toBe(false)
    expect(current.isRecording()).toBe(true)
    current.end()
    expect(old.spanContext()).toEqual(context)
    const byName = await spans()
    expect(Object.keys(byName)).toEqual(['old', 'current'])
    expect(byName.current).toMatchObject({ attributes: {}, events: [], links: [] })
    expect(byName.current?.status.code).toBe(StatusCode.UNSET)
    expect(tracer.stats().lateCalls).toBe(8)
  })

  test('children of an ended root still join its trace', async () => {
    const { tracer, spans } = memoryTracer()
    const root = tracer.startSpan('root')
    root.end()
    await tracer.flush()
    tracer.startSpan('child', { parent: root }).end()
    const { child } = await spans()
    expect(child).toMatchObject({
      traceId: root.spanContext().traceId,
      parentSpanId: root.spanContext().spanId,
    })
  })

  test('a slot that is reused shows nothing of the span before', async () => {
    const { tracer, spans } = memoryTracer({ pool: 1 })
    const first = tracer.startSpan('first', { attributes: { secret: 1 }, parent: null })
    first.addEvent('secret')
    tracer.startSpan('sub', { parent: first }).end()
    first.end()
    await tracer.flush()
    tracer.startSpan('second').end()
    expect((await spans()).second).toMatchObject({
      attributes: {},
      events: [],
      parentSpanId: undefined,
    })
  })
})

function ids({ traceId, spanId }: { traceId: string; spanId: string }) {
  return { traceId, spanId }
}
