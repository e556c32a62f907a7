import { onTestFinished } from 'vitest'
import { RedisKeyedLimiter as KeyedLimiter } from '../buckets/redis-keyed-limiter.ts'
import { RedisTokenBucket as TokenBucket } from '../buckets/redis-token-bucket.ts'
import { RedisKeyedSemaphore as KeyedSemaphore } from '../semaphores/redis-keyed-semaphore.ts'
import { RedisSemaphore as Semaphore } from '../semaphores/redis-semaphore.ts'
import { RedisKeyedWindow as KeyedWindow } from '../windows/redis-keyed-window.ts'
import { RedisSlidingWindow as SlidingWindow } from '../windows/redis-sliding-window.ts'

/** The same class, whose limiters are closed when the test that made them is over: test files share a process. */
function tracked<C extends new (options: never) => { close(): Promise<void> }>(limiter: C): C {
  return new Proxy(limiter, {
    construct(target, args) {
      const made = Reflect.construct(target, args)
      onTestFinished(() => {
        // Its timers end at once; what it has to tell a server that is gone by now, or hangs on a virtual clock, is of no interest.
        void made.close().catch(() => {})
      })
      return made
    },
  })
}

export const RedisKeyedLimiter: typeof KeyedLimiter = tracked(KeyedLimiter)
export type RedisKeyedLimiter = KeyedLimiter
export const RedisKeyedSemaphore: typeof KeyedSemaphore = tracked(KeyedSemaphore)
export type RedisKeyedSemaphore = KeyedSemaphore
export const RedisKeyedWindow: typeof KeyedWindow = tracked(KeyedWindow)
export type RedisKeyedWindow = KeyedWindow
export const RedisSemaphore: typeof Semaphore = tracked(Semaphore)
export type RedisSemaphore = Semaphore
export const RedisSlidingWindow: typeof SlidingWindow = tracked(SlidingWindow)
export type RedisSlidingWindow = SlidingWindow
export const RedisTokenBucket: typeof TokenBucket = tracked(TokenBucket)
export type RedisTokenBucket = TokenBucket
