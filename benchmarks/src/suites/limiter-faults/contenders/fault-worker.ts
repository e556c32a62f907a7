import { setTimeout as sleep } from 'node:timers/promises'
import { Redis } from 'ioredis'

/** One process of several that share a limit on Redis, called without end until it is told to stop. */

export interface FaultTask {
  readonly port: number
  readonly kind: 'bucket' | 'keys' | 'semaphore'
  readonly callers: number
  /** Of a limiter by key. */
  readonly keys?: number
  /** Of the limiter, but for the client. */
  readonly options: Readonly<Record<string, unknown>>
}

/** One permit, in ms of the machine's monotonic clock: when it entered, of a semaphore when it left, and of a limiter by key which. */
export type Passage = readonly [entered: number, left: number, key: number]

/** What passed since the last report. */
export type FaultReport = readonly Passage[]

const { port, kind, callers, keys = 1, options } = JSON.parse(process.argv[2] ?? '') as FaultTask
const now = () => Number(process.hrtime.bigint() / 1_000n) / 1_000
const client = new Redis(port, { retryStrategy: () => 50 })
// What follows from a broken connection is seen in what passes.
client.on('error', () => {})
await client.ping()
const { RedisKeyedLimiter, RedisSemaphore, RedisTokenBucket } = await import(
  '@millrace/rate-limit/redis'
)

let passed: Passage[] = []
const timeout = 2_000

function makeLimit(): { call(): Promise<void>; close(): Promise<void> } {
  if (kind === 'bucket') {
    const bucket = new RedisTokenBucket({ ...options, client } as never)
    const call = async () => {
      await bucket.acquire({ timeout })
      passed.push([now(), now(), 0])
    }
    return { call, close: () => bucket.close() }
  }
  if (kind === 'keys') {
    const limiter = new RedisKeyedLimiter({ ...options, client } as never)
    const call = async () => {
      const key = Math.floor(keys * Math.random())
      if (await limiter.tryAcquire(`user ${key}`)) passed.push([now(), now(), key])
      else await sleep(10)
    }
    return { call, close: () => limiter.close() }
  }
  const semaphore = new RedisSemaphore({ ...options, client } as never)
  const call = async () => {
    const permit = await semaphore.acquire({ timeout })
    const entered = now()
    // Until it is done, or told that its place is lost.
    await sleep(20 + 60 * Math.random(), undefined, { signal: permit.signal }).catch(() => {})
    passed.push([entered, now(), 0])
    await permit.release()
  }
  return { call, close: () => semaphore.close() }
}

const limit = makeLimit()
let ending = false
async function work(): Promise<void> {
  // A call that was refused comes again soon.
  while (!ending) await limit.call().catch(() => sleep(10))
}
const working = Array.from({ length: callers }, work)
const report = () => {
  if (passed.length > 0) process.send!(passed satisfies FaultReport)
  passed = []
}
// Often, as a process that is killed tells no more.
const reporting = setInterval(report, 10)
process.send!([] satisfies FaultReport)
process.on('message', async () => {
  ending = true
  await limit.close()
  await Promise.all(working)
  clearInterval(reporting)
  report()
  client.disconnect()
  process.disconnect()
})
