import assert from 'node:assert/strict'
import type { Prepare } from '../../../define.ts'
import type { MetricsLibrary } from '../contenders/instruments.ts'
import { constant, durations } from './labels.ts'

const observations = 1_000_000

/** Bytes put on the heap per observation, garbage included. */
export function allocation(library: MetricsLibrary): Prepare<number> {
  return async () => {
    const histogram = await library.histogram()
    const bound = histogram.bind(constant)
    const values = durations(4096)
    const observe = (): void => {
      for (let i = 0; i < observations; i++) bound.observe(values[i & 4095]!)
    }
    return {
      async measure() {
        observe()
        observe()
        const { Session } = await import('node:inspector/promises')
        const session = new Session()
        session.connect()
        // What was collected in between counts too.
        await session.post('HeapProfiler.startSampling', {
          samplingInterval: 4096,
          includeObjectsCollectedByMajorGC: true,
          includeObjectsCollectedByMinorGC: true,
        })
        observe()
        const { profile } = await session.post('HeapProfiler.stopSampling')
        session.disconnect()
        const bytes = allocated(profile.head)
        return { value: bytes / observations, result: (await histogram.count()) / observations }
      },
    }
  }
}

interface ProfileNode {
  readonly selfSize: number
  readonly children: readonly ProfileNode[]
}

function allocated(node: ProfileNode): number {
  return node.children.reduce((sum, child) => sum + allocated(child), node.selfSize)
}

export function checkAllocation(rounds: number): void {
  assert.equal(rounds, 3)
}
