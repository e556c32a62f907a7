import assert from 'node:assert/strict'
import type { Prepare } from '../../../define.ts'
import { retainedBytes } from '../../../measure/retained-bytes.ts'
import type { BenchSpan, TracerLibrary } from '../contenders/tracers.ts'

const SPANS = 200_000

/** Bytes put on the heap per span, garbage included, by the sampling heap profiler. */
export function allocated(library: TracerLibrary, attributes: number): Prepare<number> {
  return async () => {
    const tracer = await library.tracer('discard')
    const keys = Array.from({ length: attributes }, (_, i) => `attribute.${i}`)
    const run = (): void => {
      for (let i = 0; i < SPANS; i++) {
        const span = tracer.startSpan('operation')
        for (const key of keys) span.setAttribute(key, 'value')
        span.end()
      }
    }
    return {
      async measure() {
        run()
        run()
        const { Session } = await import('node:inspector/promises')
        const session = new Session()
        session.connect()
        await session.post('HeapProfiler.startSampling', {
          samplingInterval: 4096,
          includeObjectsCollectedByMajorGC: true,
          includeObjectsCollectedByMinorGC: true,
        })
        run()
        const { profile } = await session.post('HeapProfiler.stopSampling')
        session.disconnect()
        return { value: total(profile.head) / SPANS, result: tracer.arrived() }
      },
    }
  }
}

interface ProfileNode {
  readonly selfSize: number
  readonly children: readonly ProfileNode[]
}

function total(node: ProfileNode): number {
  return node.children.reduce((sum, child) => sum + total(child), node.selfSize)
}

export function checkAllocated(arrived: number): void {
  assert.equal(arrived, 3 * SPANS)
}

const OPEN = 10_000

/** Bytes that a running span with ten attributes keeps alive; the values are shared constants. */
export function retained(library: TracerLibrary): Prepare<number> {
  return async () => {
    const tracer = await library.tracer('discard')
    const keys = Array.from({ length: 10 }, (_, i) => `attribute.${i}`)
    const open = (count: number): BenchSpan[] =>
      Array.from({ length: count }, () => {
        const span = tracer.startSpan('operation')
        for (const key of keys) span.setAttribute(key, 'value')
        return span
      })
    return {
      async measure() {
        // The pool belongs to the tracer, not to a span: fill it first.
        const pooled = open(1_000)
        const { bytes, built } = await retainedBytes(() => open(OPEN))
        for (const span of [...pooled, ...built]) span.end()
        return { value: bytes / OPEN, result: tracer.arrived() }
      },
    }
  }
}

export function checkRetained(arrived: number): void {
  assert.equal(arrived, OPEN + 1_000)
}
