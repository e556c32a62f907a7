import { MovableClock, type RedisServer } from '@millrace/testkit'
import { Redis } from 'ioredis'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { PATIENT } from '../testing/patience.fixture.ts'
import { RedisStore } from './redis-store.ts'

const HOUR = 3_600_000

describe('a server clock that is really set', () => {
  let clock: MovableClock
  let server: RedisServer
  let store: RedisStore<string>
  let other: RedisStore<string>

  beforeAll(async () => {
    clock = await MovableClock.create()
    server = await clock.start()
  })
  afterAll(async () => {
    await server?.stop()
    await clock?.[Symbol.asyncDispose]()
  })
  beforeEach(() => {
    store = new RedisStore({ ...PATIENT, url: server.url })
    other = new RedisStore({ ...PATIENT, url: server.url })
  })
  afterEach(async () => {
    await store.close()
    await other.close()
  })

  /** Sets the server's clock on by `ms`, or back. */
  async function set(ms: number): Promise<void> {
    await clock.move(ms)
    const client = new Redis(server.port)
    const [seconds] = await client.time()
    client.disconnect()
    expect(Math.abs(Number(seconds) * 1_000 - Date.now() - clock.shift)).toBeLessThan(60_000)
  }

  test('set back, no value lives longer than it may, and what is written then lives', async () => {
    await store.set('k', 'v', { ttl: 60_000, tags: ['t'] })
    await store.deleteTag('u')
    await other.ready()
    await set(-HOUR)
    // The epoch of the last invalidation is ahead of the server's time.
    expect(await store.get('k')).toBeUndefined()
    expect(await store.set('k', 'w', { ttl: 60_000 })).toBe(true)
    expect((await other.get('k'))?.value).toBe('w')
    const { fence } = await store.lookup(['l'])
    expect(await store.set('l', 'loaded', { fence })).toBe(true)
    await other.delete('l')
    expect(await store.set('l', 'late', { fence })).toBe(false)
  })

  test('set back by less than has passed since the last invalidation, a process notices by its own clock', async () => {
    await store.set('k', 'v', { ttl: 60_000 })
    // As if that had been long ago.
    await set(10 * HOUR)
    await store.get('k')
    await store.set('l', 'v', { ttl: 60_000, fence: await store.fence() })
    await set(-HOUR)
    await store.get('l')
    expect(await store.get('l')).toBeUndefined()
    expect(await other.get('l')).toBeUndefined()
  })

  test('set back, a load that began before is refused, and so is one of a process that does not know', async () => {
    const { fence } = await store.lookup(['m'])
    const { fence: unknown } = await other.lookup(['n'])
    await set(-HOUR)
    await store.delete('m')
    await store.delete('n')
    expect(await store.set('m', 'late', { fence })).toBe(false)
    expect(await other.set('n', 'late', { fence: unknown })).toBe(false)
  })

  test('set on, writes are made, at the second attempt, and values that are too old are gone', async () => {
    await store.set('k', 'v', { ttl: 60_000 })
    await set(HOUR)
    expect(await store.get('k')).toBeUndefined()
    await set(HOUR)
    expect(await store.set('k', 'w', { ttl: 60_000 })).toBe(true)
    expect((await other.get('k'))?.value).toBe('w')
  })
})
