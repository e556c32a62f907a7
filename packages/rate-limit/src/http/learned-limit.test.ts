import { VirtualClock } from '@millrace/testkit'
import { expect, test } from 'vitest'
import { KeyedLimiter } from '../keyed/keyed-limiter.ts'
import { HttpLimit } from './http-limit.ts'
import { LearnedLimit } from './learned-limit.ts'

/** Clients against our own server: what passes and what is refused per second, after the first. */
async function load(options: { rate: number; burst: number; own: number; latency: number }) {
  const { rate, burst, own, latency } = options
  const clock = new VirtualClock()
  const server = new HttpLimit<object>({
    limiter: new KeyedLimiter({ rate, burst, name: 'api', clock }),
    key: () => 'one client',
  })
  const client = new LearnedLimit({ rate: own, burst: 10, clock })
  const facts = { remoteAddress: undefined, forwardedFor: undefined }
  let passed = 0
  let refused = 0
  let counting = false
  let running = true
  const travel = () => new Promise<void>(resolve => void clock.setTimer(resolve, latency))
  const calls = Array.from({ length: 8 }, async () => {
    while (running) {
      await client.acquire()
      await travel()
      const verdict = await server.check({}, facts)
      await travel()
      client.observe(verdict.headers)
      if (!counting) continue
      if (verdict.pass) passed++
      else refused++
    }
  })
  await clock.advanceAsync(1_000)
  counting = true
  const seconds = 20
  await clock.advanceAsync(seconds * 1_000)
  running = false
  await clock.advanceAsync(10_000)
  await Promise.all(calls)
  client.close()
  return { passed: passed / seconds, refused: refused / seconds }
}

test.each([
  { rate: 100, burst: 10, own: 100, latency: 5 },
  { rate: 100, burst: 100, own: 100, latency: 5 },
  { rate: 100, burst: 10, own: 1_000, latency: 5 },
  { rate: 100, burst: 100, own: 1_000, latency: 5 },
  { rate: 100, burst: 10, own: 1_000, latency: 20 },
  { rate: 10, burst: 5, own: 1_000, latency: 5 },
])(
  'a client of $own/s gets what a server of $rate/s with a burst of $burst gives, and is seldom refused',
  async options => {
    const { passed, refused } = await load(options)
    expect(passed).toBeGreaterThanOrEqual(0.95 * options.rate)
    expect(passed).toBeLessThanOrEqual(options.rate + options.burst / 20 + 0.1)
    expect(refused).toBeLessThanOrEqual(0.05 * options.rate)
  },
)
