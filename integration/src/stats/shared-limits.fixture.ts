import { JobScheduler } from '@millrace/rate-limit/jobs'
import {
  RedisKeyedLimiter,
  RedisKeyedSemaphore,
  RedisKeyedWindow,
  RedisSemaphore,
  RedisSlidingWindow,
  RedisTokenBucket,
} from '@millrace/rate-limit/redis'
import type { Redis } from 'ioredis'
import type { Subject } from './walk.fixture.ts'

interface Shared {
  stats(): object
  close(): Promise<void>
}

/** Grants, refusals and a wait that is given up, by the two ways to ask. What was granted stays granted where nothing is refunded. */
function limitSubject(
  source: Shared,
  ask: () => Promise<unknown>,
  wait: () => Promise<unknown>,
): Subject {
  return {
    source,
    held: ['granted'],
    steps: [ask, ask, ask, () => wait().catch(() => undefined), () => source.close()],
  }
}

/** Slots that are taken, refused, waited for and left. */
function slotSubject(
  source: Shared,
  take: () => Promise<{ release(): unknown } | undefined>,
  wait: () => Promise<{ release(): unknown }>,
  counts: boolean,
): Subject {
  let held: { release(): unknown } | undefined
  let waiting: Promise<{ release(): unknown }>
  return {
    source,
    counts,
    // Keys are remembered for a while.
    held: ['keys'],
    steps: [
      async () => {
        held = await take()
      },
      take,
      () => {
        waiting = wait()
      },
      () => held?.release(),
      async () => (await waiting).release(),
      () => source.close(),
    ],
  }
}

/** The limits that processes share, on a real server, and the scheduler of jobs. */
export function sharedLimitSubjects(client: Redis): Record<string, Subject> {
  // A machine that stands still for seconds is no outage.
  const on = (id: string) => ({ client, id, prefix: 'stats', timeout: 60_000 })
  const impatient = { timeout: 1 }
  const bucket = new RedisTokenBucket({ ...on('bucket'), rate: 0.1, burst: 2 })
  const buckets = new RedisKeyedLimiter({ ...on('buckets'), rate: 0.1, burst: 2 })
  const window = new RedisSlidingWindow({ ...on('window'), limit: 2, window: 60_000 })
  const windows = new RedisKeyedWindow({ ...on('windows'), limit: 2, window: 60_000 })
  const slots = new RedisSemaphore({ ...on('slots'), permits: 1 })
  const keyedSlots = new RedisKeyedSemaphore({ ...on('keyed slots'), permits: 1 })
  const jobs = new JobScheduler({ maxConcurrent: 1 })
  return {
    RedisTokenBucket: limitSubject(
      bucket,
      () => bucket.tryAcquire(),
      () => bucket.acquire(impatient),
    ),
    RedisKeyedLimiter: limitSubject(
      buckets,
      () => buckets.tryAcquire('a'),
      () => buckets.acquire('a', impatient),
    ),
    RedisSlidingWindow: limitSubject(
      window,
      () => window.tryAcquire(),
      () => window.acquire(impatient),
    ),
    RedisKeyedWindow: limitSubject(
      windows,
      () => windows.tryAcquire('a'),
      () => windows.acquire('a', impatient),
    ),
    RedisSemaphore: slotSubject(
      slots,
      () => slots.tryAcquire(),
      () => slots.acquire(),
      true,
    ),
    RedisKeyedSemaphore: slotSubject(
      keyedSlots,
      () => keyedSlots.tryAcquire('a'),
      () => keyedSlots.acquire('a'),
      false,
    ),
    JobScheduler: {
      source: jobs,
      steps: [
        () => Promise.all([1, 2].map(n => jobs.schedule(() => n))),
        () => jobs.schedule(() => Promise.reject(new Error('failed'))).catch(() => undefined),
        () => jobs.close(),
      ],
    },
  }
}
