import { setTimeout as sleep } from 'node:timers/promises'
import { RedisTokenBucket } from '@millrace/rate-limit/redis'
import { RedisServer } from '@millrace/testkit'
import { Redis } from 'ioredis'
import type { Prepare } from '../../../define.ts'

export type Fault = 'no fault' | 'FLUSHALL' | 'mixed options' | 'Redis paused' | 'Redis killed'

export interface FaultRun {
  readonly granted: number
  readonly before: number
  readonly after: number
}

const RATE = 200
const BURST = 10
const PROCESSES = 4
const CALLERS = 30
/** For so long, in ms, limiters that start take themselves for more than they are, as their README says. */
const UNSETTLED = 3_300

const strike: Readonly<Record<Fault, (server: RedisServer, admin: Redis) => Promise<unknown>>> = {
  'no fault': async () => {},
  FLUSHALL: (_, admin) => admin.flushall(),
  'mixed options': async () => {},
  'Redis paused': async server => {
    server.pause()
    await sleep(1_500)
    server.resume()
  },
  'Redis killed': async server => {
    await server.kill()
    await sleep(1_000)
    await server.restart()
  },
}

/** The most permits that any stretch of time holds beyond the burst and the rate. O(permits). */
function mostOver(times: readonly number[]): number {
  let most = 0
  // The least that a stretch which begins here could be short of.
  let least = Infinity
  for (const [index, time] of times.entries()) {
    const due = index - (time * RATE) / 1_000
    least = Math.min(least, due)
    most = Math.max(most, due - least + 1 - BURST)
  }
  return most
}

/** Real time, a real server, and callers that never stop. */
export const fault =
  (name: Fault): Prepare<FaultRun> =>
  async ({ quick }) => ({
    async measure() {
      const server = await RedisServer.start()
      const admin = new Redis(server.port)
      admin.on('error', () => {})
      const clients = Array.from({ length: PROCESSES }, () => new Redis(server.port))
      await Promise.all(clients.map(client => client.ping()))
      for (const client of clients) client.on('error', () => {})
      const buckets = clients.map((client, index) => {
        const odd = name === 'mixed options' && index % 2 === 1
        const options = odd ? { maxWait: 400, timeout: 500 } : {}
        return new RedisTokenBucket({ client, id: 'api', rate: RATE, burst: BURST, ...options })
      })
      const times: number[] = []
      const half = quick ? 1_500 : 4_000
      const start = performance.now()
      let end = Infinity
      const callers = buckets.flatMap(bucket =>
        Array.from({ length: CALLERS }, async () => {
          while (performance.now() < end) {
            const passed = await bucket.acquire({ timeout: 2_000 }).then(
              () => true,
              () => sleep(10).then(() => false),
            )
            if (passed) times.push(performance.now() - start)
          }
        }),
      )
      await sleep(UNSETTLED)
      const settled = times.length
      await sleep(half)
      const before = times.length - settled
      await strike[name](server, admin)
      const struck = times.length
      await sleep(half)
      end = performance.now()
      const after = times.length - struck
      await Promise.all(buckets.map(bucket => bucket.close()))
      await Promise.all(callers)
      for (const client of [admin, ...clients]) client.disconnect()
      await server.stop()
      return { value: mostOver(times), result: { granted: times.length, before, after } }
    },
  })
