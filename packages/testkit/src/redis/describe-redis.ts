import { afterAll, beforeAll, describe } from 'vitest'
import { inRealTime } from '../clock/in-real-time.ts'
import { RedisServer, type RedisServerOptions } from './redis-server.ts'

/** What {@link describeRedis} hands to its body. */
export interface RedisFixture {
  /** The running server. @throws before the suite's hooks have run */
  readonly server: RedisServer
}

/**
 * A suite with a Redis server of its own, started before its tests and stopped after them. Without a server program its
 * tests fail with a sentence that says what to install; with MILLRACE_SKIP_REDIS=1 they are skipped.
 * See {@link inRealTime} for a machine that stands still.
 *
 * The body runs while tests are collected: it reads `redis.server` inside hooks and tests only.
 */
export function describeRedis(
  name: string,
  body: (redis: RedisFixture) => void,
  options: RedisServerOptions = {},
): void {
  const suite = process.env.MILLRACE_SKIP_REDIS === '1' ? describe.skip : describe
  suite(name, inRealTime(), () => {
    let server: RedisServer | undefined
    beforeAll(async () => {
      server = await RedisServer.start(options)
    })
    afterAll(() => server?.stop())
    body({
      get server() {
        if (server === undefined) throw new Error('The Redis server starts before the first test')
        return server
      },
    })
  })
}
