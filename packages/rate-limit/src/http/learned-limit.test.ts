import { VirtualClock } from '@millrace/testkit'
import { expect, test } from 'vitest'
import { TokenBucket } from '../bucket/token-bucket.ts'
import { combine } from '../combined/combine.ts'
import { KeyedLimiter } from '../keyed/keyed-limiter.ts'
import { KeyedLimits } from '../keyed/keyed-limits.ts'
import { KeyedWindow } from '../keyed/keyed-window.ts'
import { SlidingWindow } from '../window/sliding-window.ts'
import { HttpLimit, type Limits } from './http-limit.ts'
import { LearnedLimit } from './learned-limit.ts'

interface Load {
  readonly limiter: (clock: VirtualClock) => Limits
  readonly own: number
  readonly burst?: number
  readonly latency?: number
  /** For how long they come before it counts, and while it does. */
  readonly before?: number
  readonly seconds?: number
}

/** Clients against our own server: what passes and what is refused per second, after the first. */
async function load({ limiter, own, burst, latency = 5, before = 1, seconds = 20 }: Load) {
  const clock = new VirtualClock()
  const server = new HttpLimit<object>({ limiter: limiter(clock), key: () => 'one client' })
  const client = new LearnedLimit({ rate: own, burst, clock })
  const facts = { remoteAddress: undefined, forwardedFor: undefined }
  let passed = 0
  let refused = 0
  let counting = false
  let running = true
  const travel = () => new Promise<void>(resolve => void clock.setTimer(resolve, latency))
  const calls = Array.from({ length: 10 }, async () => {
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
  await clock.advanceAsync(before * 1_000)
  counting = true
  await clock.advanceAsync(seconds * 1_000)
  counting = false
  running = false
  await clock.advanceAsync(100_000)
  await Promise.all(calls)
  client.close()
  return { passed: passed / seconds, refused: refused / seconds }
}

const bucket = (rate: number, burst?: number) => (clock: VirtualClock) =>
  new KeyedLimiter({ rate, burst, name: 'api', clock })

test.each<Load & { rate: number; burst?: number; name: string; saved?: number }>([
  { name: 'burst 10', limiter: bucket(100, 10), rate: 100, own: 100 },
  { name: 'burst 100', limiter: bucket(100, 100), rate: 100, own: 100 },
  ...[10, 50, 100, 300].map(burst => ({
    name: `burst ${burst}`,
    limiter: bucket(100, burst),
    rate: 100,
    own: 1_000,
    saved: burst,
  })),
  { name: 'burst 10, farther away', limiter: bucket(100, 10), rate: 100, own: 1_000, latency: 20 },
  { name: 'burst 5', limiter: bucket(10, 5), rate: 10, own: 1_000, burst: 10 },
  { name: 'a slow bucket', limiter: bucket(0.5, 5), rate: 0.5, own: 1_000, burst: 10 },
  {
    name: 'a window',
    limiter: clock => new KeyedWindow({ limit: 100, window: 1_000, clock }),
    rate: 100,
    own: 1_000,
  },
  {
    name: 'a longer window',
    limiter: clock => new KeyedWindow({ limit: 1_000, window: 10_000, clock }),
    rate: 100,
    own: 1_000,
    before: 20,
    seconds: 60,
  },
  {
    name: 'combine',
    limiter: clock =>
      combine([
        new TokenBucket({ rate: 100, burst: 10, clock }),
        new SlidingWindow({ limit: 10_000, window: 60_000, clock }),
      ]),
    rate: 100,
    own: 1_000,
  },
  {
    name: 'KeyedLimits',
    limiter: clock =>
      new KeyedLimits([
        new KeyedLimiter({ rate: 100, burst: 10, clock }),
        new KeyedWindow({ limit: 10_000, window: 60_000, clock }),
      ]),
    rate: 100,
    own: 1_000,
  },
  {
    name: 'several',
    limiter: clock => [
      new KeyedLimiter({ rate: 100, burst: 10, clock }),
      new KeyedWindow({ limit: 10_000, window: 60_000, clock }),
    ],
    rate: 100,
    own: 1_000,
  },
])(
  'a client of $own/s gets what a server of $rate/s gives ($name), and is seldom refused',
  async options => {
    const { rate, saved = 20 } = options
    const { passed, refused } = await load(options)
    expect(passed).toBeGreaterThanOrEqual(0.95 * rate)
    expect(passed).toBeLessThanOrEqual(rate + saved / 20 + 0.1)
    expect(refused).toBeLessThanOrEqual(0.05 * rate)
  },
)

test('several limits in one are announced each by itself, and of a refusal those that refuse', async () => {
  const clock = new VirtualClock()
  const parts = () => [
    new TokenBucket({ rate: 10, clock, name: 'a' }),
    new SlidingWindow({ limit: 2, window: 10_000, clock, name: 'b' }),
  ]
  const facts = { remoteAddress: undefined, forwardedFor: undefined }
  const keyed = new KeyedLimits([
    new KeyedLimiter({ rate: 10, clock, name: 'a' }),
    new KeyedWindow({ limit: 2, window: 10_000, clock, name: 'b' }),
  ])
  for (const limiter of [combine(parts()), combine([combine(parts())]), keyed]) {
    const server = new HttpLimit<object>({ limiter, key: () => 'one client' })
    expect((await server.check({}, facts)).headers).toEqual({
      'RateLimit-Policy': '"a";q=10;w=1, "b";q=2;w=10',
      RateLimit: '"a";r=9;t=0, "b";r=1;t=10',
    })
    await server.check({}, facts)
    expect((await server.check({}, facts)).headers).toMatchObject({
      'RateLimit-Policy': '"b";q=2;w=10',
      RateLimit: '"b";r=0;t=10',
      'Retry-After': '10',
    })
  }
})

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
