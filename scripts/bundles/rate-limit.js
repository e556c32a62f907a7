import { createServer } from 'node:http'
import { KeyedLimiter } from '@millrace/rate-limit'
import { nodeRateLimit } from '@millrace/rate-limit/http'
import { JobScheduler } from '@millrace/rate-limit/jobs'

const limit = nodeRateLimit({ limiter: new KeyedLimiter({ rate: 0.1, burst: 1 }) })
const server = createServer(async (request, response) => {
  if (await limit(request, response)) response.end('hello')
})
await new Promise(resolve => server.listen(0, '127.0.0.1', resolve))
const url = `http://127.0.0.1:${server.address().port}/`
const statuses = [(await fetch(url)).status, (await fetch(url)).status]
server.close()
server.closeAllConnections()
if (statuses.join() !== '200,429') throw new Error(`answered ${statuses}`)

const jobs = new JobScheduler({ maxConcurrent: 1 })
if ((await jobs.schedule(async () => 'done')) !== 'done') throw new Error('not done')
await jobs.close()
