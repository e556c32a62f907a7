import { randomUUID } from 'node:crypto'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { FaultProxy, runs, VirtualClock } from '@millrace/testkit'
import { describeRedis } from '@millrace/testkit/vitest'
import fc from 'fast-check'
import { afterEach, expect, test } from 'vitest'
import { LimitStoreUnavailableError, RateLimitedError } from '../../errors.ts'
import { connections } from './connections.fixture.ts'
import { RedisTokenBucket } from './tracked.fixture.ts'

type Step =
  | { do: 'take' | 'wait' | 'refund' | 'heal' }
  | { do: 'stall'; direction: 'up' | 'down' }
  | { do: 'pass'; ms: number }

const BURST = 6
const DEADLINE = 1_000

const call = fc.record({ do: fc.constantFrom('take', 'take', 'take', 'wait', 'refund') })
const steps = fc.array(
  fc.oneof(
    call,
    call,
    fc.record({ do: fc.constant('stall'), direction: fc.constantFrom('up', 'down') }),
    fc.record({ do: fc.constant('pass'), ms: fc.constantFrom(0, 10, DEADLINE / 2, DEADLINE) }),
    fc.record({ do: fc.constant('heal') }),
  ) as fc.Arbitrary<Step>,
  { minLength: 10, maxLength: 30, size: 'max' },
)

describeRedis('calls whose answers come late, or never', redis => {
  const connect = connections()
  const open: AsyncDisposable[] = []
  afterEach(async () => {
    for (const resource of open.splice(0).reverse()) await resource[Symbol.asyncDispose]()
  })

  test('what is given back before the answer to an earlier call comes is not taken twice', async () => {
    const proxy = await FaultProxy.start({ target: redis.server.port })
    open.push(proxy)
    const client = await connect(proxy.port)
    const limits = { id: randomUUID(), rate: 1e-4, burst: BURST, timeout: 10_000 }
    const bucket = new RedisTokenBucket({ ...limits, client })
    expect(await bucket.tryAcquire()).toBe(true)
    expect(await bucket.tryAcquire()).toBe(true)
    proxy.stall('down')
    const third = bucket.tryAcquire()
    await nextTurn()
    const back = [bucket.refund(), bucket.refund()]
    await proxy.heal()
    expect(await third).toBe(true)
    // The bucket is full then and forgotten; of the next two the second knows nothing of the first yet.
    const more = [...back, bucket.refund(), bucket.tryAcquire(), bucket.tryAcquire()]
    expect(await Promise.all(more)).toEqual([undefined, undefined, undefined, true, true])
    expect(Math.round((await bucket.decide(0)).remaining)).toBe(BURST - 2)
    await bucket[Symbol.asyncDispose]()
  })

  test.each(['closed', 'local'] as const)(
    '%s: in the end Redis holds exactly what callers were told',
    async whenDown => {
      const proxy = await FaultProxy.start({ target: redis.server.port })
      open.push(proxy)
      const client = await connect(proxy.port)
      const direct = await connect(redis.server.port)
      await fc.assert(
        fc.asyncProperty(steps, async plan => {
          const clock = new VirtualClock()
          const id = randomUUID()
          const limits = { id, rate: 1e-4, burst: BURST, timeout: DEADLINE, whenDown }
          const bucket = new RedisTokenBucket({
            ...limits,
            client,
            breaker: { cooldown: 10 },
            clock,
          })
          /** Permits that callers hold. */
          let held = 0
          let pending = 0
          const ended = async (ask: Promise<unknown>, change: 1 | -1) => {
            pending++
            try {
              if ((await ask) !== false) held += change
            } catch (error) {
              const expected =
                error instanceof LimitStoreUnavailableError || error instanceof RateLimitedError
              if (!expected) throw error
            } finally {
              pending--
            }
          }
          const calls: Promise<void>[] = []
          for (const step of plan) {
            // More than the bucket holds could pass alone, and be forgiven.
            const room = held + pending < BURST
            if (step.do === 'take' && room) calls.push(ended(bucket.tryAcquire(), 1))
            else if (step.do === 'wait' && room) {
              calls.push(ended(bucket.acquire({ timeout: DEADLINE * 10 }), 1))
            } else if (step.do === 'refund' && bucket.stats().granted > 0) {
              calls.push(ended(bucket.refund(), -1))
            } else if (step.do === 'stall') proxy.stall(step.direction)
            else if (step.do === 'heal') await proxy.heal()
            else if (step.do === 'pass') await clock.advanceAsync(step.ms)
            await nextTurn()
          }
          await proxy.heal()
          // In steps of which each leaves Redis the time for an answer, however busy the machine is.
          for (let told = 0; told < 3; ) {
            const heard = bucket.decide(0).then(
              () => pending === 0 && bucket.stats().down === 0,
              () => false,
            )
            let answer: boolean | undefined
            void heard.then(value => {
              answer = value
            })
            while (answer === undefined) {
              await direct.ping()
              await clock.advanceAsync(1)
            }
            // What comes late while another debt is told is told next.
            told = answer ? told + 1 : 0
          }
          await Promise.all(calls)
          await bucket[Symbol.asyncDispose]()
          const fresh = new RedisTokenBucket({ ...limits, client: direct, timeout: 10_000 })
          const { remaining } = await fresh.decide(0)
          await fresh[Symbol.asyncDispose]()
          expect(Math.round(remaining)).toBe(BURST - held)
        }),
        { numRuns: runs(60) },
      )
    },
  )
})
