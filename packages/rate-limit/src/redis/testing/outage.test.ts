import { spawnSync } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { FaultProxy, type RedisServer, sampled, VirtualClock } from '@millrace/testkit'
import { describeRedis } from '@millrace/testkit/vitest'
import { afterEach, describe, expect, test } from 'vitest'
import type { OutageMode } from '../outage/outage-mode.ts'
import { connections, goneClient } from './connections.fixture.ts'
import {
  LIMIT,
  limiters,
  type Outcome,
  type Subject,
  type SubjectOptions,
} from './limiters.fixture.ts'
import { during } from './virtual-time.fixture.ts'

/** How Redis can go away, and come back. */
interface Fault {
  strike(proxy: FaultProxy, server: RedisServer): Promise<void> | void
  mend(proxy: FaultProxy, server: RedisServer): Promise<void>
  /** Whether Redis has forgotten what was there before. */
  readonly forgets: boolean
}

const faults: Readonly<Record<string, Fault>> = {
  'a network that stalls': {
    strike: proxy => proxy.stall(),
    mend: proxy => proxy.heal(),
    forgets: false,
  },
  'connections that break and are refused': {
    strike: proxy => {
      proxy.cut()
      proxy.refuse()
    },
    mend: proxy => proxy.heal(),
    forgets: false,
  },
  'a server that hangs': {
    strike: (_, server) => server.pause(),
    mend: async (_, server) => server.resume(),
    forgets: false,
  },
  'a server that is killed and comes back empty': {
    strike: (_, server) => server.kill(),
    mend: (_, server) => server.restart(),
    forgets: true,
  },
}

/** How long Redis may take for an answer, in ms. */
const DEADLINE = 10_000

/** Half of all unless MILLRACE_TEST_SCALE is larger: each restarts or stalls a server. */
const cases = sampled(
  Object.entries(limiters).flatMap(([name, { modes }]) =>
    modes.flatMap(mode => Object.keys(faults).map(fault => ({ name, mode, fault }))),
  ),
  1 / 2,
)

