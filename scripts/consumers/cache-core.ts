import { Cache, memoize } from '@millrace/cache-core'

const users = new Cache<string, { name: string }>({ maxEntries: 100, ttl: 60_000 })
users.set('u:1', { name: 'Ada' }, { ttl: 5_000 })
const loaded: { name: string } = await users.getOrLoad('u:2', async () => ({ name: 'Grace' }))
const known: { name: string } | undefined = users.get('u:1')
const square = memoize((n: number) => n * n)
if (known?.name !== 'Ada' || loaded.name !== 'Grace' || square(4) !== 16)
  throw new Error('cache-core does not work')
console.log(`hits ${users.stats().hits}`)
