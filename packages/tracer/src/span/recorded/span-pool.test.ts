import { inspect } from 'node:util'
import { InvalidOptionError } from '@millrace/kit'
import { describe, expect, test } from 'vitest'
import { memoryTracer } from '../../tracer/memory-tracer.fixture.ts'
import { Tracer } from '../../tracer/tracer.ts'

describe('the pool', () => {
  test('an empty pool costs an allocation, never a span', async () => {
    const { tracer, spans } = memoryTracer({ pool: 2 })
    const open = Array.from({ length: 5 }, (_, i) =>
      tracer.startSpan(`s${i}`, { attributes: { i } }),
    )
    expect(tracer.stats()).toMatchObject({ poolFree: 0, unpooled: 3 })
    for (const span of open) span.end()
    const byName = await spans()
    expect(Object.keys(byName).sort()).toEqual(['s0', 's1', 's2', 's3', 's4'])
    expect(byName.s4?.attributes).toEqual({ i: 4 })
    expect(tracer.stats()).toMatchObject({
      poolFree: 2,
      started: 5,
      ended: 5,
      exported: 5,
      waiting: 0,
    })
  })

  test('a handle in a log shows its ids, and nothing of the span that has its record by then', () => {
    const { tracer } = memoryTracer({ pool: 1 })
    const ended = tracer.startSpan('ended')
    ended.end()
    tracer.flushSync()
    const next = tracer.startSpan('next', { attributes: { secret: 'of another request' } })
    const { traceId, spanId } = ended.spanContext()
    expect(JSON.parse(JSON.stringify({ ended }))).toEqual({ ended: { traceId, spanId } })
    expect(inspect(ended)).toBe(`Span { traceId: '${traceId}', spanId: '${spanId}' }`)
    const idle = new Tracer().startSpan('idle')
    expect(JSON.parse(JSON.stringify(idle))).toEqual({
      traceId: idle.spanContext().traceId,
      spanId: idle.spanContext().spanId,
    })
    for (const span of [ended, next, idle]) expect(inspect({ span })).not.toContain('secret')
  })

  test('the share of traces on the pooled path moves at run time, whole traces at a time', async () => {
    const { tracer } = memoryTracer({ optimized: 0 })
    tracer.startSpan('a').end()
    expect(tracer.stats()).toMatchObject({ unpooled: 1, optimized: 0 })
    tracer.setOptimized(100)
    tracer.startSpan('b').end()
    expect(tracer.stats().unpooled).toBe(1)
    tracer.setOptimized(50)
    for (let i = 0; i < 1_000; i++) {
      const before = tracer.stats().unpooled
      const root = tracer.startSpan('root', { parent: null })
      const plain = tracer.stats().unpooled - before
      const child = tracer.startSpan('child', { parent: root })
      expect(tracer.stats().unpooled - before).toBe(plain * 2)
      child.end()
      root.end()
      if (i % 100 === 0) await tracer.flush()
    }
    expect(tracer.stats().unpooled).toBeGreaterThan(800)
    expect(tracer.stats().unpooled).toBeLessThan(1_200)
    expect(() => tracer.setOptimized(101)).toThrow(InvalidOptionError)
  })
})
