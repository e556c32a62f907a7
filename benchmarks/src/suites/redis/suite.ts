import { defineCase, defineSuite, type Fixture } from '../../define.ts'
import { checkCold, cold } from './cold.ts'
import { bentocache, floor, millrace } from './contenders.ts'
import { checkHeard, type Delays, invalidationDelay } from './invalidation.ts'
import { checkCommands, checkMixed, commandsPerHit, mixed } from './mixed.ts'
import { bareReads, checkReads, storeReads } from './second-tier.ts'

/** A real Redis server in a process of its own. */
async function redisServer(): Promise<Fixture> {
  const { RedisServer } = await import('@millrace/testkit')
  const server = await RedisServer.start()
  return { value: server.port, close: () => server.stop() }
}

export default defineSuite({
  name: 'redis',
  description:
    'A cache in memory over a Redis server on loopback, every value with a tag. CPU time is that of the client process; the server has its own. Each figure is the median of the rounds (5, or up to 3 with `--quick`), each in a process of its own, ours and the peer in turn.',
  versions: ['bentocache', 'ioredis'],
  headline: /^L1 and L2, mixed$/,
  cases: [
    defineCase<number>({
      name: 'L1 and L2, mixed',
      description:
        '95 % reads (loading what is missing), 4 % writes and 1 % removals of 10,000 keys by a Zipf law, 1,000 in memory, 16 callers at once',
      unit: 'us CPU/op',
      goal: { bentocache: 2.5 },
      fixture: redisServer,
      ours: mixed(millrace),
      // The second is the floor: our memory over bare ioredis, with no envelope, tags, fence or timeout.
      peers: { bentocache: mixed(bentocache), 'bare ioredis': mixed(floor) },
      check: checkMixed,
    }),
    defineCase<number>({
      name: 'L1 and L2, from cold',
      description: 'every key loaded once, none stored before, 16 callers at once',
      unit: 'us CPU/op',
      goal: { bentocache: 1 },
      fixture: redisServer,
      ours: cold(millrace),
      peers: { bentocache: cold(bentocache), 'bare ioredis': cold(floor) },
      check: checkCold,
    }),
    defineCase<number>({
      name: 'a hit of L2',
      description:
        '`get` of the store alone beside a bare `get` of ioredis, values of 150 bytes, 16 callers at once',
      unit: 'us CPU/op',
      goal: 1 / 1.25,
      fixture: redisServer,
      ours: storeReads,
      peers: { 'bare ioredis': bareReads },
      check: checkReads,
    }),
    defineCase<Delays>({
      name: 'an invalidation reaches three other processes',
      description:
        'from the call of `delete` until the other processes have dropped the key, 99th percentile of 3 x 1,000, one a ms at most',
      unit: 'ms p99',
      limit: 10,
      fixture: redisServer,
      ours: invalidationDelay,
      peers: {},
      check: checkHeard,
    }),
    defineCase<string>({
      name: 'Redis commands for a tagged hit in memory',
      description: 'commands that the server processed, per read',
      unit: 'commands/op',
      limit: 0.01,
      fixture: redisServer,
      ours: commandsPerHit(millrace),
      peers: { bentocache: commandsPerHit(bentocache) },
      check: checkCommands,
    }),
  ],
})
