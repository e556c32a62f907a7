import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import { describe, expect, it } from 'vitest'
import { Registry } from '../index.ts'
import { claimLane, SharedLanes } from '../workers.ts'

async function counting(lanes: SharedLanes, increments: number): Promise<Worker> {
  const worker = new Worker(new URL('./counting-worker.fixture.ts', import.meta.url), {
    workerData: { lanes: lanes.buffer, increments },
    execArgv: ['--conditions=millrace-source', '--disable-warning=ExperimentalWarning'],
  })
  lanes.watch(worker)
  await once(worker, 'message')
  return worker
}

async function end(worker: Worker): Promise<void> {
  const exit = once(worker, 'exit')
  worker.postMessage('end')
  await exit
}

describe('worker threads', () => {
  it('count 4 x 10,000,000 without losing one, and their sum survives them', async () => {
    const metrics = new Registry()
    const lanes = new SharedLanes({ threads: 4 })
    lanes.aggregateInto(metrics)
    metrics.counter('work_total', { labels: ['kind'] }).inc({ kind: 'a' }, 5)
    const workers = await Promise.all([0, 1, 2, 3].map(() => counting(lanes, 10_000_000)))
    expect(lanes.stats()).toEqual({ lanes: 4, live: 4, unshared: 0 })
    const text = metrics.toPrometheus()
    expect(text).toContain('work_total{kind="a"} 40000005\n')
    expect(text).toContain('size_bucket{le="10"} 40\nsize_bucket{le="1000"} 4000\n')
    expect(text).toContain('size_count 40000\n')
    expect(text).toContain('busy 4\n')
    expect(text).toContain('peak 10000000\n')
    expect(text).toContain('open 8\n')
    const median = metrics.histogram('size', { buckets: [10, 1000] }).quantile(0.5)
    expect(Math.abs(median / 5000 - 1)).toBeLessThan(0.011)
    await Promise.all(workers.map(end))
    const after = metrics.toPrometheus()
    expect(after).toContain('work_total{kind="a"} 40000005\n')
    expect(after).toContain('size_count 40000\n')
    expect(after).toContain('busy 0\n')
    expect(after).toContain('open 0\n')
  })

  it('go on in the lanes of those that ended', async () => {
    const metrics = new Registry()
    const lanes = new SharedLanes({ threads: 1 })
    lanes.aggregateInto(metrics)
    for (let round = 1; round <= 3; round++) {
      const worker = await counting(lanes, 1000)
      expect(metrics.toPrometheus()).toContain(`work_total{kind="a"} ${round * 1000}\n`)
      expect(metrics.toPrometheus()).toContain('busy 1\n')
      await end(worker)
      expect(metrics.toPrometheus()).toContain(`size_count ${round * 10_000}\n`)
    }
    expect(lanes.stats()).toEqual({ lanes: 1, live: 0, unshared: 0 })
  })

  it('refuse a thread too many, and memory that is something else', () => {
    const lanes = new SharedLanes({ threads: 1 })
    claimLane(lanes.buffer)
    expect(() => claimLane(lanes.buffer)).toThrow(
      expect.objectContaining({ code: 'ERR_MILLRACE_LANES_FULL' }),
    )
    expect(() => claimLane(new SharedArrayBuffer(64))).toThrow('holds no metrics lanes')
    expect(() => new SharedLanes({ threads: 0 })).toThrow('Expected `threads` to be an integer')
    expect(
      () =>
        new Registry({ store: claimLane(new SharedLanes({ threads: 1 }).buffer), retention: 1e6 }),
    ).toThrow('Expected `retention` to be absent beside `store`')
  })

  it('count on where a lane has no more room, and say what is missing', () => {
    const lanes = new SharedLanes({ threads: 1, bytesPerThread: 65_536 })
    const metrics = new Registry()
    lanes.aggregateInto(metrics)
    const local = new Registry({ store: claimLane(lanes.buffer) })
    const counter = local.counter('c_total', { labels: ['i'] })
    for (let i = 0; i < 500; i++) counter.inc({ i })
    expect(local.toPrometheus().match(/^c_total\{/gm)).toHaveLength(500)
    const shared = metrics.toPrometheus().match(/^c_total\{/gm)!.length
    expect(shared).toBeGreaterThan(50)
    expect(lanes.stats().unshared).toBe(500 - shared)
    expect(counter.remove({ i: 0 })).toBe(false)
  })
})
