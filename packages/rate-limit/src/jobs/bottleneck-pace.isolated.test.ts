import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { JobScheduler } from './job-scheduler.ts'
import type { JobSchedulerOptions } from './scheduler-options.ts'

const A_DAY = 86_400_000

/** bottleneck reads the wall clock and sets timers of its own. */
describe('a least time between starts', () => {
  const open: JobScheduler[] = []
  let start = 0
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'Date', 'performance'] })
    start = Date.now()
  })
  afterEach(async () => {
    const closed = open.splice(0).map(scheduler => scheduler.close())
    await vi.advanceTimersByTimeAsync(A_DAY)
    await Promise.all(closed)
    vi.useRealTimers()
  })

  function create(options: JobSchedulerOptions) {
    const scheduler = new JobScheduler(options)
    open.push(scheduler)
    const started: Record<string, number> = {}
    const run = (name: string, weight = 1) => {
      const controller = new AbortController()
      scheduler
        .schedule(() => void (started[name] = Date.now() - start), {
          weight,
          signal: controller.signal,
        })
        .catch(() => {})
      return controller
    }
    return { scheduler, started, run }
  }

  /** bottleneck takes some turns of its timers for each job. */
  const about = (ms: number) => expect.closeTo(ms, -2)

  test('the start of a job that is given up goes to one of another weight, or is free again', async () => {
    const { started, run } = create({ minTime: 10_000 })
    run('first')
    const lost = run('lost')
    run('heavy', 2)
    const last = run('last', 3)
    await vi.advanceTimersByTimeAsync(5_000)
    expect(started).toEqual({ first: about(0) })
    lost.abort()
    last.abort()
    await vi.advanceTimersByTimeAsync(5_100)
    expect(started).toMatchObject({ heavy: about(10_000) })
    run('next', 4)
    await vi.advanceTimersByTimeAsync(10_000)
    expect(started).toEqual({ first: about(0), heavy: about(10_000), next: about(20_000) })
  })

  test('so does its place and its part of the reservoir', async () => {
    const reservoir = { initial: 4, refreshAmount: 4, interval: A_DAY }
    const { started, run } = create({ minTime: 10_000, maxConcurrent: 3, reservoir })
    run('first')
    const lost = run('lost', 3)
    await vi.advanceTimersByTimeAsync(5_000)
    lost.abort()
    run('heavy', 3)
    await vi.advanceTimersByTimeAsync(5_100)
    expect(started).toEqual({ first: about(0), heavy: about(10_000) })
  })

  test('whatever is given up, starts keep their distance and none is left behind', async () => {
    const { started, run } = create({ minTime: 1_000 })
    const jobs = Array.from({ length: 40 }, (_, index) => run(`${index}`, 1 + (index % 3)))
    let kept = jobs.length
    for (let index = 0; index < jobs.length; index++) {
      await vi.advanceTimersByTimeAsync(200)
      const job = jobs[(index * 17) % jobs.length]!
      if (index % 2 === 0 && started[`${(index * 17) % jobs.length}`] === undefined) {
        job.abort()
        kept--
      }
    }
    await vi.advanceTimersByTimeAsync(60_000)
    const times = Object.values(started).sort((a, b) => a - b)
    expect(times).toHaveLength(kept)
    for (const [index, time] of times.entries()) {
      if (index > 0) expect(time - times[index - 1]!).toBeGreaterThanOrEqual(999)
    }
    expect(times.at(-1)).toBeLessThan((kept + 1) * 1_000)
  })

  test("a start that is further away than Node's timers reach comes in its time", async () => {
    const { started, run } = create({ minTime: 20 * A_DAY })
    for (const name of ['a', 'b', 'c']) run(name)
    await vi.advanceTimersByTimeAsync(A_DAY)
    expect(Object.keys(started)).toEqual(['a'])
    await vi.advanceTimersByTimeAsync(39 * A_DAY + 100)
    expect(started).toEqual({ a: about(0), b: about(20 * A_DAY), c: about(40 * A_DAY) })
  })

  test('so does an expiration', async () => {
    const { scheduler } = create({ expiration: 30 * A_DAY })
    const job = scheduler.schedule(() => new Promise(resolve => setTimeout(resolve, A_DAY, 'done')))
    await vi.advanceTimersByTimeAsync(A_DAY + 100)
    expect(await job).toBe('done')
    const stuck = scheduler.schedule(
      ({ signal }) =>
        new Promise<void>(resolve => signal.addEventListener('abort', () => resolve())),
    )
    const expired = expect(stuck).rejects.toMatchObject({ code: 'ERR_MILLRACE_JOB_EXPIRED' })
    await vi.advanceTimersByTimeAsync(30 * A_DAY + 100)
    await expired
  })
})
