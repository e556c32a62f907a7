import { RateLimitedError, Semaphore, TokenBucket } from '@millrace/rate-limit'

const bucket = new TokenBucket({ rate: 1, burst: 2 })
const first: boolean = bucket.tryAcquire()
await bucket.acquire(1, { timeout: 250 })
const refused = await bucket.acquire(1, { timeout: 1 }).catch((error: unknown) => error)
const slots = new Semaphore({ permits: 1 })
const done: string = await slots.run(async () => 'done')
if (!first || !(refused instanceof RateLimitedError) || done !== 'done')
  throw new Error('rate-limit does not work')
console.log(`retry after ${refused.retryAfter > 0}`)
