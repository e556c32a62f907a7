import type { Context, Measurement, Prepare } from '../../../define.ts'

export interface Paced {
  /** Permits per second after the first fifth of the run. */
  readonly rate: number
  /** The rate asked for. */
  readonly wanted: number
  /** The most permits that passed in any 100 ms. */
  readonly peak: number
}

type Acquire = () => Promise<unknown>

/** So many callers that somebody always waits. */
const workers = 200

/** A closed loop over some seconds: each worker asks for the next permit when it has one. */
function measureRate(acquire: Acquire, wanted: number, { quick }: Context): Measurement<Paced> {
  const duration = quick ? 1_500 : 5_000
  return {
    async measure() {
      const start = performance.now()
      const end = start + duration
      const times: number[] = []
      const work = async () => {
        while (performance.now() < end) {
          await acquire()
          times.push(performance.now())
        }
      }
      // Those that still wait at the end are left to the end of the process.
      await Promise.race([
        Promise.all(Array.from({ length: workers }, work)),
        new Promise(resolve => setTimeout(resolve, duration)),
      ])
      const from = start + duration / 5
      const counted = times.filter(time => time >= from && time < end)
      // The span between first and last permit: the ends of the window would add up to one permit of error.
      const span = counted.at(-1)! - counted[0]!
      const rate = ((counted.length - 1) * 1_000) / span
      const value = Math.abs(rate / wanted - 1) * 100
      return { value, result: { rate, wanted, peak: peak(counted) } }
    },
  }
}

function peak(times: readonly number[]): number {
  let most = 0
  let first = 0
  for (let last = 0; last < times.length; last++) {
    while (times[last]! - times[first]! > 100) first++
    most = Math.max(most, last - first + 1)
  }
  return most
}

export const ours =
  (rate: number): Prepare<Paced> =>
  async context => {
    const { TokenBucket } = await import('@millrace/rate-limit')
    const bucket = new TokenBucket({ rate, burst: 1 })
    return measureRate(() => bucket.acquire(), rate, context)
  }

export const limiter =
  (rate: number): Prepare<Paced> =>
  async context => {
    const { TokenBucket } = await import('limiter')
    const bucket = new TokenBucket({ bucketSize: 1, tokensPerInterval: rate, interval: 'second' })
    return measureRate(() => bucket.removeTokens(1), rate, context)
  }

export const bottleneck =
  (rate: number): Prepare<Paced> =>
  async context => {
    const { default: Bottleneck } = await import('bottleneck')
    const scheduler = new Bottleneck({ minTime: 1_000 / rate })
    return measureRate(() => scheduler.schedule(async () => undefined), rate, context)
  }
