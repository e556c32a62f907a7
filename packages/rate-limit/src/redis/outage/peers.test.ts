import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { VirtualClock } from '@millrace/testkit'
import { describeRedis } from '@millrace/testkit/vitest'
import { expect, test } from 'vitest'
import { StoreGuard } from '../client/store-guard.ts'
import { connections } from '../testing/connections.fixture.ts'
import { Peers } from './peers.ts'

/** So long is counted after a word, in ms. */
const MEMORY = 3_000

describeRedis('processes that share a limit', redis => {
  const connect = connections()

  test('no fewer are counted before three seconds in which every word was heard', async () => {
    const key = randomUUID()
    const client = await connect(redis.server.port)
    const clock = new VirtualClock()
    const breaker = { failures: Infinity, cooldown: 1 }
    const guard = new StoreGuard(client, 'test', clock, { timeout: 60_000, breaker })
    const peers = new Peers(key, guard, clock, { expected: 1, heard: () => {} })
    const admin = await connect(redis.server.port)
    /** The clock goes on by as much as the server answers, however busy the machine is. */
    const words = async (count: number) => {
      const before = guard.trips
      while (guard.trips < before + count) {
        void peers.called()
        await clock.advanceAsync(100)
        await client.ping()
        // All that follows from the answer, however many promises it takes.
        await nextTurn()
      }
    }
    const another = new Peers(key, new StoreGuard(admin, 'test', clock, {}), new VirtualClock(), {
      expected: 1,
      heard: () => {},
    })
    await another.called()
    await peers.called()
    expect([peers.counted, peers.most]).toEqual([2, 2])
    await clock.advanceAsync(2 * MEMORY)

    // Neither is heard for long enough to be forgotten; then this one is.
    client.disconnect()
    await once(client, 'end')
    await clock.advanceAsync(2 * MEMORY)
    await admin.del(key)
    await client.connect()
    await words(1)
    expect([peers.counted, peers.most]).toEqual([1, 2])
    await clock.advanceAsync(MEMORY - 1_500)
    await words(1)
    expect([peers.counted, peers.most]).toEqual([1, 2])
    await words(3)
    expect([peers.counted, peers.most]).toEqual([1, 1])
    peers.close()
  })
})
