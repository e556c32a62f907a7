import type { Loop, Prepare } from '../../../define.ts'
import { keys } from './keys.ts'

export const calls = 1_000

/** Far more than any loop spends, so that every call passes, and refilled slowly, so that no bucket is ever full. */
const plenty = { rate: 1e3, burst: 1e9 }

/** So little that after the first call every one is refused. */
const scarce = { rate: 1e-3, burst: 1 }

function repeat(tryOnce: () => boolean): Loop<number> {
  return {
    operations: calls,
    run() {
      let passed = 0
      for (let i = 0; i < calls; i++) if (tryOnce()) passed++
      return passed
    },
  }
}

async function tokenBucket(limits: { rate: number; burst: number }) {
  const { TokenBucket } = await import('@millrace/rate-limit')
  return new TokenBucket(limits)
}

async function limiterBucket({ rate, burst }: { rate: number; burst: number }) {
  const { TokenBucket } = await import('limiter')
  const bucket = new TokenBucket({ bucketSize: burst, tokensPerInterval: rate, interval: 'second' })
  bucket.content = burst
  return bucket
}

export const oursPasses: Prepare<number> = async () => {
  const bucket = await tokenBucket(plenty)
  return repeat(() => bucket.tryAcquire())
}

export const limiterPasses: Prepare<number> = async () => {
  const bucket = await limiterBucket(plenty)
  return repeat(() => bucket.tryRemoveTokens(1))
}

export const oursRefuses: Prepare<number> = async () => {
  const bucket = await tokenBucket(scarce)
  bucket.tryAcquire()
  return repeat(() => bucket.tryAcquire())
}

export const limiterRefuses: Prepare<number> = async () => {
  const bucket = await limiterBucket(scarce)
  bucket.tryRemoveTokens(1)
  return repeat(() => bucket.tryRemoveTokens(1))
}

const keyed = async (limits: { rate: number; burst: number }): Promise<Loop<number>> => {
  const { KeyedLimiter } = await import('@millrace/rate-limit')
  const limiter = new KeyedLimiter(limits)
  const names = keys(calls)
  return {
    operations: calls,
    run() {
      let passed = 0
      for (let i = 0; i < calls; i++) if (limiter.tryAcquire(names[i]!)) passed++
      return passed
    },
  }
}

const flexible = async (points: number): Promise<Loop<number>> => {
  const { RateLimiterMemory } = await import('rate-limiter-flexible')
  const limiter = new RateLimiterMemory({ points, duration: 3_600 })
  const names = keys(calls)
  return {
    operations: calls,
    async run() {
      let passed = 0
      for (let i = 0; i < calls; i++) {
        try {
          await limiter.consume(names[i]!)
          passed++
        } catch (refusal) {
          if (refusal instanceof Error) throw refusal
        }
      }
      return passed
    },
  }
}

/** Spends what the loop must find spent. */
async function exhausted(loop: Loop<number>): Promise<Loop<number>> {
  await loop.run()
  return loop
}

export const oursKeyedPasses: Prepare<number> = () => keyed(plenty)
export const flexiblePasses: Prepare<number> = () => flexible(1e12)
export const oursKeyedRefuses: Prepare<number> = async () => exhausted(await keyed(scarce))
export const flexibleRefuses: Prepare<number> = async () => exhausted(await flexible(1))
