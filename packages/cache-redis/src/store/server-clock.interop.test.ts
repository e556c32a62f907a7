import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { RedisServer, redisBinary } from '@millrace/testkit'
import { Redis } from 'ioredis'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { RedisStore } from './redis-store.ts'

const HOUR = 3_600_000

/**
 * A server whose clock libfaketime moves by what is in a file, read anew at each look at the clock. libc's allocator goes before
 * jemalloc, which asks for the time before libfaketime is ready.
 */
describe('a server clock that is really set', () => {
  let folder: string
  let server: RedisServer
  let store: RedisStore<string>
  let other: RedisStore<string>
  let shift = 0

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'millrace-clock-'))
    await writeFile(join(folder, 'shift'), '+0')
    const program = join(folder, 'redis-server')
    await writeFile(
      program,
      `#!/bin/sh
export LD_PRELOAD='/usr/$LIB/faketime/libfaketimeMT.so.1 libc.so.6' FAKETIME_TIMESTAMP_FILE='${folder}/shift'
export FAKETIME_NO_CACHE=1 DONT_FAKE_MONOTONIC=1
exec '${redisBinary()}' "$@"
`,
      { mode: 0o755 },
    )
    const before = process.env.REDIS_SERVER_BIN
    process.env.REDIS_SERVER_BIN = program
    try {
      server = await RedisServer.start()
    } finally {
      if (before === undefined) delete process.env.REDIS_SERVER_BIN
      else process.env.REDIS_SERVER_BIN = before
    }
  })
  afterAll(async () => {
    await server?.stop()
    await rm(folder, { recursive: true, force: true })
  })
  beforeEach(() => {
    store = new RedisStore({ url: server.url, timeout: 5_000 })
    other = new RedisStore({ url: server.url, timeout: 5_000 })
  })
  afterEach(async () => {
    await store.close()
    await other.close()
  })

  /** Sets the server's clock on by `ms`, or back. */
  async function set(ms: number): Promise<void> {
    shift += ms
    await writeFile(join(folder, 'shift'), `${shift < 0 ? '' : '+'}${shift / 1_000}`)
    const client = new Redis(server.port)
    const [seconds] = await client.time()
    client.disconnect()
    expect(Math.abs(Number(seconds) * 1_000 - Date.now() - shift)).toBeLessThan(60_000)
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
