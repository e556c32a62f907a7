import { Redis } from 'ioredis'
import { RedisTokenBucket } from '../buckets/redis-token-bucket.ts'

/** A process that waits for far more tokens than there are, and says so when it does. */
const [port, id] = process.argv.slice(2) as [string, string]
const client = new Redis(Number(port))
await client.ping()
const bucket = new RedisTokenBucket({ client, id, rate: 100, burst: 1, timeout: 5_000 })
// They end with the process.
for (let i = 0; i < 2_000; i++) bucket.acquire().catch(() => {})
while (bucket.stats().trips < 3) await client.ping()
process.send!('waiting')
