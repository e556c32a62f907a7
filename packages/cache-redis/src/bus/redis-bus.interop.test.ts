import type { Invalidation } from '@millrace/cache-core/tiered'
import { startCluster } from '@millrace/testkit'
import { Cluster } from 'ioredis'
import { expect, test } from 'vitest'
import { BusLog } from './bus-log.fixture.ts'
import { RedisBus } from './redis-bus.ts'

const key = (name: string): Invalidation => ({ verb: 'delete', target: 'key', name })

test('in a Cluster messages reach every node, also after a fail-over', async () => {
  await using cluster = await startCluster()
  const client = new Cluster(cluster.startupNodes, { clusterRetryStrategy: () => 50 })
  client.on('error', () => undefined)
  await using a = new RedisBus({ client, heartbeat: 300, timeout: 10_000 })
  await using b = new RedisBus({ client, heartbeat: 300, timeout: 10_000 })
  await Promise.all([a.ready(), b.ready()])
  const log = new BusLog(b)
  await a.publish([key('1')])
  await log.has('delete key 1')
  // The journals of the first shards lie with the first primary.
  await cluster.kill(cluster.nodes[0]!)
  // Refused while the sender does not know the new primary.
  while (!log.events.includes('delete key 2')) {
    await Promise.allSettled([a.publish([key('2')])])
    await log.next()
  }
  // A confirmed message arrives, or a gap tells that it may be lost: the receiver may still be on its way to another node.
  for (let sent = 3, arrived = false; !arrived; sent++) {
    const before = log.events.length
    await a.publish([key(`${sent}`)])
    await log.until(events => {
      arrived = events.includes(`delete key ${sent}`)
      return arrived || events.includes('gap', before)
    })
  }
  expect(a.stats().sent).toBeGreaterThan(1)
  client.disconnect()
})
