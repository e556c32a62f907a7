import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { Store } from './contract/store.ts'
import { FsStore } from './fs/fs-store.ts'
import { SqliteStore } from './sqlite/sqlite-store.ts'

const kinds: Record<string, (place: string) => Store<string>> = {
  sqlite: place => new SqliteStore({ path: join(place, 'cache.db') }),
  fs: place => new FsStore({ folder: join(place, 'cache') }),
}

/** Needs the right to mount a file system of 2 MB. */
describe.each(Object.entries(kinds))('a %s store on a full disk', (_, open) => {
  let place: string
  beforeEach(() => {
    place = mkdtempSync(join(tmpdir(), 'millrace-full-'))
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=2m', 'tmpfs', place])
  })
  afterEach(() => {
    execFileSync('umount', ['-l', place])
    rmSync(place, { recursive: true })
  })

  test('rejects writes with a typed error, keeps what it has, never serves what was deleted, and has room once it was cleared', async () => {
    await using store = open(place)
    // Holds the room of what is removed as long as it has that open.
    await using other = open(place)
    const value = 'x'.repeat(20_000)
    await store.set('kept', 'value')
    await store.set('gone', 'value', { tags: ['t'] })
    let stored = 0
    let failure: unknown
    while (failure === undefined && stored < 1_000) {
      try {
        await store.set(`k${stored}`, value)
        stored++
      } catch (error) {
        failure = error
      }
    }
    expect(failure).toMatchObject({ code: 'ERR_MILLRACE_STORE_UNAVAILABLE' })
    expect(await store.get(`k${stored}`)).toBe(undefined)
    expect((await store.get('kept'))?.value).toBe('value')
    for (let i = 0; i < stored; i++) expect((await store.get(`k${i}`))?.value).toBe(value)
    await using newcomer = open(place)
    expect((await newcomer.get('kept'))?.value).toBe('value')
    const deleted = await store.deleteTag('t').then(
      () => true,
      () => false,
    )
    if (deleted) expect(await store.get('gone')).toBe(undefined)
    const expired = await store.clear({ expire: true }).then(
      () => true,
      (error: unknown) => {
        expect(error).toMatchObject({ code: 'ERR_MILLRACE_STORE_UNAVAILABLE' })
        return false
      },
    )
    const kept = await store.get('kept')
    expect(kept?.value).toBe('value')
    if (expired) expect(kept?.expires).toBe(0)
    const fence = await other.fence()
    await store.clear()
    for (const key of ['gone', 'kept', 'k0']) {
      expect(await store.get(key)).toBe(undefined)
      expect(await other.get(key)).toBe(undefined)
    }
    expect(await other.set('kept', 'from before', { fence })).toBe(false)
    expect(store.stats().corrupt).toBe(0)
    expect(await store.set('again', value)).toBe(true)
    expect((await other.get('again'))?.value).toBe(value)
  })
})
