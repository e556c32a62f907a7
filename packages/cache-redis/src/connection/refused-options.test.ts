import { InvalidOptionError } from '@millrace/kit'
import { describeRedis } from '@millrace/testkit/vitest'
import { Redis } from 'ioredis'
import { describe, expect, test } from 'vitest'
import { RedisBus } from '../bus/redis-bus.ts'
import { RedisLease } from '../lease/redis-lease.ts'
import { RedisStore } from '../store/redis-store.ts'
import { RedisTracking } from '../tracking/redis-tracking.ts'

type Made = { close(): Promise<void> }
const classes: Record<string, new (options: never) => Made> = {
  RedisStore,
  RedisBus,
  RedisTracking,
  RedisLease,
}

describeRedis('Options that are refused', redis => {
  const refused = (make: new (options: never) => Made, options: unknown) => {
    let error: unknown
    try {
      void new make(options as never).close()
    } catch (thrown) {
      error = thrown
    }
    expect(error, JSON.stringify(options)).toBeInstanceOf(InvalidOptionError)
    return (error as InvalidOptionError).message
  }

  describe.each(Object.entries(classes))('by %s', (_, make) => {
    test('where Redis is must be said, in a way that ioredis does not guess at', () => {
      const passwords = [
        'not a url with s3cret',
        'http://:s3cret@host',
        'redis://:s3cret@host:port',
      ]
      for (const url of ['', '5', 'localhost', '/tmp/socket', 6379, {}, ...passwords]) {
        expect(refused(make, { url })).toMatch(/^Expected `url` to be a redis/)
        expect(refused(make, { url })).not.toContain('s3cret')
      }
      for (const connection of [6379, 'localhost', true, [], () => ({})]) {
        expect(refused(make, { connection })).toMatch(/^Expected `connection` to be an object/)
      }
      for (const options of [undefined, null, 'redis://host', []]) {
        expect(refused(make, options)).toMatch(/^Expected `options`/)
      }
      expect(refused(make, {})).toMatch(/^Expected `client` to be given/)
    })

    test('and leave no connection open', async () => {
      const { url, port } = redis.server
      const wrong: object[] = [
        { url, prefix: '' },
        { url, prefix: '{a}' },
        { url, prefix: 'a', timeout: 0 },
        { url, clock: 5 },
        { url, clock: { now: () => 0 } },
        { url, breaker: { failures: 0 } },
        { url, maxPending: 1.5 },
        { url, unknown: 1 },
        { connection: { port, role: 'slave' } },
        { connection: { port, keyPrefix: 5 } },
      ]
      for (const options of wrong) refused(make, options)
      const raw = new Redis(port)
      await raw.ping()
      const clients = async () =>
        String(await raw.client('LIST'))
          .trim()
          .split('\n').length
      // The server may hear later than this connection begins of the end of another test's.
      await expect.poll(clients).toBe(1)
      raw.disconnect()
    })
  })
})
