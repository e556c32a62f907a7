import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { runs } from '@millrace/testkit'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { SqliteStore } from './sqlite-store.ts'

describe('a SQLite file in which bits flip', () => {
  let folder: string
  let path: string
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'millrace-flips-'))
    path = join(folder, 'cache.db')
  })
  afterEach(() => rm(folder, { recursive: true }))

  test('a flip of any bit of a value in the file is never another value', async () => {
    const value = 'a value that is easily found in the file'
    const store = new SqliteStore<string>({ path })
    await store.set('k', value)
    await store.close()
    const bytes = await readFile(path)
    const at = bytes.indexOf(value)
    expect(at).toBeGreaterThan(0)
    for (let bit = 0; bit < 8 * value.length; bit += 7) {
      const damaged = Buffer.from(bytes)
      damaged[at + (bit >> 3)]! ^= 1 << (bit & 7)
      await writeFile(path, damaged)
      await using again = new SqliteStore<string>({ path })
      expect(await again.get('k')).toBe(undefined)
      expect(again.stats()).toMatchObject({ corrupt: 1, setAside: 0 })
    }
  })

  test('a flip of any bit of how the tables are made is damage, with which a new file is begun', async () => {
    const store = new SqliteStore<string>({ path })
    await store.set('k', 'value')
    await store.close()
    const bytes = await readFile(path)
    // By those that are named a column that is asked for has another name, and what guards the rows is another sum.
    const named = ['version', '3 * used'].map(text => 8 * bytes.indexOf(text) + 1)
    const step = runs(1) > 1 ? 1 : 211
    for (const table of ['state_4', 'entries_4', 'tags_4']) {
      const first = bytes.indexOf(`CREATE TABLE ${table}`)
      const end = bytes.indexOf('STRICT', first)
      expect(end).toBeGreaterThan(first)
      for (let bit = 8 * first; bit < 8 * end; bit += step) named.push(bit)
    }
    for (const bit of named) {
      for (const suffix of ['', '-wal', '-shm']) await rm(path + suffix, { force: true })
      const damaged = Buffer.from(bytes)
      damaged[bit >> 3]! ^= 1 << (bit & 7)
      await writeFile(path, damaged)
      const reasons: string[] = []
      await using again = new SqliteStore<string>({
        path,
        onProblem: ({ reason }) => reasons.push(reason),
      })
      expect([bit, reasons]).toEqual([bit, ['corrupt']])
      await again.set('k', 'new')
      expect((await again.get('k'))?.value).toBe('new')
    }
  })

  // By those that are named an integer that is 0 becomes an empty blob, and two rows get one number.
  test.each<[string, number, number, number[]]>([
    ['state_4', 8, 64, [290, 298]],
    ['tags_4', 8, 64, []],
    ['entries_4', 0, 192, [80, 212]],
  ])(
    'a flip of any bit of %s undoes no invalidation',
    async (table, header, rows, examples) => {
      const store = new SqliteStore<string>({ path })
      await store.setMany(['tagged', 'other'].map(key => ({ key, value: key, tags: [key] })))
      const fence = await store.fence()
      await store.deleteTag('tagged')
      await store.delete('deleted')
      await store.close()
      const database = new DatabaseSync(path)
      const page = database
        .prepare('SELECT rootpage FROM sqlite_schema WHERE name = ?')
        .get(table) as { rootpage: number }
      database.close()
      const bytes = await readFile(path)
      const end = page.rootpage * 4_096
      const places = [
        ...Array.from({ length: header }, (_, at) => end - 4_096 + at),
        ...Array.from({ length: rows }, (_, at) => end - rows + at),
      ]
      const step = runs(1) > 1 ? 1 : 53
      const bits = Array.from({ length: (8 * places.length) / step }, (_, at) => at * step)
      for (const bit of [...examples, ...bits]) {
        for (const suffix of ['', '-wal', '-shm']) await rm(path + suffix, { force: true })
        const damaged = Buffer.from(bytes)
        damaged[places[bit >> 3]!]! ^= 1 << (bit & 7)
        await writeFile(path, damaged)
        await using again = new SqliteStore<string>({ path, onProblem: () => {} })
        expect([bit, await again.get('tagged')]).toEqual([bit, undefined])
        for (const key of ['tagged', 'deleted']) {
          const late = again.set(key, 'late', { tags: [key], fence })
          expect([bit, await late]).toEqual([bit, false])
        }
        expect((await again.get('other'))?.value ?? 'other').toBe('other')
        // What goes on in it works.
        for (const key of ['new', 'other', 'deleted', 'tagged']) {
          expect([bit, key, await again.set(key, 'value')]).toEqual([bit, key, true])
          const load = async () =>
            again.set(key, 'loaded', { tags: [key], fence: await again.fence() })
          // The first one may be what finds the damage.
          expect([bit, key, (await load()) || (await load())]).toEqual([bit, key, true])
        }
      }
    },
    120_000 * runs(1),
  )

  test('a row whose barrier was damaged refuses what is loaded until the next sweep, and not longer', async () => {
    const store = new SqliteStore<string>({ path })
    await store.set('the key', 'value')
    await store.close()
    const bytes = await readFile(path)
    // Behind the key and its version.
    const at = bytes.indexOf(Buffer.from('the key')) + 'the key'.length + 8
    bytes[at + 7]! ^= 1
    await writeFile(path, bytes)
    await using again = new SqliteStore<string>({ path, sweepInterval: Infinity })
    expect(await again.get('the key')).toBe(undefined)
    const load = async () => again.set('the key', 'loaded', { fence: await again.fence() })
    expect(await load()).toBe(false)
    again.sweep()
    expect(await load()).toBe(true)
    expect((await again.get('the key'))?.value).toBe('loaded')
    expect(again.stats().setAside).toBe(0)
  })

  test('damage of a tag that is met while the file is open sets it aside at the next sweep', async () => {
    const open = () => new SqliteStore<string>({ path, onProblem: () => {} })
    const filler = open()
    await filler.deleteTag('tagged')
    await filler.close()
    await using store = open()
    await using other = open()
    const bytes = await readFile(path)
    bytes[bytes.lastIndexOf('tagged')]! ^= 1
    await writeFile(path, bytes)
    // So that pages are read again.
    await other.set('k', 'value')
    store.sweep()
    expect(store.stats().setAside).toBe(1)
    expect(await other.set('k', 'value')).toBe(true)
    expect((await store.get('k'))?.value).toBe('value')
  })
})
