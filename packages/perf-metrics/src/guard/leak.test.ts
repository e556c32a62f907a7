import { execFileSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import type { Rule } from '../guard.ts'
import { watch } from './watch.fixture.ts'

describe('a leak', () => {
  const rule: Rule = { name: 'Leak', type: 'leak', metric: 'heap_bytes', window: 600_000 }
  // A saw tooth of garbage collection over a slowly rising floor.
  const heap = (second: number, growth: number): number =>
    100e6 + Math.max(0, second - 1800) * growth + (second % 17) * 4e6

  it('is seen through the saw teeth of the heap', () => {
    const { metrics, log, run } = watch(rule)
    const gauge = metrics.gauge('heap_bytes')
    let second = 0
    run(1800, () => gauge.set(heap(second++, 0)))
    expect(log).toEqual([])
    run(900, () => gauge.set(heap(second++, 100_000)))
    expect(log).toEqual(['trip Leak'])
  })
})

describe('a leak in a real process', () => {
  const run = (kind: string): { trips: number[]; kept: number } => {
    const file = fileURLToPath(new URL('./leaking-process.fixture.ts', import.meta.url))
    const flags = ['--conditions=millrace-source', '--disable-warning=ExperimentalWarning']
    const output = execFileSync(process.execPath, ['--expose-gc', ...flags, file, kind])
    return JSON.parse(output.toString())
  }

  it('is found, and its size too', () => {
    const { trips, kept } = run('leaking')
    expect(kept).toBe(480)
    expect(trips).toHaveLength(1)
    // 20 kB a second are 72 MB an hour.
    expect(trips[0]).toBeGreaterThan(50e6)
    expect(trips[0]).toBeLessThan(110e6)
  })

  it('is not seen where there is none', () => {
    expect(run('steady')).toEqual({ trips: [], kept: 0 })
  })

  it('is not seen in a gauge that was set but once or never', () => {
    const { metrics, log, run } = watch({ name: 'Leak', type: 'leak', metric: 'heap_bytes' })
    const gauge = metrics.gauge('heap_bytes')
    run(900, () => {})
    gauge.set(10)
    run(900, () => {})
    gauge.set(20)
    run(1800, () => {})
    expect(log).toEqual([])
  })

  it('is not seen in teeth that are minutes long', () => {
    const { metrics, log, run } = watch({ name: 'Leak', type: 'leak', metric: 'heap_bytes' })
    const gauge = metrics.gauge('heap_bytes')
    let second = 0
    run(7200, () => gauge.set(20e6 + (second++ % 550) * 40_000))
    expect(log).toEqual([])
  })
})
