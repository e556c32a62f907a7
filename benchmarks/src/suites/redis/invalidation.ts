import assert from 'node:assert/strict'
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Prepare } from '../../define.ts'

const listeners = 3
const invalidations = 1_000

/** What the listeners noted. */
export interface Delays {
  readonly heard: number
}

/** ms from a `delete` of one process until the first tiers of three others have dropped the key, 99th percentile. */
export const invalidationDelay: Prepare<Delays> = async ({ fixture }) => {
  const port = fixture as number
  const { TieredCache } = await import('@millrace/cache-core/tiered')
  const { RedisBus, RedisStore } = await import('@millrace/cache-redis')
  const url = `redis://127.0.0.1:${port}`
  const store = new RedisStore<string>({ url })
  const bus = new RedisBus({ url })
  const cache = new TieredCache<string>({ store, bus })
  await bus.ready()
  const children = await Promise.all(Array.from({ length: listeners }, () => listen(port)))
  return {
    async measure() {
      for (let i = 0; i < invalidations; i++) {
        // The clock is the machine's: every process reads the same one.
        await cache.delete(`${process.hrtime.bigint()}`)
        await sleep(1)
      }
      const delays = (await Promise.all(children.map(report))).flat().sort((a, b) => a - b)
      const value = delays[Math.floor(delays.length * 0.99)]!
      return { value, result: { heard: delays.length } }
    },
    async close() {
      for (const child of children) child.kill()
      await bus.close()
      await store.close()
    },
  }
}

export function checkHeard({ heard }: Delays): void {
  assert.equal(heard, listeners * invalidations)
}

async function listen(port: number): Promise<ChildProcess> {
  const child = fork(join(import.meta.dirname, 'invalidation-listener.ts'), [`${port}`])
  await once(child, 'message')
  return child
}

async function report(child: ChildProcess): Promise<number[]> {
  child.send(invalidations)
  const [delays] = (await once(child, 'message')) as [number[]]
  return delays
}
