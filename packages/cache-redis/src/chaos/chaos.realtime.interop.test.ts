import { setTimeout as sleep } from 'node:timers/promises'
import {
  FaultProxy,
  type RedisCluster,
  RedisServer,
  runs,
  startCluster,
  startSentinel,
} from '@millrace/testkit'
import { Redis } from 'ioredis'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { expectSound } from './expect-sound.fixture.ts'
import { Fleet } from './fleet.fixture.ts'

/** ms of a round, at least as long as a fail-over takes. */
const ROUND = 2_500
/** ms of a stall that is longer than every timeout. */
const STANDSTILL = 5_000

/** Four processes that find Redis in the same way. */
const everywhere = (target: Parameters<typeof Fleet.start>[0][0]) =>
  Fleet.start([target, target, target, target])

test('nothing outdated is served when a server is killed and comes back with an older state', async () => {
  await using server = await RedisServer.start({
    args: ['--appendonly', 'yes', '--appendfsync', 'no', '--save', '1 1'],
  })
  await using fleet = await everywhere({ connection: { port: server.port } })
  for (let round = 0; round < runs(1); round++) {
    const reports = await fleet.round(ROUND, async () => {
      await sleep(1_500)
      await server.kill()
      await server.restart()
    })
    expectSound(reports, await fleet.settled())
  }
})

describe('nothing outdated is served when, for five seconds,', () => {
  let server: RedisServer
  let proxy: FaultProxy
  let fleet: Fleet
  beforeAll(async () => {
    server = await RedisServer.start()
    proxy = await FaultProxy.start({ target: server.port })
    const [far, near] = [proxy.port, server.port].map(port => ({ connection: { port } }))
    fleet = await Fleet.start([far!, far!, near!, near!])
  })
  afterAll(async () => {
    await fleet?.stop()
    await proxy?.stop()
    await server?.stop()
  })

  const standstills: Record<string, () => unknown> = {
    'nothing arrives': () => proxy.stall(),
    'clients are paused': async () => {
      const raw = new Redis(server.port)
      await raw.client('PAUSE', STANDSTILL, 'WRITE')
      raw.disconnect()
    },
    'the server process stands still': () => server.pause(),
  }
  test.each(Object.entries(standstills))('%s', async (_, fault) => {
    const reports = await fleet.round(STANDSTILL + 1_500, async () => {
      await sleep(500)
      await fault()
      await sleep(STANDSTILL)
      server.resume()
      await proxy.heal()
    })
    expectSound(reports, await fleet.settled())
  })
})

test('nothing outdated is served when Sentinel fails over', async () => {
  await using set = await startSentinel()
  await using fleet = await everywhere({
    connection: { sentinels: set.sentinels, name: set.name },
  })
  const reports = await fleet.round(runs(2 * ROUND), async () => {
    await sleep(1_000)
    await set.killPrimary()
  })
  expectSound(reports, await fleet.settled())
})

test('nothing outdated is served when a primary of a Cluster dies', async () => {
  await using cluster = await startCluster()
  await using fleet = await everywhere({ cluster: cluster.startupNodes })
  const reports = await fleet.round(runs(2 * ROUND), async () => {
    await sleep(1_000)
    await cluster.kill(cluster.nodes[0]!)
  })
  expectSound(reports, await fleet.settled())
})

test('nothing outdated is served when slots move from one node of a Cluster to another', async () => {
  await using cluster = await startCluster()
  await using fleet = await everywhere({ cluster: cluster.startupNodes })
  let moved = 0
  const reports = await fleet.round(runs(ROUND), async () => {
    await sleep(500)
    moved = await moveKeys(cluster)
  })
  expect(moved).toBeGreaterThan(0)
  expectSound(reports, await fleet.settled())
})

/** Moves every slot with keys from the first primary to the second, as `redis-cli --cluster reshard` does. */
async function moveKeys(cluster: RedisCluster): Promise<number> {
  const [from, to, third] = cluster.nodes.slice(0, 3).map(({ port }) => new Redis(port))
  const [fromId, toId] = await Promise.all(
    [from!, to!].map(node => node.call('CLUSTER', 'MYID') as Promise<string>),
  )
  const names = (await from!.keys('*')) as string[]
  const slots = new Set(
    await Promise.all(names.map(name => from!.call('CLUSTER', 'KEYSLOT', name) as Promise<number>)),
  )
  for (const slot of slots) {
    await to!.call('CLUSTER', 'SETSLOT', slot, 'IMPORTING', fromId!)
    await from!.call('CLUSTER', 'SETSLOT', slot, 'MIGRATING', toId!)
    for (;;) {
      const some = (await from!.call('CLUSTER', 'GETKEYSINSLOT', slot, 10)) as string[]
      if (some.length === 0) break
      const { host, port } = cluster.nodes[1]!
      await from!.call('MIGRATE', host, port, '', 0, 30_000, 'REPLACE', 'KEYS', ...some)
    }
    for (const node of [to!, from!, third!]) {
      await node.call('CLUSTER', 'SETSLOT', slot, 'NODE', toId!)
    }
  }
  for (const node of [from!, to!, third!]) node.disconnect()
  return slots.size
}