describeRedis('every limiter on Redis, in every mode', redis => {
  const connect = connections()
  const open: AsyncDisposable[] = []
  afterEach(async () => {
    // Where a test failed in the middle of an outage.
    redis.server.resume()
    if (!redis.server.running) await redis.server.restart()
    for (const resource of open.splice(0).reverse()) await resource[Symbol.asyncDispose]()
  })

  async function join(
    name: string,
    id: string,
    whenDown: OutageMode,
    rest: { port?: number } & Partial<SubjectOptions> = {},
  ): Promise<Subject> {
    const { port = redis.server.port, ...more } = rest
    const client = await connect(port)
    // What was heard counts, and no more.
    const processes = 1
    const breaker = { cooldown: 10 }
    const options = { client, id, whenDown, timeout: DEADLINE, processes, breaker, ...more }
    const subject = limiters[name]!.make(options)
    open.push(subject)
    return subject
  }

  async function times(count: number, take: () => Promise<Outcome>): Promise<Outcome[]> {
    const outcomes: Outcome[] = []
    while (outcomes.length < count) outcomes.push(await take())
    return outcomes
  }

  /** A failure says what was awaited; nothing goes on in the background then. */
  async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
    const end = performance.now() + 60_000
    while (!(await condition())) {
      if (performance.now() > end) throw new Error(`Never: ${condition}`)
      await nextTurn()
    }
  }

  /** Returns when another process has had an answer of Redis: so has all that was sent before. Nothing goes on in this one meanwhile. */
  function answeredElsewhere(port: number): void {
    const ping = `require('node:net').connect(${port}, '127.0.0.1')
      .once('data', () => process.exit(7)).write('PING\\r\\n')`
    expect(spawnSync(process.execPath, ['-e', ping]).status).toBe(7)
  }

  const passes = (outcomes: Outcome[]) => outcomes.filter(outcome => outcome === 'passed').length

  /** Of seven calls while Redis is away, after each of two processes had one permit of six. */
  function expected(name: string, mode: OutageMode): { passed: number; rest: Outcome } {
    const semaphore = name === 'RedisSemaphore'
    if (mode === 'closed') return { passed: 0, rest: 'unavailable' }
    if (mode === 'open') return { passed: 7, rest: 'passed' }
    // What was released by nobody cannot be passed on.
    if (mode === 'lease' && semaphore) return { passed: 0, rest: 'refused' }
    // A share of three, of which what had been used before is taken off.
    return { passed: 2, rest: 'refused' }
  }

  test.each(cases)('$name, $mode: $fault', async ({ name, mode, fault }) => {
    const proxy = await FaultProxy.start({ target: redis.server.port })
    open.push(proxy)
    const { strike, mend, forgets } = faults[fault]!
    const id = randomUUID()
    const well = await join(name, id, 'closed')
    const other = await join(name, id, mode)
    // Its deadlines pass when the test says so, not when the machine is busy.
    const clock = new VirtualClock()
    const cutOff = await join(name, id, mode, { port: proxy.port, clock })
    expect(await other.take()).toBe('passed')
    const divides = mode === 'local' || (mode === 'lease' && name === 'RedisTokenBucket')
    const client = await connect(redis.server.port)
    if (divides)
      await until(async () => (await client.exists(`millrace:limit:{${id}}:peers`)) === 1)
    expect(await cutOff.take()).toBe('passed')
    if (divides) await until(() => cutOff.stats().processes === 2)

    await strike(proxy, redis.server)
    const { passed, rest } = expected(name, mode)
    const outcomes = await times(7, () => during(clock, DEADLINE / 2, cutOff.take()))
    expect(outcomes).toEqual([...Array(passed).fill('passed'), ...Array(7 - passed).fill(rest)])
    const waited = await during(clock, DEADLINE / 2, cutOff.wait())
    expect(waited).toBe(rest)
    const unsettled = passed + (waited === 'passed' ? 1 : 0)
    // A window that is full need not know of more.
    const owed = name === 'RedisSlidingWindow' ? Math.min(unsettled, LIMIT) : unsettled
    expect(cutOff.stats()).toMatchObject({ down: 1, unsettled: owed, waiting: 0 })

    await mend(proxy, redis.server)
    /**
     * In steps of which each leaves Redis the time for an answer: on a busy machine a deadline on this clock would pass before it had
     * run at all, and a refund whose answer is given up is not repeated.
     */
    const later = (condition: () => boolean | Promise<boolean>) =>
      until(async () => {
        const met = await condition()
        if (met) return true
        await client.ping().catch(() => nextTurn())
        await clock.advanceAsync(20)
        return false
      })
    // It is told without anybody's call.
    await later(() => cutOff.stats().unsettled === 0)
    await until(async () => (await client.ping().catch(() => 'away')) === 'PONG')
    // A semaphore that has lost its state lets nothing in once anything that knew it has called, be it a call that was sent again.
    const awaits = forgets && name === 'RedisSemaphore'
    const left = awaits ? 0 : Math.max(0, LIMIT - unsettled - 2)
    let after = 0
    // Calls that reach Redis late are made up for. Until its connection is back it finds nothing.
    await later(
      async () => after === left || ((await well.take()) === 'passed' && ++after === left),
    )
    // What passed before Redis forgot it counts again once a process that knows of it calls.
    const more = passes(await times(LIMIT, () => well.take()))
    const most = awaits ? LIMIT - unsettled : Math.max(0, Math.min(2, LIMIT - unsettled))
    expect(more).toBeLessThanOrEqual(forgets ? most : 0)
    await later(async () => {
      const outcome = await during(clock, 20, cutOff.take())
      return outcome !== 'unavailable' && cutOff.stats().down === 0
    })
    expect(cutOff.stats()).toMatchObject({ unsettled: 0 })
  })

  const kinds = Object.entries(limiters).flatMap(([name, { modes }]) =>
    modes.map(mode => ({ name, mode })),
  )

  test.each(kinds)(
    '$name, $mode: a server that is well, but slower than the deadline',
    async ({ name, mode }) => {
      const proxy = await FaultProxy.start({ target: redis.server.port })
      open.push(proxy)
      const id = randomUUID()
      const well = await join(name, id, 'closed')
      // On the real clock: no answer comes within 60 ms.
      proxy.latency(30)
      const far = await join(name, id, mode, { port: proxy.port, timeout: 20, processes: 2 })
      const outcomes = await Promise.all(Array.from({ length: LIMIT + 1 }, () => far.take()))
      const semaphore = name === 'RedisSemaphore'
      const share = mode === 'local' || (mode === 'lease' && !semaphore) ? LIMIT / 2 : 0
      const passed = mode === 'open' ? LIMIT + 1 : share
      // A semaphore in this mode has nothing to pass on.
      const rest = mode === 'closed' || (mode === 'lease' && semaphore) ? 'unavailable' : 'refused'
      const not = Array<Outcome>(LIMIT + 1 - passed).fill(rest)
      expect(outcomes).toEqual([...Array<Outcome>(passed).fill('passed'), ...not])

      await proxy.heal()
      await until(() => far.stats().unsettled === 0)
      // It had answered all of them, if too late, and has the rest back.
      const left = Math.max(0, LIMIT - passed)
      let after = 0
      await until(
        async () => after === left || ((await well.take()) === 'passed' && ++after === left),
      )
      expect(passes(await times(LIMIT, () => well.take()))).toBe(0)
    },
  )

  test.each(Object.keys(limiters))(
    '%s: an answer that came in time passes for one, though the event loop stalled',
    async name => {
      const subject = await join(name, randomUUID(), 'closed', { timeout: 50 })
      // The script is known to the server then.
      await until(async () => (await subject.take()) === 'passed')
      const taken = subject.take()
      // By microtasks alone: it is sent, and no answer is read yet.
      for (let i = 0; i < 100; i++) await undefined
      const end = performance.now() + 200
      answeredElsewhere(redis.server.port)
      while (performance.now() < end) {}
      expect(await taken).toBe('passed')
    },
  )

  test.each(Object.keys(limiters))(
    '%s: after FLUSHALL and SCRIPT FLUSH it starts anew, but a window is told what passed in it, and a semaphore awaits that',
    async name => {
      const subject = await join(name, randomUUID(), 'closed')
      const all = [...Array<Outcome>(LIMIT).fill('passed'), 'refused']
      expect(await times(LIMIT + 1, () => subject.take())).toEqual(all)
      const client = await connect(redis.server.port)
      await client.flushall()
      await client.script('FLUSH')
      const none = Array<Outcome>(LIMIT + 1).fill('refused')
      const expected = /Bucket|Keyed/.test(name) ? all : none
      expect(await times(LIMIT + 1, () => subject.take())).toEqual(expected)
    },
  )
})

