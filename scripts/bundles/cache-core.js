import { setTimeout as sleep } from 'node:timers/promises'
import { Cache } from '@millrace/cache-core'
import { FsStore } from '@millrace/cache-core/fs'
import { SqliteStore } from '@millrace/cache-core/sqlite'
import { TickerClock } from '@millrace/cache-core/ticker'
import { TieredCache } from '@millrace/cache-core/tiered'

const clock = new TickerClock()
const before = clock.now()
await sleep(20)
if (clock.now() - before < 10) throw new Error('the clock stands')
const l1 = new Cache({ maxEntries: 10, clock })
l1.set('a', 1)
for (const store of [new FsStore({ folder: 'entries' }), new SqliteStore({ path: 'entries.db' })]) {
  const tiers = new TieredCache({ store, ttl: 60_000 })
  if ((await tiers.getOrLoad('a', async () => 'loaded')) !== 'loaded') throw new Error('no load')
  await tiers.close()
  await store.close()
}
clock.close()
