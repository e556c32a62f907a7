import { describe, expect, test } from 'vitest'
import { memoryTracer } from '../tracer/memory-tracer.fixture.ts'
import type { TracerOptions } from '../tracer/tracer-options.ts'
import { alwaysOff, alwaysOn, ratio } from './samplers.ts'

describe('sampling', () => {
  test('an unsampled span keeps its trace for propagation and records nothing', async () => {
    const { tracer, spans } = memoryTracer({ sampler: alwaysOff })
    const root = tracer.startSpan('root')
    const child = tracer.startSpan('child', { parent: root })
    expect(root.isRecording()).toBe(false)
    expect(child.spanContext().traceId).toBe(root.spanContext().traceId)
    expect(child.spanContext().spanId).not.toBe(root.spanContext().spanId)
    expect(child.spanContext().traceFlags).toBe(2)
    child.setAttribute('a', 1).end()
    expect(await spans()).toEqual({})
  })

  test('a probability keeps its share, by trace id, and says so downstream', async () => {
    const { tracer } = memoryTracer({ sampler: ratio(0.25) })
    let kept = 0
    for (let i = 0; i < 4_000; i++) {
      const span = tracer.startSpan('root')
      const { traceId, traceState } = span.spanContext()
      const random = BigInt(`0x${traceId.slice(18)}`)
      expect(span.isRecording()).toBe(random >= 0xc0_0000_0000_0000n)
      if (span.isRecording()) {
        kept++
        expect(traceState?.serialize()).toBe('ot=th:c')
      }
      span.end()
      if (i % 200 === 0) await tracer.flush()
    }
    expect(kept).toBeGreaterThan(850)
    expect(kept).toBeLessThan(1_150)
  })

  test('spans follow their parent by default, and not with always on or off', () => {
    const context = { traceId: '1'.repeat(32), spanId: '2'.repeat(16) }
    const recorded = (options: TracerOptions, traceFlags: number) =>
      memoryTracer(options)
        .tracer.startSpan('s', { parent: { ...context, traceFlags } })
        .isRecording()
    expect(recorded({}, 1)).toBe(true)
    expect(recorded({}, 0)).toBe(false)
    expect(recorded({ sampler: ratio(0) }, 1)).toBe(true)
    expect(recorded({ sampler: alwaysOn }, 0)).toBe(true)
    expect(recorded({ sampler: alwaysOff }, 1)).toBe(false)
    expect(recorded({ sampler: ratio(0, { parentBased: false }) }, 1)).toBe(false)
  })
})
