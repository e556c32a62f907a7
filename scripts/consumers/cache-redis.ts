import { InvalidOptionError, RedisStore } from '@millrace/cache-redis'
import { Redis } from 'ioredis'

const redis = new Redis({ lazyConnect: true })
const store = new RedisStore({ client: redis, prefix: 'app' })
const { hits }: { hits: number } = store.stats()
let refused: unknown
try {
  new RedisStore({ client: redis, timeout: -1 })
} catch (error) {
  refused = error
}
await store.close()
redis.disconnect()
if (hits !== 0 || !(refused instanceof InvalidOptionError))
  throw new Error('cache-redis does not work')
