import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Store } from '../store/contract/store.ts'
import { FsStore } from '../store/fs/fs-store.ts'
import { MemoryStore } from '../store/memory/memory-store.ts'
import { SqliteStore } from '../store/sqlite/sqlite-store.ts'
import { TieredCache } from './tiered-cache.ts'

interface User {
  name: string
}

/** No time-out ends a call because the machine stood still while a file was read. */
const patient = { storeTimeout: 60_000 }

/** What two processes would open. */
const kinds: Record<string, (folder: string) => () => Store<User>> = {
  MemoryStore: () => {
    const store = new MemoryStore<User>()
    return () => store
  },
  FsStore: folder => () => new FsStore<User>({ folder }),
  SqliteStore: folder => () => new SqliteStore<User>({ path: join(folder, 'cache.db') }),
}

describe.each(Object.entries(kinds))('over two %s, without a bus', (_, kind) => {
  let folder: string
  let stores: Store<User>[]
  let here: TieredCache<User>
  let there: TieredCache<User>

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'millrace-tiered-'))
    const open = kind(folder)
    stores = [open(), open()]
    here = new TieredCache({ ...patient, store: stores[0]!, ttl: 60_000, l1Ttl: 1 })
    there = new TieredCache({ ...patient, store: stores[1]!, ttl: 60_000 })
  })

  afterEach(async () => {
    for (const store of new Set(stores)) await store.close()
    await rm(folder, { recursive: true })
  })

  it('loads once for both, by key and in batches, and survives a restart', async () => {
    const load = async () => ({ name: 'Ada' })
    expect(await here.getOrLoad('u:1', load, { tags: ['org:9'] })).toEqual({ name: 'Ada' })
    const many = await there.getOrLoadMany(['u:1', 'u:2'], async keys =>
      keys.map(name => ({ name })),
    )
    expect([...many]).toEqual([
      ['u:1', { name: 'Ada' }],
      ['u:2', { name: 'u:2' }],
    ])
    const restarted = new TieredCache({ ...patient, store: stores[0]! })
    expect(await restarted.get('u:2')).toEqual({ name: 'u:2' })
    expect(await restarted.get('u:3')).toBeUndefined()
  })

  it.each(['delete', 'expire', 'deleteTag', 'expireTag', 'clear'] as const)(
    'keeps a load that %s overtook in another process out of both tiers',
    async verb => {
      let finish = (_: User): void => {}
      let started = (): void => {}
      const running = new Promise<void>(resolve => (started = resolve))
      const answer = here.getOrLoad(
        'u:1',
        () => {
          started()
          return new Promise<User>(resolve => (finish = resolve))
        },
        { tags: ['u:1'] },
      )
      await running
      await there[verb](verb === 'clear' ? (undefined as never) : 'u:1')
      finish({ name: 'old' })
      expect(await answer).toEqual({ name: 'old' })
      expect(here.stats()).toMatchObject({ storeRefusals: 1, l1: { entries: 0 } })
      expect(await there.getOrLoad('u:1', async () => ({ name: 'new' }))).toEqual({ name: 'new' })
      expect(await here.get('u:1')).toEqual({ name: 'new' })
    },
  )

  it('does not put a load that began before a set in another process over what that wrote', async () => {
    const { promise, resolve: finish } = Promise.withResolvers<User>()
    const { promise: running, resolve: started } = Promise.withResolvers<void>()
    const answer = here.getOrLoad('u:1', () => {
      started()
      return promise
    })
    await running
    await there.set('u:1', { name: 'written' })
    finish({ name: 'old' })
    expect(await answer).toEqual({ name: 'old' })
    expect(here.stats()).toMatchObject({ storeRefusals: 1, l1: { entries: 0 } })
    expect(await here.get('u:1')).toEqual({ name: 'written' })
    expect(await there.get('u:1')).toEqual({ name: 'written' })
  })

  it('leaves no moment in which another process finds nothing while one writes', async () => {
    await here.set('u:1', { name: 'first' })
    const found: Promise<User | undefined>[] = []
    const writes: Promise<boolean>[] = []
    for (let round = 0; round < 50; round++) {
      writes.push(here.set('u:1', { name: `${round}` }))
      found.push(new TieredCache({ ...patient, store: stores[1]! }).get('u:1'))
      await Promise.resolve()
    }
    await Promise.all(writes)
    expect(await Promise.all(found)).not.toContain(undefined)
  })

  it('finds by pattern what either stored', async () => {
    await here.set('u:1', { name: 'one' })
    await there.set('u:2', { name: 'two' })
    await there.set('o:1', { name: 'other' })
    await there.deleteMatching('u:*')
    expect(await stores[0]!.getMany(['u:1', 'u:2'])).toEqual([undefined, undefined])
    expect(await there.get('o:1')).toEqual({ name: 'other' })
  })
})
