import {
  combine,
  KeyedLimiter,
  KeyedSemaphore,
  KeyedWindow,
  Semaphore,
  SlidingWindow,
  TokenBucket,
} from '@millrace/rate-limit'
import { AdaptiveSemaphore } from '@millrace/rate-limit/adaptive'
import { LearnedLimit } from '@millrace/rate-limit/http'
import { VirtualClock } from '@millrace/testkit'
import type { Subject } from './walk.fixture.ts'

interface Limiter {
  stats(): object
  tryAcquire(cost?: number): boolean
  acquire(options?: { readonly timeout?: number }): Promise<unknown>
}

/** Grants, refusals, a wait that is granted, one that is given up. `held`: what was granted stays granted where nothing is refunded. */
function limiterSubject(source: Limiter, clock: VirtualClock, held: readonly string[]): Subject {
  let waiting: Promise<unknown> = Promise.resolve()
  return {
    source,
    held,
    steps: [
      () => source.tryAcquire(),
      () => source.tryAcquire(),
      () => source.tryAcquire(),
      () => {
        waiting = source.acquire()
      },
      () => clock.advance(2_000),
      () => waiting,
      () => source.tryAcquire(),
      () => source.acquire({ timeout: 1 }).catch(() => undefined),
      () => clock.advance(10_000),
    ],
  }
}

/** Slots that are taken, waited for and left. */
function semaphoreSubject(
  source: Pick<Semaphore, 'stats' | 'tryAcquire' | 'acquire'>,
  held: readonly string[] = [],
): Subject {
  const release: (() => void)[] = []
  let waiting: Promise<{ release(): void }> | undefined
  const take = (): void => {
    const permit = source.tryAcquire()
    if (permit) release.push(() => permit.release())
  }
  return {
    source,
    held,
    steps: [
      take,
      take,
      () => {
        waiting = source.acquire() as never
      },
      () => release.shift()?.(),
      async () => (await waiting)?.release(),
    ],
  }
}

export function limitSubjects(): Record<string, Subject> {
  const clock = new VirtualClock()
  const keyed = new KeyedLimiter({ rate: 1, burst: 2, maxKeys: 2, clock })
  const window = new KeyedWindow({ limit: 2, window: 1_000, maxKeys: 2, clock })
  const slots = new KeyedSemaphore({ permits: 1, clock })
  let entered: { release(): void } | undefined
  return {
    TokenBucket: limiterSubject(new TokenBucket({ rate: 1, burst: 2, clock }), clock, ['granted']),
    SlidingWindow: limiterSubject(new SlidingWindow({ limit: 2, window: 1_000, clock }), clock, [
      'granted',
    ]),
    CombinedLimiter: limiterSubject(
      combine([
        new TokenBucket({ rate: 1, burst: 2, clock }),
        new SlidingWindow({ limit: 2, window: 1_000, clock }),
      ]),
      clock,
      ['granted'],
    ),
    LearnedLimit: limiterSubject(new LearnedLimit({ rate: 1, burst: 2, clock }), clock, [
      'granted',
    ]),
    Semaphore: semaphoreSubject(new Semaphore({ permits: 1, clock })),
    AdaptiveSemaphore: semaphoreSubject(
      new AdaptiveSemaphore({ initial: 1, min: 1, clock } as never) as never,
      ['limit', 'permits'],
    ),
    KeyedLimiter: {
      source: keyed,
      held: ['keys', 'granted'],
      steps: [
        () => keyed.tryAcquire('a'),
        () => keyed.tryAcquire('a'),
        () => keyed.tryAcquire('a'),
        () => keyed.refund('a'),
        () => ['b', 'c', 'd'].map(key => keyed.tryAcquire(key)),
        () => clock.advance(10_000),
      ],
    },
    KeyedWindow: {
      source: window,
      held: ['keys'],
      steps: [
        () => ['a', 'b', 'c', 'd'].map(key => window.tryAcquire(key)),
        () => clock.advance(10_000),
      ],
    },
    KeyedSemaphore: {
      source: slots,
      counts: false,
      steps: [
        async () => {
          entered = (await slots.acquire('a')) as never
        },
        () => entered?.release(),
      ],
    },
  }
}
