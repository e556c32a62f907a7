import type { Measurement, Prepare } from '../../../define.ts'
import { retainedBytes } from '../../../measure/retained-bytes.ts'

export const waiters = 100_000

/** Bytes per caller that waits, its promise included. */
function perWaiter(wait: () => unknown): Measurement<number> {
  return {
    async measure() {
      const held: unknown[] = new Array(waiters)
      const { bytes, built } = await retainedBytes(() => {
        for (let i = 0; i < waiters; i++) held[i] = wait()
        return held
      })
      return { value: bytes / waiters, result: built.length }
    },
  }
}

const job = async () => undefined
const never = () => new Promise<undefined>(() => {})

export const tokenBucket: Prepare<number> = async () => {
  const { TokenBucket } = await import('@millrace/rate-limit')
  const bucket = new TokenBucket({ rate: 0.001, burst: 1 })
  bucket.tryAcquire()
  return perWaiter(() => bucket.acquire())
}

export const limiter: Prepare<number> = async () => {
  const { TokenBucket } = await import('limiter')
  const bucket = new TokenBucket({ bucketSize: 1, tokensPerInterval: 0.001, interval: 'second' })
  return perWaiter(() => bucket.removeTokens(1))
}

export const bottleneck: Prepare<number> = async () => {
  const { default: Bottleneck } = await import('bottleneck')
  const scheduler = new Bottleneck({ maxConcurrent: 1 })
  void scheduler.schedule(never)
  return perWaiter(() => scheduler.schedule(job))
}

export const pQueue: Prepare<number> = async () => {
  const { default: PQueue } = await import('p-queue')
  const queue = new PQueue({ concurrency: 1 })
  void queue.add(never)
  return perWaiter(() => queue.add(job))
}
