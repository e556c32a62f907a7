import { setTimeout as sleep } from 'node:timers/promises'
import { FaultProxy, runs } from '@millrace/testkit'
import { describeRedis } from '@millrace/testkit/vitest'
import { Redis } from 'ioredis'
import { afterAll, beforeAll, test } from 'vitest'
import { expectSound } from './expect-sound.fixture.ts'
import { Fleet } from './fleet.fixture.ts'

/** ms of a round. */
const ROUND = 350

describeRedis('Four processes that read and change at random', redis => {
  let proxy: FaultProxy
  let raw: Redis
  let fleet: Fleet
  beforeAll(async () => {
    proxy = await FaultProxy.start({ target: redis.server.port })
    raw = new Redis(redis.server.port, { retryStrategy: () => 20 })
    // It is told by what the test does next.
    raw.on('error', () => undefined)
    const near = { connection: { port: redis.server.port } }
    // Half of them are behind the faults of the network, so that the others go on meanwhile.
    const far = { connection: { port: proxy.port } }
    fleet = await Fleet.start([far, far, near, near])
  })
  afterAll(async () => {
    await fleet?.stop()
    raw.disconnect()
    await proxy.stop()
  })

  const mended = async (wait = 150) => {
    await sleep(wait)
    await proxy.heal()
  }
  const faults: Record<string, () => unknown> = {
    'connections are cut': () => proxy.cut(),
    'there is no connection for a while': () => {
      proxy.refuse()
      proxy.cut()
      return mended()
    },
    'nothing arrives for longer than a timeout': () => {
      proxy.stall()
      return mended(230)
    },
    'replies are lost': () => {
      proxy.stall('down')
      return mended(230)
    },
    'the network is slow': () => {
      proxy.latency(20, 15)
      return mended(230)
    },
    'clients are paused for longer than a timeout': () => raw.client('PAUSE', 230, 'ALL'),
    'the server process stands still': async () => {
      redis.server.pause()
      await sleep(500)
      redis.server.resume()
    },
    'clients are killed': () => raw.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes'),
    'subscribers are killed': () => raw.call('CLIENT', 'KILL', 'TYPE', 'pubsub'),
    'everything is flushed': () => raw.flushall(),
    'keys are evicted one by one': async () => {
      for (let i = 0; i < 40; i++) {
        const name = await raw.randomkey()
        if (name !== null) await raw.unlink(name)
        await sleep(ROUND / 60)
      }
    },
    'scripts are flushed': () => raw.script('FLUSH'),
    'an older state is put back under open connections': async () => {
      await raw.swapdb(0, 1)
      await sleep(ROUND / 3)
      await raw.swapdb(0, 1)
    },
    'the server is killed and comes back empty': async () => {
      await redis.server.kill()
      await sleep(100)
      await redis.server.restart()
    },
  }
  test.each(Object.entries(faults))('serve nothing outdated when %s', async (_, fault) => {
    const reports = await fleet.round(runs(ROUND), fault)
    expectSound(reports, await fleet.settled())
  })

  test('serve nothing outdated when one of them is killed wherever it is', async () => {
    const reports = await fleet.round(
      runs(ROUND),
      async () => {
        await sleep(Math.random() * ROUND * 0.8)
        await fleet.replace(3)
      },
      3,
    )
    expectSound(reports, await fleet.settled())
  })

  const policies = [
    'noeviction',
    'allkeys-lru',
    'allkeys-lfu',
    'allkeys-random',
    'volatile-lru',
    'volatile-lfu',
    'volatile-random',
    'volatile-ttl',
  ]
  test.each(policies)('serve nothing outdated when memory is short, with %s', async policy => {
    await raw.config('SET', 'maxmemory-policy', policy)
    const used = Number(/used_memory:(\d+)/.exec(await raw.info('memory'))![1])
    const reports = await fleet.round(runs(ROUND), async () => {
      await raw.config('SET', 'maxmemory', used + 200_000)
      for (let i = 0; i < 20; i++) {
        const fill = Array.from({ length: 20 }, (_, j) =>
          raw.set(`filler:${i}:${j}`, 'x'.repeat(2_000), 'PX', 60_000),
        )
        // What is refused is so on purpose.
        await Promise.allSettled(fill)
        await sleep(ROUND / 15)
      }
    })
    await raw.config('SET', 'maxmemory', 0)
    expectSound(reports, await fleet.settled())
  })
})
