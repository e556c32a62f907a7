import { randomUUID } from 'node:crypto'
import { describeRedis } from '@millrace/testkit/vitest'
import { Redis } from 'ioredis'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { JobScheduler } from './job-scheduler.ts'
import type { JobSchedulerOptions } from './scheduler-options.ts'

const MINUTE = 60_000

/** bottleneck tells Redis its own wall clock, which stands still here but where a test moves it. */
describeRedis('a least time between starts that processes share', redis => {
  const clients: Redis[] = []
  const open: JobScheduler[] = []
  let admin: Redis
  let id = ''
  let start = 0
  const started: Record<string, number> = {}
  beforeEach(async () => {
    admin = connect()
    await admin.ping()
    id = randomUUID()
    for (const name of Object.keys(started)) delete started[name]
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'Date', 'performance'] })
    start = Date.now()
  })
  afterEach(async () => {
    const closed = Promise.all(open.splice(0).map(scheduler => scheduler.close()))
    await Promise.all([closed, pass(MINUTE)])
    vi.useRealTimers()
    for (const client of clients.splice(0)) client.disconnect()
  })

  function connect(): Redis {
    const client = new Redis(redis.server.port)
    clients.push(client)
    return client
  }

  async function create(options: JobSchedulerOptions) {
    const scheduler = new JobScheduler({ id, redis: connect(), minTime: MINUTE, ...options })
    open.push(scheduler)
    // By then it is connected, which takes longer than an answer.
    await Promise.all([scheduler.updateSettings({ minTime: MINUTE }), pass(1)])
    return async (name: string, weight = 1) => {
      const controller = new AbortController()
      const run = () => void (started[name] = Date.now() - start)
      scheduler.schedule(run, { weight, signal: controller.signal }).catch(() => {})
      await pass(20)
      return controller
    }
  }

  /** Moves the clock, and leaves Redis the time to answer at its beginning and end. */
  async function pass(ms: number): Promise<void> {
    const answers = async () => {
      for (let i = 0; i < 40; i++) {
        await admin.ping()
        await vi.advanceTimersByTimeAsync(1)
      }
    }
    await answers()
    await vi.advanceTimersByTimeAsync(ms)
    await answers()
  }

  /** How many slots are taken from now on, and what the reservoir holds. */
  async function counted(): Promise<{ slots: number; reservoir: number }> {
    const [next, left] = await admin.hmget(`b_{${id}}_settings`, 'nextRequest', 'reservoir')
    return { slots: Math.round((Number(next) - start) / MINUTE), reservoir: Number(left) }
  }

  const about = (ms: number) => expect.closeTo(ms, -3)

  test('jobs given up leave their slots and their parts of the reservoir', async () => {
    const reservoir = { initial: 20, refreshAmount: 20, interval: 100 * MINUTE }
    const run = await create({ reservoir })
    await run('first')
    const lost = [await run('a', 2), await run('b', 3), await run('c', 4)]
    expect(await counted()).toEqual({ slots: 4, reservoir: 10 })
    lost[1]!.abort()
    await pass(1)
    expect(await counted()).toEqual({ slots: 3, reservoir: 13 })
    for (const each of lost) each.abort()
    await pass(1)
    expect(await counted()).toEqual({ slots: 1, reservoir: 19 })
    await run('next', 5)
    await pass(MINUTE)
    expect(started).toEqual({ first: about(0), next: about(MINUTE) })
  })

  test('a slot before those of other processes goes to the next job of its own', async () => {
    const run = await create({})
    const runOther = await create({})
    await run('first')
    const lost = await run('lost')
    await runOther('other')
    expect((await counted()).slots).toBe(3)
    lost.abort()
    await pass(1)
    expect((await counted()).slots).toBe(3)
    await run('next', 2)
    expect((await counted()).slots).toBe(3)
    await runOther('last')
    await pass(3 * MINUTE)
    expect(started).toEqual({
      first: about(0),
      next: about(MINUTE),
      other: about(2 * MINUTE),
      last: about(3 * MINUTE),
    })
  })

  test('whatever is given up in two processes, starts keep their distance and none is left behind', async () => {
    const runs = [await create({}), await create({})]
    const jobs: { name: string; controller: AbortController }[] = []
    for (let index = 0; index < 16; index++) {
      const name = `${index}`
      jobs.push({
        name,
        controller: await runs[(index * 7) % 3 === 0 ? 1 : 0]!(name, 1 + (index % 2)),
      })
      if (index % 3 !== 2) continue
      const victim = jobs[(index * 5) % jobs.length]!
      if (started[victim.name] === undefined) victim.controller.abort()
      await pass(MINUTE / 4)
    }
    const kept = jobs.filter(({ controller }) => !controller.signal.aborted)
    expect(kept.length).toBeLessThan(jobs.length)
    await pass(20 * MINUTE)
    expect(Object.keys(started).sort()).toEqual(kept.map(({ name }) => name).sort())
    const times = Object.values(started).sort((a, b) => a - b)
    for (const [index, time] of times.entries()) {
      if (index > 0) expect(time - times[index - 1]!).toBeGreaterThan(MINUTE - 1_000)
    }
    expect(times.at(-1)).toBeLessThan((kept.length + 1) * MINUTE)
  })
})
