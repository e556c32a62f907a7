import { setTimeout as sleep } from 'node:timers/promises'
import { TieredCache } from '@millrace/cache-core/tiered'
import { Redis } from 'ioredis'
import { RedisLease, RedisStore } from '../index.ts'
import { PATIENT, PATIENT_TIERS } from '../testing/patience.fixture.ts'

/** One of several processes: on a message, many callers ask for the key that it names, and it answers with the values they got. */
const url = process.argv[2]!
const others = Number(process.argv[3]) - 1
const counter = new Redis(url)
const lease = new RedisLease({ ...PATIENT, url, ttl: 60_000 })
const cache = new TieredCache<number>({
  ...PATIENT_TIERS,
  store: new RedisStore<number>({ ...PATIENT, url }),
  lease,
  ttl: 600_000,
})

/** Counts, and ends when all others wait: who had looked for the value before it was there, and asks for the lease after that, loads too. */
async function load({ key }: { readonly key: string }): Promise<number> {
  const loads = await counter.incr(`loads:${key}`)
  while (Number(await counter.get(`waiting:${key}`)) < others) await sleep(10)
  return loads
}

process.on('message', async (key: string) => {
  const { acquired, waited } = lease.stats()
  const callers = Array.from({ length: 200 }, () => cache.getOrLoad(key, load))
  for (;;) {
    const now = lease.stats()
    if (now.waited > waited) await counter.incr(`waiting:${key}`)
    if (now.waited > waited || now.acquired > acquired) break
    await sleep(5)
  }
  process.send!([...new Set(await Promise.all(callers))])
})
// Connections are there before it counts.
await cache.getOrLoad(`warm up of ${process.pid}`, () => 0)
process.send!('ready')
