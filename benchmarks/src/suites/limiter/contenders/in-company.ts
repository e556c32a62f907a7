import type { Prepare } from '../../../define.ts'
import { timeInTurn } from '../../../measure/in-turn.ts'
import { keys } from './keys.ts'

const operations = 5_000
const companyCalls = 200

/** A call that passes or is refused, by key. */
type Consume = (key: string) => boolean | Promise<boolean>

/** So much that every call passes, and no bucket is ever full. */
const plenty = { rate: 1e3, burst: 1e9 }

const ours = async (): Promise<Consume> => {
  const { KeyedLimiter } = await import('@millrace/rate-limit')
  const limiter = new KeyedLimiter(plenty)
  return key => limiter.tryAcquire(key)
}

const flexible = async (): Promise<Consume> => {
  const { RateLimiterMemory } = await import('rate-limiter-flexible')
  const limiter = new RateLimiterMemory({ points: 1e12, duration: 3_600 })
  return async key => (await limiter.consume(key)) !== undefined
}

/** Limiters of other kinds, rates and keys, of both libraries, some of which refuse. */
async function company(): Promise<Consume[]> {
  const { KeyedLimiter, KeyedWindow, SlidingWindow, TokenBucket } = await import(
    '@millrace/rate-limit'
  )
  const { RateLimiterMemory } = await import('rate-limiter-flexible')
  const scarce = new KeyedLimiter({ rate: 1e-3, burst: 1, maxKeys: 100 })
  const child = new KeyedLimiter({ ...plenty, parent: new TokenBucket(plenty) })
  const keyedWindow = new KeyedWindow({ limit: 10, window: 60_000 })
  const window = new SlidingWindow({ limit: 1_000, window: 1_000 })
  const bucket = new TokenBucket(plenty)
  const memory = new RateLimiterMemory({ points: 1, duration: 60 })
  return [
    key => scarce.tryAcquire(key),
    key => child.tryAcquire(`tenant:${key}`),
    key => keyedWindow.tryAcquire(`user:${key}`),
    () => window.tryAcquire(),
    () => bucket.tryAcquire(),
    key =>
      memory.consume(key).then(
        () => true,
        (refusal: unknown) => {
          if (refusal instanceof Error) throw refusal
          return false
        },
      ),
  ]
}

/** Calls by 1,000 keys in turn, all of which pass, while limiters of other kinds are used in turn; only the one in question is timed. */
const inCompany =
  (create: () => Promise<Consume>): Prepare<number> =>
  async ({ quick }) => {
    const consume = await create()
    const others = await company()
    const names = keys(1_000)
    let refused = 0
    return {
      async measure() {
        const value = await timeInTurn({
          operations,
          quick,
          async company() {
            for (const other of others) {
              for (let i = 0; i < companyCalls; i++) await other(names[i]!)
            }
          },
          async perform() {
            for (let i = 0; i < operations; i++) {
              const answer = consume(names[i % 1_000]!)
              if (!(typeof answer === 'boolean' ? answer : await answer)) refused++
            }
          },
        })
        return { value, result: refused }
      },
    }
  }

export const oursInCompany: Prepare<number> = inCompany(ours)
export const flexibleInCompany: Prepare<number> = inCompany(flexible)
