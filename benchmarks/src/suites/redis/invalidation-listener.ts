import { setTimeout as sleep } from 'node:timers/promises'
import { TieredCache } from '@millrace/cache-core/tiered'
import { RedisBus, RedisStore } from '@millrace/cache-redis'

/** One of the processes that hear of invalidations: notes how long each took to arrive, by the time that its key says. */
const url = `redis://127.0.0.1:${process.argv[2]}`
const bus = new RedisBus({ url })
const cache = new TieredCache<string>({ store: new RedisStore<string>({ url }), bus })
const delays: number[] = []
bus.subscribe({
  onInvalidations: list => {
    const now = process.hrtime.bigint()
    for (const { name } of list) delays.push(Number(now - BigInt(name)) / 1e6)
  },
  onGap: () => undefined,
})
process.on('message', async (expected: number) => {
  for (let i = 0; i < 1_000 && delays.length < expected; i++) await sleep(5)
  process.send!(delays)
})
await bus.ready()
process.send!(cache.stats().received)
