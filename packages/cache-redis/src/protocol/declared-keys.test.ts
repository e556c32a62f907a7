import { describeRedis } from '@millrace/testkit/vitest'
import { Redis } from 'ioredis'
import { expect, test } from 'vitest'
import { RedisBus } from '../bus/redis-bus.ts'
import { RedisLease } from '../lease/redis-lease.ts'
import { RedisStore } from '../store/redis-store.ts'
import { collect } from '../testing/collect.fixture.ts'
import { PATIENT } from '../testing/patience.fixture.ts'

/** Commands of scripts that have no key, and how many of the others' arguments are keys. */
const KEYLESS = new Set(['time', 'info', 'publish', 'script'])
const keysOf = ([name, ...args]: readonly string[]): readonly string[] => {
  const command = name!.toLowerCase()
  if (KEYLESS.has(command)) return []
  return command === 'unlink' ? args : args.slice(0, 1)
}

describeRedis('Scripts', redis => {
  test('touch no key that their call has not declared, as some servers and proxies refuse that', async () => {
    const client = new Redis(redis.server.port, { keyPrefix: 'app:' })
    // What is told in the same packet as that it monitors, ioredis does not expect.
    await client.ping()
    const monitor = await client.monitor()
    const undeclared: string[][] = []
    let declared: readonly string[] = []
    let touched = 0
    const told = Promise.withResolvers<void>()
    monitor.on('monitor', (_time: string, args: string[], source: string) => {
      if (/^echo$/i.test(args[0]!)) told.resolve()
      if (/^eval/i.test(args[0]!)) declared = args.slice(3, 3 + Number(args[2]))
      if (source !== 'lua') return
      const keys = keysOf(args)
      touched += keys.length
      if (keys.some(key => !declared.includes(key))) undeclared.push(args)
    })
    for (const hashKeys of [false, true]) {
      const prefix = `hashed ${hashKeys}`
      const store = new RedisStore<string>({ ...PATIENT, client, prefix, hashKeys })
      await using bus = new RedisBus({ ...PATIENT, client, prefix, heartbeat: 1 })
      await bus.ready()
      const keys = Array.from({ length: 200 }, (_, i) => `k${i}`)
      await store.setMany(keys.map(key => ({ key, value: 'v', tags: ['t', key] })))
      const { fence } = await store.lookup(keys)
      await store.set('k0', 'w', { fence, tags: ['t'] })
      await store.expireMany(keys.slice(0, 5))
      await store.deleteMany(keys.slice(5, 10))
      await store.expireTag('t')
      await store.deleteTag('k11')
      await store.publish([{ verb: 'delete', target: 'pattern', name: 'k*' }])
      await collect(store.keys())
      await client.unlink(`${prefix}:{0}!`)
      await store.set('k0', 'x', { fence: await store.fence(), tags: ['t'] })
      await client.unlink(`${prefix}:{0}`)
      await store.get('k0')
      await store.clear()
      await store.close()
    }
    await using lease = new RedisLease({ ...PATIENT, client })
    const hold = await lease.acquire('k')
    await hold!.release()
    await client.echo('end')
    // The other connection may tell of it later.
    await told.promise
    expect(undeclared).toEqual([])
    expect(touched).toBeGreaterThan(1_000)
    monitor.disconnect()
    client.disconnect()
  })
})
