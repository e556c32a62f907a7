import { Redis } from 'ioredis'
import { expect, test } from 'vitest'
import { RedisKeyedLimiter } from '../buckets/redis-keyed-limiter.ts'
import { RedisTokenBucket } from '../buckets/redis-token-bucket.ts'
import { RedisKeyedSemaphore } from '../semaphores/redis-keyed-semaphore.ts'
import { RedisSemaphore } from '../semaphores/redis-semaphore.ts'
import { RedisKeyedWindow } from '../windows/redis-keyed-window.ts'
import { RedisSlidingWindow } from '../windows/redis-sliding-window.ts'

/** Never connects: what is refused is refused before. */
const client = new Redis('redis://127.0.0.1:1', { lazyConnect: true })
const bucket = { client, id: 'a', rate: 1, burst: 3 }
const window = { client, id: 'a', limit: 3, window: 1_000 }
const places = { client, id: 'a', permits: 3 }

test('a cost or weight is said once, by the name that the limiter has for it', async () => {
  await using tokens = new RedisTokenBucket(bucket)
  await using permits = new RedisSlidingWindow(window)
  await using keyedTokens = new RedisKeyedLimiter(bucket)
  await using keyedPermits = new RedisKeyedWindow(window)
  await using semaphore = new RedisSemaphore(places)
  await using keyedSemaphore = new RedisKeyedSemaphore(places)
  const cost = { cost: 1 } as object
  const refused: [option: string, call: Promise<unknown>][] = [
    ['cost', tokens.acquire(1, cost)],
    ['cost', permits.acquire(1, cost)],
    ['cost', keyedTokens.acquire('a', 1, cost)],
    ['cost', keyedPermits.acquire('a', 1, cost)],
    ['cost', semaphore.acquire(cost)],
    ['cost', semaphore.run(() => 1, cost)],
    ['cost', keyedSemaphore.acquire('a', cost)],
    ['cost', keyedSemaphore.run('a', () => 1, cost)],
    ['weight', semaphore.acquire(1, { weight: 1 })],
    ['weight', keyedSemaphore.acquire('a', 1, { weight: 1 })],
  ]
  for (const [option, call] of refused) {
    const error = { code: 'ERR_MILLRACE_INVALID_OPTION', option }
    await expect(call).rejects.toThrow(expect.objectContaining(error))
  }
  expect(client.status).toBe('wait')
})
