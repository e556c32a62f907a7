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

test.each<Record<string, string>>([
  { 'retry-after': '99999999999999999999' },
  { 'retry-after': 'Fri, 31 Dec 9999 23:59:59 GMT' },
  { ratelimit: '"a";r=0;t=999999999999999' },
  { ratelimit: '"a";r=1;t=999999999999999', 'ratelimit-policy': '"a";q=100;w=1' },
  { ratelimit: '"a";r=0;t=0', 'ratelimit-policy': '"a";q=1;w=999999999999999' },
  { 'x-ratelimit-remaining': '0', 'x-ratelimit-reset': '99999999999999999999' },
  { 'x-ratelimit-remaining': '1e9', 'x-ratelimit-reset': '-1', 'retry-after': '-5' },
])('an answer that makes no sense keeps nobody out for longer than a day: %j', headers => {
  const clock = new VirtualClock()
  for (const burst of [1, 20, 1e9]) {
    const client = new LearnedLimit({ rate: 10, burst, clock })
    client.observe(headers)
    clock.advance(86_400_000)
    expect(client.tryAcquire()).toBe(true)
    client.observe({ ratelimit: '"a";r=50;t=1', 'ratelimit-policy': '"a";q=100;w=1' })
    expect(client.stats().rate).toBe(10)
    client.close()
  }
})
