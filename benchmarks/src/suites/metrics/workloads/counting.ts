import assert from 'node:assert/strict'
import type { Loop, Prepare } from '../../../define.ts'
import type { MetricsLibrary } from '../contenders/instruments.ts'
import { constant, durations, methods, statuses } from './labels.ts'

const operations = 100_000

/** A run must have done all its operations; that they were counted is checked against the export at the end of a round. */
export function checkOperations(done: number): void {
  assert.ok(done > 0 && done % operations === 0, `${done} operations`)
}

/** Increments of one series through a handle. */
export function boundCounter(library: MetricsLibrary): Prepare<number> {
  return async () => {
    const counter = await library.counter()
    const bound = counter.bind(constant)
    return verified(counter.total, () => {
      for (let i = 0; i < operations; i++) bound.inc()
    })
  }
}

/** Increments by a label object written at the call, always the same. */
export function labelledCounter(library: MetricsLibrary): Prepare<number> {
  return async () => {
    const counter = await library.counter()
    return verified(counter.total, () => {
      for (let i = 0; i < operations; i++) {
        counter.inc({ method: 'GET', route: '/api/items', status: '200' })
      }
    })
  }
}

/** Increments by a label object of one of 16 combinations, in random order. */
export function mixedCounter(library: MetricsLibrary): Prepare<number> {
  return async () => {
    const counter = await library.counter()
    let random = 1
    return verified(counter.total, () => {
      for (let i = 0; i < operations; i++) {
        random = (Math.imul(random, 1_664_525) + 1_013_904_223) | 0
        const method = methods[(random >>> 28) & 3]!
        const status = statuses[(random >>> 24) & 3]!
        counter.inc({ method, route: '/api/items', status })
      }
    })
  }
}

/** Observations of varied durations through a handle. */
export function boundHistogram(library: MetricsLibrary): Prepare<number> {
  return async () => {
    const histogram = await library.histogram()
    const bound = histogram.bind(constant)
    const values = durations(4096)
    return verified(histogram.count, () => {
      for (let i = 0; i < operations; i++) bound.observe(values[i & 4095]!)
    })
  }
}

/** Observations of varied durations by a label object written at the call. */
export function labelledHistogram(library: MetricsLibrary): Prepare<number> {
  return async () => {
    const histogram = await library.histogram()
    const values = durations(4096)
    return verified(histogram.count, () => {
      for (let i = 0; i < operations; i++) {
        const labels = { method: 'GET', route: '/api/items', status: '200' }
        histogram.observe(labels, values[i & 4095]!)
      }
    })
  }
}

/** A loop whose total, read from the library's own export, must be the number of operations. */
function verified(total: () => number | Promise<number>, perform: () => void): Loop<number> {
  let done = 0
  return {
    operations,
    run() {
      perform()
      return (done += operations)
    },
    close: async () => assert.equal(await total(), done),
  }
}
