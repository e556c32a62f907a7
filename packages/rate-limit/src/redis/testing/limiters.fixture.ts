import type { Clock } from '@millrace/kit'
import type { Redis } from 'ioredis'
import { LimitStoreUnavailableError, type RateLimitedError } from '../../errors.ts'
import type { OutageMode } from '../outage/outage-mode.ts'
import {
  RedisKeyedLimiter,
  RedisSemaphore,
  RedisSlidingWindow,
  RedisTokenBucket,
} from './tracked.fixture.ts'

/** What one call came to. */
export type Outcome = 'passed' | 'refused' | 'unavailable'

/** One limiter, of whatever kind, that lets six callers pass and then nobody for minutes. */
export interface Subject extends AsyncDisposable {
  take(): Promise<Outcome>
  /** Waits for its turn for no longer than {@link PATIENCE}. */
  wait(): Promise<Outcome>
  stats(): { unsettled: number; down: number; waiting: number; processes: number }
}

export const LIMIT = 6

/** For how long callers wait, in ms: longer than any deadline of a call to Redis, so that it is the store that fails. */
const PATIENCE = 100_000

/** Longer than any test on any clock, in ms: what passes stays passed. */
const A_DAY = 86_400_000

export interface SubjectOptions {
  client: Redis
  id: string
  whenDown: OutageMode
  timeout?: number
  breaker: { cooldown: number }
  clock?: Clock
  processes?: number
}

async function outcome(call: () => Promise<unknown>): Promise<Outcome> {
  try {
    return (await call()) ? 'passed' : 'refused'
  } catch (error) {
    if (error instanceof LimitStoreUnavailableError) return 'unavailable'
    const { code } = error as RateLimitedError
    if (/RATE_LIMITED|ACQUIRE_TIMEOUT/.test(code)) return 'refused'
    throw error
  }
}

type Make = (options: SubjectOptions) => Subject

const timeout = PATIENCE

/** Every limiter on Redis, with the modes that it has. */
export const limiters: Readonly<Record<string, { modes: readonly OutageMode[]; make: Make }>> = {
  RedisTokenBucket: {
    modes: ['closed', 'open', 'local', 'lease'],
    make: options => {
      const bucket = new RedisTokenBucket({ ...options, rate: 0.001, burst: LIMIT })
      return {
        take: () => outcome(() => bucket.tryAcquire()),
        wait: () => outcome(() => bucket.acquire({ timeout })),
        stats: () => bucket.stats(),
        [Symbol.asyncDispose]: () => bucket[Symbol.asyncDispose](),
      }
    },
  },
  RedisKeyedLimiter: {
    modes: ['closed', 'open', 'local'],
    make: options => {
      const limits = { rate: 0.001, burst: LIMIT }
      const limiter = new RedisKeyedLimiter({
        ...options,
        ...limits,
        whenDown: options.whenDown as 'open',
      })
      return {
        take: () => outcome(() => limiter.tryAcquire('{key}')),
        wait: () => outcome(() => limiter.acquire('{key}', { timeout })),
        stats: () => limiter.stats(),
        [Symbol.asyncDispose]: () => limiter[Symbol.asyncDispose](),
      }
    },
  },
  RedisSlidingWindow: {
    modes: ['closed', 'open', 'local'],
    make: options => {
      const limits = { limit: LIMIT, window: A_DAY }
      const window = new RedisSlidingWindow({
        ...options,
        ...limits,
        whenDown: options.whenDown as 'open',
      })
      return {
        take: () => outcome(() => window.tryAcquire()),
        wait: () => outcome(() => window.acquire({ timeout })),
        stats: () => window.stats(),
        [Symbol.asyncDispose]: () => window.close(),
      }
    },
  },
  RedisSemaphore: {
    modes: ['closed', 'local', 'lease'],
    make: options => {
      const limits = { permits: LIMIT, ttl: A_DAY, poll: 200 }
      const semaphore = new RedisSemaphore({
        ...options,
        ...limits,
        whenDown: options.whenDown as 'local',
      })
      return {
        take: () => outcome(() => semaphore.tryAcquire()),
        wait: () => outcome(() => semaphore.acquire({ timeout })),
        stats: () => semaphore.stats(),
        [Symbol.asyncDispose]: () => semaphore[Symbol.asyncDispose](),
      }
    },
  },
}
