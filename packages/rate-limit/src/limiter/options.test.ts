import { VirtualClock } from '@millrace/testkit'
import { describe, expect, test } from 'vitest'
import { AdaptiveSemaphore } from '../adaptive/adaptive-semaphore.ts'
import { TokenBucket } from '../bucket/token-bucket.ts'
import { combine } from '../combined/combine.ts'
import { InvalidOptionError } from '../errors.ts'
import { LearnedLimit } from '../http/learned-limit.ts'
import { KeyedLimiter } from '../keyed/keyed-limiter.ts'
import { KeyedSemaphore } from '../keyed/keyed-semaphore.ts'
import { KeyedWindow } from '../keyed/keyed-window.ts'
import { Semaphore } from '../semaphore/semaphore.ts'
import { SlidingWindow } from '../window/sliding-window.ts'
import { concurrent } from '../wrap/concurrent.ts'
import { limited } from '../wrap/limited.ts'

type Options = Readonly<Record<string, unknown>>

const bucket = { rate: 1, burst: 3 }
const window = { limit: 3, window: 1_000 }

/** Everything that is made with options, and options that are right. */
const made: Readonly<Record<string, { make(options: Options): unknown; right: Options }>> = {
  TokenBucket: { make: options => new TokenBucket(options as never), right: bucket },
  SlidingWindow: { make: options => new SlidingWindow(options as never), right: window },
  'SlidingWindow, counter': {
    make: options => new SlidingWindow(options as never),
    right: { ...window, algorithm: 'counter' },
  },
  KeyedLimiter: { make: options => new KeyedLimiter(options as never), right: bucket },
  KeyedWindow: { make: options => new KeyedWindow(options as never), right: window },
  Semaphore: { make: options => new Semaphore(options as never), right: { permits: 2 } },
  KeyedSemaphore: { make: options => new KeyedSemaphore(options as never), right: { permits: 2 } },
  AdaptiveSemaphore: { make: options => new AdaptiveSemaphore(options as never), right: {} },
  combine: { make: options => combine([new TokenBucket(bucket)], options as never), right: {} },
}

/** What nobody can mean, whatever the option. */
const hostile = [null, 0, -1, Number.NaN, '1', true, 1n, Symbol('s'), {}, [5], () => 5]

const keyed = ['KeyedLimiter', 'KeyedWindow', 'KeyedSemaphore']

describe.each(Object.entries(made))('options of %s', (name, { make, right }) => {
  const options = keyed.includes(name) ? ['clock'] : ['clock', 'order']

  test.each(options)('a mistake in `%s` is named', option => {
    expect(() => make(right)).not.toThrow()
    for (const value of hostile) {
      expect(() => make({ ...right, [option]: value })).toThrow(InvalidOptionError)
    }
  })
})

test('limits that the arithmetic of buckets cannot hold are refused, also when they are changed', () => {
  const limits = [
    { rate: 1e-306 },
    { rate: 5e-324 },
    { rate: 1e10 },
    { rate: 1, burst: 1e15 },
    { rate: 1e-9, burst: 1e9 },
  ]
  for (const wrong of limits) {
    expect(() => new TokenBucket(wrong)).toThrow(InvalidOptionError)
    expect(() => new KeyedLimiter(wrong)).toThrow(InvalidOptionError)
    const limiter = new KeyedLimiter(bucket)
    expect(() => limiter.setLimits(wrong)).toThrow(InvalidOptionError)
    expect(limiter).toMatchObject(bucket)
  }
})

test('a rate of another type is named, also where the burst follows from it', () => {
  for (const rate of hostile.map(value => ({ rate: value as number }))) {
    const changed = new TokenBucket(bucket)
    for (const wrong of [
      () => new TokenBucket(rate),
      () => new KeyedLimiter(rate),
      () => new LearnedLimit(rate),
      () => changed.setLimits(rate),
    ]) {
      expect(wrong).toThrow(InvalidOptionError)
    }
  }
})