describe.each(Object.entries(limiters))('%s', (_, { modes, make }) => {
  const options = { client: goneClient(), id: 'a', whenDown: modes[0]!, breaker: { cooldown: 1 } }

  test('refuses a mode that it has not, no id and no processes', () => {
    expect(() => make({ ...options, whenDown: 'ajar' as never })).toThrow(
      `Expected \`whenDown\` to be one of ${modes.map(mode => `'${mode}'`).join(', ')}, got a string of length 4`,
    )
    expect(() => make({ ...options, id: '' })).toThrow(
      'Expected `id` to be a string that is not empty',
    )
    expect(() => make({ ...options, processes: 0 })).toThrow(
      'Expected `processes` to be an integer of at least 1, got 0',
    )
  })

  test('before it has ever heard from Redis it counts itself as one of `processes`', async () => {
    if (!modes.includes('local')) return
    await using alone = make({ ...options, whenDown: 'local', processes: 3 })
    const outcomes = [await alone.take(), await alone.take(), await alone.take()]
    expect(outcomes).toEqual(['passed', 'passed', 'refused'])
    await using crowd = make({ ...options, whenDown: 'local', processes: LIMIT * 2 })
    // A share of less than one is one to a rate, and none to a semaphore.
    expect(['passed', 'unavailable']).toContain(await crowd.take())
  })
})
