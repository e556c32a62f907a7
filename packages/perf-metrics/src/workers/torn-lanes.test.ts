import { once } from 'node:events'
import { setTimeout as delay } from 'node:timers/promises'
import { Worker } from 'node:worker_threads'
import { runs } from '@millrace/testkit'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Registry } from '../index.ts'
import {
  HistogramSeries,
  histogramCells,
  readHistogramCells,
} from '../instrument/histogram-series.ts'
import type { CellStore } from '../store/cells.ts'
import { ClassicBounds } from '../store/classic.ts'
import { Timeline } from '../time/timeline.ts'
import { SharedLanes } from '../workers.ts'

const BOUNDS = new ClassicBounds([1, 100])
const BUCKETS = 96

class Terminated extends Error {}

/** Memory whose writer is terminated at its `left`-th write. */
class MortalMemory implements CellStore {
  readonly fixedBuckets = BUCKETS
  readonly reclaims = false
  readonly cells = new Float64Array(2000)
  left = Infinity
  #used = 0
  readonly #mortal = new Proxy(this.cells, {
    get: (target, key) => {
      const value = Reflect.get(target, key)
      return typeof value === 'function' ? this.#method(key as 'fill') : value
    },
    set: (target, key, value) => {
      this.#live()
      return Reflect.set(target, key, value)
    },
  })

  #live(): void {
    if (--this.left < 0) throw new Terminated()
  }

  #method(name: 'fill' | 'subarray' | 'slice'): unknown {
    if (name !== 'fill') return this.cells[name].bind(this.cells)
    return (value: number, from: number, to: number) => {
      for (let i = from; i < to; i++) this.#mortal[i] = value
    }
  }

  allocate(size: number) {
    const at = this.#used
    this.#used += size
    return { array: this.#mortal, at, size }
  }

  free(): void {}
}

describe('a histogram in shared memory', () => {
  it('can be read and gone on with, whichever write its thread is terminated at', () => {
    fc.assert(
      fc.property(
        fc.array(fc.double({ min: 1e-9, max: 1e9, noNaN: true }), { minLength: 1, maxLength: 60 }),
        fc.nat(3000),
        (values, last) => {
          const memory = new MortalMemory()
          const shape = {
            store: memory,
            classic: BOUNDS,
            maxBuckets: BUCKETS,
            recent: 0,
            exemplars: undefined,
          }
          const block = memory.allocate(histogramCells(BOUNDS.bounds.length))
          const timeline = new Timeline()
          const writer = new HistogramSeries(block, [], timeline, shape)
          memory.left = last
          let whole = 0
          try {
            for (const value of values) {
              writer.observe(value)
              whole++
            }
          } catch (error) {
            if (!(error instanceof Terminated)) throw error
          }
          memory.left = Infinity
          const read = () => readHistogramCells(memory.cells, block.at, BOUNDS.bounds.length)!
          const inBuckets = () => {
            const { counts, zeros } = read().distribution
            return Array.from(counts).reduce((sum, n) => sum + n, zeros)
          }
          // One value may be half counted; none that was counted before is lost.
          expect(inBuckets() - whole).toBeOneOf([0, 1])
          expect(read().distribution.count - whole).toBeOneOf([0, 1])
          const before = [inBuckets(), read().distribution.count]
          const next = new HistogramSeries({ ...block, adopted: true }, [], timeline, shape)
          for (const value of [1e-9, 1, 1e9]) next.observe(value)
          expect([inBuckets(), read().distribution.count]).toEqual(before.map(n => n + 3))
        },
      ),
      { numRuns: runs(1000) },
    )
  })

  it('is whole after its worker was terminated', async () => {
    for (let i = 0; i < runs(4); i++) {
      const metrics = new Registry()
      const lanes = new SharedLanes({ threads: 1, bytesPerThread: 2 ** 22 })
      lanes.aggregateInto(metrics)
      const worker = new Worker(new URL('./spreading-worker.fixture.ts', import.meta.url), {
        workerData: lanes.buffer,
        execArgv: ['--conditions=millrace-source', '--disable-warning=ExperimentalWarning'],
      })
      lanes.watch(worker)
      await once(worker, 'message')
      await delay(Math.random() * 5)
      await worker.terminate()
      const text = metrics.toPrometheus()
      const value = (sample: string) =>
        Number(new RegExp(`^${sample} (\\d+)$`, 'm').exec(text)?.[1])
      // The counter is incremented after each value, and the thread ended between the two at most once.
      expect(value('h_count') - value('c_total')).toBeOneOf([0, 1])
    }
  })
})