test('windows that no clock can tell are refused', () => {
  for (const wrong of [5e-324, 1e-300, 1e-6, 1e16, 1e300, Infinity]) {
    const options = { limit: 3, window: wrong }
    expect(() => new SlidingWindow(options)).toThrow(InvalidOptionError)
    expect(() => new SlidingWindow({ ...options, algorithm: 'counter' })).toThrow(
      InvalidOptionError,
    )
    expect(() => new KeyedWindow(options)).toThrow(InvalidOptionError)
  }
  for (const algorithm of ['log', 'counter'] as const) {
    for (const length of [1e-3, 1e15]) {
      const clock = new VirtualClock(1_700_000_000_000)
      const shortest = new SlidingWindow({ limit: 3, window: length, algorithm, clock })
      expect([1, 2, 3, 4].map(() => shortest.tryAcquire())).toEqual([true, true, true, false])
    }
  }
})

test('what is given back must be a number', () => {
  const limiters = [
    new TokenBucket(bucket),
    new SlidingWindow(window),
    combine([new TokenBucket(bucket)]),
  ]
  const byKey = [new KeyedLimiter(bucket), new KeyedWindow(window)]
  for (const value of hostile.filter(value => value !== 0)) {
    for (const limiter of limiters) {
      limiter.tryAcquire(3)
      expect(() => limiter.refund(value as never)).toThrow(InvalidOptionError)
    }
    for (const limiter of byKey) {
      limiter.tryAcquire('a', 3)
      expect(() => limiter.refund('a', value as never)).toThrow(InvalidOptionError)
    }
  }
})

test('a parent, and what wrappers wrap with, must be limiters', () => {
  for (const value of hostile) {
    expect(() => new KeyedLimiter({ ...bucket, parent: value as never })).toThrow(
      InvalidOptionError,
    )
    expect(() => limited(value as never)).toThrow(InvalidOptionError)
    expect(() => concurrent(value as never)).toThrow(InvalidOptionError)
  }
})

test('limits that are set later know no other names than those given first', () => {
  for (const limiter of [new TokenBucket(bucket), new KeyedLimiter(bucket)]) {
    const setLimits = (limits: unknown) => () => limiter.setLimits(limits as never)
    const misspelt = setLimits({ rate: 2, bursst: 100 })
    expect(misspelt).toThrow(InvalidOptionError)
    expect(misspelt).toThrow(
      '`bursst` to be absent, as there is no such option (did you mean `burst`?)',
    )
    for (const value of [null, undefined, 5, 'x', []]) {
      expect(setLimits(value)).toThrow(InvalidOptionError)
    }
    setLimits({ rate: 2, burst: undefined })()
  }
})

test('a cost or weight is said once, by the name that the limiter has for it', async () => {
  const refused = async (option: string, call: () => Promise<unknown>) => {
    await expect(call()).rejects.toThrow(
      expect.objectContaining({ name: 'InvalidOptionError', option }),
    )
  }
  const rates = [new TokenBucket(bucket), new SlidingWindow(window)]
  for (const limiter of rates) {
    await refused('cost', () => limiter.acquire(1, { cost: 1 }))
    await limiter.acquire(1, { cost: undefined })
    await limiter.acquire({ cost: 2 })
  }
  for (const limiter of [new KeyedLimiter(bucket), new KeyedWindow(window)]) {
    await refused('cost', () => limiter.acquire('a', 1, { cost: 1 }))
    await limiter.acquire('a', 1, { cost: undefined })
    await limiter.acquire('a', { cost: 2 })
  }
  const semaphore = new Semaphore({ permits: 3 })
  const keyed = new KeyedSemaphore({ permits: 3 })
  const adaptive = new AdaptiveSemaphore({ clock: new VirtualClock(0) })
  const cost = { cost: 2 } as object
  await refused('cost', () => semaphore.acquire(cost))
  await refused('cost', () => semaphore.acquire(1, cost))
  await refused('cost', () => semaphore.run(() => 1, cost))
  await refused('cost', () => keyed.acquire('a', cost))
  await refused('cost', () => keyed.run('a', () => 1, cost))
  await refused('cost', () => adaptive.acquire(cost))
  await refused('weight', () => semaphore.acquire(1, { weight: 1 }))
  await refused('weight', () => keyed.acquire('a', 1, { weight: 1 }))
  expect(semaphore.stats()).toMatchObject({ active: 0, granted: 0 })
})
