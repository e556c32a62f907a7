import { setImmediate as immediate } from 'node:timers/promises'
import { describe, expect, test } from 'vitest'
import { StatusCode } from '../span/api/span.ts'
import { memoryTracer } from '../tracer/memory-tracer.fixture.ts'

describe('the active span', () => {
  test('is the parent across awaits, timers and nested spans', async () => {
    const { tracer, spans } = memoryTracer()
    await tracer.span('outer', async outer => {
      expect(tracer.activeSpan()).toBe(outer)
      await immediate()
      await tracer.span('inner', async () => {
        await immediate()
        tracer.startSpan('leaf').end()
      })
      expect(tracer.activeSpan()).toBe(outer)
    })
    expect(tracer.activeSpan()).toBeUndefined()
    const { outer, inner, leaf } = await spans()
    expect(outer?.parentSpanId).toBeUndefined()
    expect(inner?.parentSpanId).toBe(outer?.spanId)
    expect(leaf?.parentSpanId).toBe(inner?.spanId)
    expect(new Set([outer?.traceId, inner?.traceId, leaf?.traceId]).size).toBe(1)
  })

  test('parallel flows do not see each other', async () => {
    const { tracer, spans } = memoryTracer()
    await Promise.all(
      ['a', 'b', 'c'].map(name =>
        tracer.span(name, { parent: null }, async () => {
          await immediate()
          tracer.startSpan(`${name}-child`).end()
        }),
      ),
    )
    const byName = await spans()
    for (const name of ['a', 'b', 'c']) {
      expect(byName[`${name}-child`]?.parentSpanId).toBe(byName[name]?.spanId)
    }
  })

  test('what a span throws or rejects with is recorded and passed on', async () => {
    const { tracer, spans } = memoryTracer()
    const error = Object.assign(new Error('no'), { code: 'E_NO' })
    expect(() =>
      tracer.span('throws', () => {
        throw error
      }),
    ).toThrow(error)
    await expect(tracer.span('rejects', async () => Promise.reject(error))).rejects.toBe(error)
    for (const span of Object.values(await spans())) {
      expect(span).toMatchObject({
        status: { code: StatusCode.ERROR, message: 'no' },
        attributes: { 'error.type': 'E_NO' },
        events: [{ name: 'exception' }],
      })
    }
  })
})
