import { runs } from '@millrace/testkit'
import { expect, test } from 'vitest'
import { insight } from '../advise/insight.ts'
import { policies } from '../policy/policies.ts'
import type { PolicyName } from '../policy/policy.ts'
import { Cache } from './cache.ts'

/** Operations in all; MILLRACE_TEST_SCALE=250 makes it 100 million. */
const OPERATIONS = runs(400_000)

/** Heap and buffers after a collection, in bytes. */
function used(): number {
  for (let pass = 0; pass < 3; pass++) globalThis.gc!()
  const { heapUsed, arrayBuffers } = process.memoryUsage()
  return heapUsed + arrayBuffers
}

test.each<PolicyName>(['adaptive', 'lru', 'sieve', 's3-fifo', 'w-tinylfu'])(
  '%s keeps a flat heap while keys come, change, expire and go',
  policy => {
    let now = 0
    const clock = { now: () => now, setTimer: () => ({ cancel() {} }) }
    const cache = new Cache<string, object>({
      policy: policies[policy],
      clock,
      maxEntries: 1_000,
      insight: insight({ advice: false }),
    })
    let serial = 0
    const work = (operations: number): void => {
      for (let i = 0; i < operations; i++) {
        const key = `key ${serial++ % 50_000}`
        const kind = serial % 10
        if (kind < 5) cache.set(key, { serial })
        else if (kind < 6) cache.set(key, { serial }, { ttl: 10, tags: [`tag ${serial % 5_000}`] })
        else if (kind < 8) cache.get(key)
        else if (kind < 9) cache.delete(`key ${(serial - 40) % 50_000}`)
        else now += 0.1
      }
    }
    const rounds = 4
    work(OPERATIONS / 5 / (rounds + 1))
    const before = used()
    for (let round = 0; round < rounds; round++) work(OPERATIONS / 5 / (rounds + 1))
    expect(used() - before).toBeLessThan(1_500_000)
    expect(cache.size).toBeLessThanOrEqual(1_000)
  },
  600_000,
)
