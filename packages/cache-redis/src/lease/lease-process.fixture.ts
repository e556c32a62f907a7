import { setTimeout as sleep } from 'node:timers/promises'
import { TieredCache } from '@millrace/cache-core/tiered'
import { Redis } from 'ioredis'
import { RedisLease, RedisStore } from '../index.ts'
import { PATIENT, PATIENT_TIERS } from '../testing/patience.fixture.ts'

/** One of several processes: on a message, many callers ask for the key that it names, and it answers with the values they got. */
const url = process.argv[2]!
const counter = new Redis(url)
const cache = new TieredCache<number>({
  ...PATIENT_TIERS,
  store: new RedisStore<number>({ ...PATIENT, url }),
  lease: new RedisLease({ ...PATIENT, url }),
  ttl: 600_000,
})

async function load({ key }: { readonly key: string }): Promise<number> {
  const loads = await counter.incr(`loads:${key}`)
  await sleep(200)
  return loads
}

process.on('message', async (key: string) => {
  const callers = Array.from({ length: 200 }, () => cache.getOrLoad(key, load))
  process.send!([...new Set(await Promise.all(callers))])
})
// Connections are there before it counts.
await cache.getOrLoad(`warm up of ${process.pid}`, load)
process.send!('ready')
