import { runs, VirtualClock } from '@millrace/testkit'
import { describe, expect, test } from 'vitest'
import { storeContract } from '../contract/suite/store-contract.ts'
import { MemoryStore } from './memory-store.ts'

storeContract('MemoryStore', {
  runner: { describe, test },
  modelRuns: runs(300),
  open: async () => {
    const clock = new VirtualClock(1_000_000)
    return {
      store: new MemoryStore({ clock }),
      limited: async maxBytes => new MemoryStore({ clock, maxBytes }),
      advance: ms => clock.advance(ms),
      remove: async () => undefined,
    }
  },
})

describe('MemoryStore', () => {
  test('stays within maxBytes and keeps what is read', async () => {
    const store = new MemoryStore<string>({ maxBytes: 10_000 })
    await store.set('hot', 'x'.repeat(1_000))
    for (let i = 0; i < 100; i++) {
      await store.get('hot')
      await store.set(`cold:${i}`, 'x'.repeat(1_000))
    }
    const { bytes, entries, evictions } = store.stats()
    expect(bytes).toBeLessThanOrEqual(10_000)
    expect(entries + evictions).toBe(101)
    expect((await store.get('hot'))?.value).toBe('x'.repeat(1_000))
  })

  test('a value larger than the store is not kept, and the old one is gone', async () => {
    const store = new MemoryStore<string>({ maxBytes: 100 })
    await store.set('key', 'small')
    expect(await store.set('key', 'x'.repeat(200))).toBe(false)
    expect(await store.get('key')).toBeUndefined()
    expect(store.stats()).toMatchObject({ entries: 0, bytes: 0 })
  })

  test('many tags and many deleted keys are forgotten without reviving anything', async () => {
    const store = new MemoryStore<number>()
    const fence = await store.fence()
    await store.set('kept', 1, { tags: ['kept'] })
    await store.set('stale', 2, { tags: ['expired'] })
    await store.set('gone', 3, { tags: ['deleted'] })
    await store.expireTag('expired')
    await store.deleteTag('deleted')
    await store.delete('late')
    for (let i = 0; i < 17_000; i++) await store.deleteTag(`tag:${i}`)
    for (let i = 0; i < 70_000; i++) await store.delete(`key:${i}`)
    expect(await store.getMany(['kept', 'stale', 'gone'])).toMatchObject([
      { value: 1, expires: Infinity },
      { value: 2, expires: 0 },
      undefined,
    ])
    expect(await store.set('late', 4, { fence })).toBe(false)
    expect(await store.set('new', 5, { fence: await store.fence() })).toBe(true)
  })

  test('bad options are named', () => {
    expect(() => new MemoryStore({ maxBytes: 0 })).toThrow(
      'Expected `maxBytes` to be a number above 0 or Infinity, got 0',
    )
    expect(() => new MemoryStore({ ttl: -1 })).toThrow('Expected `ttl` to be a number above 0')
    expect(() => new MemoryStore({ retention: Number.NaN })).toThrow('Expected `retention`')
  })
})
