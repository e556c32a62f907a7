import { EventEmitter, once } from 'node:events'
import { threadId, Worker } from 'node:worker_threads'
import { describe, expect, it, onTestFinished, vi } from 'vitest'
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
    expect(lanes.stats()).toEqual({ lanes: 4, live: 4, unshared: 0, conflicts: 0 })
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
    expect(lanes.stats()).toEqual({ lanes: 1, live: 0, unshared: 0, conflicts: 0 })
  })

  it('are counted once, however often their lanes are aggregated, closed and aggregated again', () => {
    const metrics = new Registry()
    const lanes = new SharedLanes({ threads: 1 })
    const local = new Registry({ store: claimLane(lanes.buffer) })
    const counter = local.counter('x_total')
    const seen = () => metrics.toPrometheus().match(/^x_total \d+$/m)?.[0]
    const first = lanes.aggregateInto(metrics)
    const second = lanes.aggregateInto(metrics)
    counter.inc(2)
    expect(seen()).toBe('x_total 2')
    first.close()
    first.close()
    counter.inc()
    expect(seen()).toBe('x_total 3')
    second.close()
    counter.inc(2)
    expect(seen()).toBe('x_total 3')
    const third = lanes.aggregateInto(metrics)
    expect(seen()).toBe('x_total 5')
    // What was closed closes no other one.
    first.close()
    counter.inc()
    expect(seen()).toBe('x_total 6')
    third.close()
  })

  it('leave a gauge to those that are left, and to nobody as before it was first set', async () => {
    const metrics = new Registry()
    const lanes = new SharedLanes({ threads: 2 })
    lanes.aggregateInto(metrics)
    const peak = metrics.gauge('peak', { aggregate: 'max' })
    const [low, high] = [await counting(lanes, 10), await counting(lanes, 30)]
    metrics.collect()
    expect(peak).toMatchObject({ value: 30, max: 30 })
    peak.set(20)
    await end(high)
    metrics.collect()
    expect(peak).toMatchObject({ value: 20, max: 30 })
    await end(low)
    metrics.collect()
    // What was set here is not theirs to take.
    expect(peak.value).toBe(20)
    const busy = metrics.gauge('busy')
    expect(busy).toMatchObject({ value: 0, min: NaN, max: NaN, lastUpdate: 0 })
  })

  it('refuse a thread too many, and memory that is something else', () => {
    const lanes = new SharedLanes({ threads: 1 })
    claimLane(lanes.buffer)
    expect(() => claimLane(lanes.buffer)).toThrow(
      expect.objectContaining({ code: 'ERR_MILLRACE_LANES_FULL' }),
    )
    expect(() => claimLane(new SharedArrayBuffer(64))).toThrow('holds no metrics lanes')
    expect(() => new SharedLanes({ threads: 1, bytesPerThread: 2 ** 40 })).toThrow(
      'Expected `bytesPerThread` to be an integer from 65,536 to 1,073,741,824',
    )
    expect(() => new SharedLanes({ threads: 0 })).toThrow('Expected `threads` to be an integer')
    expect(
      () =>
        new Registry({ store: claimLane(new SharedLanes({ threads: 1 }).buffer), retention: 1e6 }),
    ).toThrow('Expected `retention` to be absent beside `store`')
  })

  it('leave out a metric that the registry defines otherwise, and no other', () => {
    const warn = vi.spyOn(process, 'emitWarning').mockImplementation(() => {})
    onTestFinished(() => warn.mockRestore())
    const metrics = new Registry()
    const second = new Registry()
    const lanes = new SharedLanes({ threads: 2 })
    lanes.aggregateInto(metrics)
    lanes.aggregateInto(second)
    const [a, b] = [0, 1].map(() => new Registry({ store: claimLane(lanes.buffer) }))
    for (const local of [a!, b!]) local.counter('before_total').inc()
    a!.histogram('mixed').observe(1)
    b!.counter('mixed_total').inc()
    a!.histogram('sizes', { buckets: [1, 2] }).observe(1)
    b!.histogram('sizes', { buckets: [1, 3] }).observe(1)
    for (const local of [a!, b!]) local.counter('after_total').inc()
    for (const registry of [metrics, metrics, second]) {
      const text = registry.toPrometheus()
      expect(text).toContain('before_total 2\n')
      expect(text).toContain('after_total 2\n')
      expect(text).toContain('mixed_count 1\n')
      expect(text).toContain('sizes_count 1\n')
    }
    expect(lanes.stats()).toEqual({ lanes: 2, live: 2, unshared: 0, conflicts: 2 })
  })

  it('do not go on in a series that the one before defined otherwise', () => {
    const warn = vi.spyOn(process, 'emitWarning').mockImplementation(() => {})
    onTestFinished(() => warn.mockRestore())
    const metrics = new Registry()
    const lanes = new SharedLanes({ threads: 1 })
    lanes.aggregateInto(metrics)
    const exit = new EventEmitter()
    lanes.watch(Object.assign(exit, { threadId }) as unknown as Worker)
    const first = new Registry({ store: claimLane(lanes.buffer) })
    first.counter('open').inc(3)
    first.histogram('size', { buckets: [1, 2] }).observe(2)
    expect(metrics.toPrometheus()).toContain('open_total 3\n')
    exit.emit('exit')
    const second = new Registry({ store: claimLane(lanes.buffer) })
    second.upDownCounter('open').inc(5)
    second.histogram('size', { buckets: [1, 20] }).observe(15)
    expect(second.toPrometheus()).toContain('open 5\n')
    expect(second.toPrometheus()).toContain('size_bucket{le="20"} 1\n')
    const text = metrics.toPrometheus()
    expect(text).toContain('open_total 3\n')
    expect(text).toContain('size_count 1\n')
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
