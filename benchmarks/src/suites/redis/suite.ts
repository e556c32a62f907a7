import { defineCase, defineSuite, type Fixture } from '../../define.ts'
import { bentocache, millrace } from './contenders.ts'
import { checkCommands, checkMixed, commandsPerHit, mixed } from './mixed.ts'

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
      goal: 2.5,
      fixture: redisServer,
      ours: mixed(millrace),
      peers: { bentocache: mixed(bentocache) },
      check: checkMixed,
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
