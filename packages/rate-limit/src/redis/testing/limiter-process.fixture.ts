import { Redis } from 'ioredis'
import { RedisKeyedLimiter } from '../buckets/redis-keyed-limiter.ts'
import { RedisTokenBucket } from '../buckets/redis-token-bucket.ts'
import { RedisSemaphore } from '../semaphores/redis-semaphore.ts'
import { RedisSlidingWindow } from '../windows/redis-sliding-window.ts'

/** What the parent asks for: one call of a limiter, answered when it is made and again when it is through. */
export interface Request {
  readonly call: number
  readonly limiter: 'bucket' | 'keyed' | 'window' | 'semaphore'
}

/** Times are ms of the monotonic clock, which all processes of a machine share. */
export type Answer =
  | { readonly call: number; readonly asked: true }
  | {
      readonly call: number
      readonly passed: number
      readonly left: number
      readonly fence: number
    }

const [port, id] = process.argv.slice(2) as [string, string]
const client = new Redis(Number(port))
const subscriber = client.duplicate()
const shared = { client, id, timeout: 10_000, whenDown: 'closed' } as const
const bucket = new RedisTokenBucket({ ...shared, id: `${id}:bucket`, rate: 50, burst: 1 })
const keyed = new RedisKeyedLimiter({ ...shared, id: `${id}:keyed`, rate: 50, burst: 1 })
const window = new RedisSlidingWindow({ ...shared, id: `${id}:window`, limit: 5, window: 100 })
const semaphore = new RedisSemaphore({ ...shared, subscriber, id: `${id}:slots`, permits: 1 })

const now = () => Number(process.hrtime.bigint() / 1_000n) / 1_000
const send = (answer: Answer) => process.send!(answer)

const calls = {
  bucket: () => bucket.acquire().then(() => ({ passed: now(), left: 0, fence: 0 })),
  keyed: () => keyed.acquire('key').then(() => ({ passed: now(), left: 0, fence: 0 })),
  window: () => window.acquire().then(() => ({ passed: now(), left: 0, fence: 0 })),
  semaphore: () =>
    semaphore.run(async ({ fence }) => {
      const passed = now()
      await client.ping()
      return { passed, left: now(), fence }
    }),
}

process.on('message', ({ call, limiter }: Request) => {
  void calls[limiter]().then(times => send({ call, ...times }))
  // On one connection: when this is answered, the call has been.
  void client.ping().then(() => send({ call, asked: true }))
})
process.on('disconnect', () => process.exit())
await client.ping()
send({ call: -1, asked: true })
