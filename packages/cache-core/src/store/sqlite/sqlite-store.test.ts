import { execFile } from 'node:child_process'
import { mkdtemp, readdir, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { setTimeout } from 'node:timers/promises'
import { promisify } from 'node:util'
import { nextWarning, runs, VirtualClock } from '@millrace/testkit'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { ListenerError } from '../../errors.ts'
import { StoreUnavailableError } from '../contract/errors.ts'
import { storeContract } from '../contract/suite/store-contract.ts'
import { SqliteStore } from './sqlite-store.ts'

const run = promisify(execFile)

/** Until reads look again whether their file is in place. */
const lookedAgain = () => setTimeout(3)

storeContract('SqliteStore', {
  runner: { describe, test },
  modelRuns: runs(60),
  open: async () => {
    const folder = await mkdtemp(join(tmpdir(), 'millrace-sqlite-'))
    const clock = new VirtualClock(1_000_000)
    const open = (maxBytes?: number) =>
      new SqliteStore({ path: join(folder, `cache-${maxBytes}.db`), clock, maxBytes })
    const store = open()
    return {
      store,
      advance: ms => clock.advance(ms),
      peer: async () => open(),
      limited: async maxBytes => open(maxBytes),
      remove: async () => {
        await store.close()
        await rm(folder, { recursive: true })
      },
    }
  },
})

describe('SqliteStore', () => {
  let folder: string
  let path: string
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'millrace-sqlite-'))
    path = join(folder, 'deep', 'cache.db')
  })
  afterEach(() => rm(folder, { recursive: true }))

  test('values, invalidations and fences outlive the process', async () => {
    const first = new SqliteStore({ path })
    await first.set('kept', { n: 1 }, { tags: ['a'] })
    await first.set('gone', 2, { tags: ['b'] })
    const fence = await first.fence()
    await first.deleteTag('b')
    await first.close()
    await using second = new SqliteStore({ path })
    expect((await second.get('kept'))?.value).toEqual({ n: 1 })
    expect(await second.get('gone')).toBeUndefined()
    expect(await second.set('gone', 3, { tags: ['b'], fence })).toBe(false)
  })

  test('opening a file that is set up, and reading, write nothing that has to be waited for', async () => {
    const first = new SqliteStore<string>({ path })
    await first.set('k', 'value')
    await first.close()
    const bytes = await readFile(path)
    const again = new SqliteStore<string>({ path })
    expect((await again.get('k'))?.value).toBe('value')
    expect((await stat(`${path}-wal`)).size).toBe(0)
    await again.close()
    expect(await readFile(path)).toEqual(bytes)
    await using third = new SqliteStore<string>({ path })
    await third.set('k', 'other')
    expect((await stat(`${path}-wal`)).size).toBeGreaterThan(0)
  })

  test('a use is noted once it is a minute old, at once where the file is half full', async () => {
    const clock = new VirtualClock(1_000_000)
    const usedAt = () => {
      const database = new DatabaseSync(path)
      const { used } = database.prepare("SELECT used FROM entries_4 WHERE key = 'k'").get() as {
        used: number
      }
      database.close()
      return used
    }
    const use = async (maxBytes?: number) => {
      await using store = new SqliteStore<string>({ path, clock, maxBytes })
      await store.get('k')
    }
    const first = new SqliteStore<string>({ path, clock })
    await first.set('k', 'value')
    await first.close()
    const written = usedAt()
    clock.advance(59_000)
    await use()
    expect(usedAt()).toBe(written)
    await use(20_000)
    expect(usedAt()).toBe(written + 59_000)
    clock.advance(60_000)
    await use()
    expect(usedAt()).toBe(written + 119_000)
  })

  test('a process keeps the limit of a file that another one has filled', async () => {
    const value = 'x'.repeat(1_000)
    const keys = Array.from({ length: 20 }, (_, index) => `k${index}`)
    const filled = new SqliteStore<string>({ path })
    await filled.setMany(keys.map(key => ({ key, value })))
    await filled.close()
    await using small = new SqliteStore<string>({ path, maxBytes: 10_000 })
    expect(small.stats().entries).toBe(20)
    await small.set('new', value)
    expect(small.stats().bytes).toBeLessThanOrEqual(10_000)
    expect((await small.get('new'))?.value).toBe(value)
  })

  test('stays within maxBytes and keeps what was read last', async () => {
    const clock = new VirtualClock(1_000_000)
    await using store = new SqliteStore<string>({ path, maxBytes: 100_000, clock })
    await store.set('hot', 'x'.repeat(1_000))
    for (let i = 0; i < 300; i++) {
      clock.advance(1)
      await store.get('hot')
      await store.set(`cold:${i}`, 'x'.repeat(1_000))
    }
    const { bytes, evictions, entries } = store.stats()
    expect(bytes).toBeLessThanOrEqual(100_000)
    expect(entries + evictions).toBe(301)
    expect((await store.get('hot'))?.value).toBe('x'.repeat(1_000))
    expect(await store.get('cold:0')).toBeUndefined()
    expect((await store.get('cold:299'))?.value).toBe('x'.repeat(1_000))
  })

  test('the background sweep removes what is gone, and fences older than a forgotten delete are outdated', async () => {
    const clock = new VirtualClock(1_000_000)
    await using store = new SqliteStore({ path, clock, sweepInterval: 1_000 })
    const fence = await store.fence()
    await store.set('short', 1, { ttl: 500 })
    await store.set('tagged', 1, { tags: ['t'] })
    await store.delete('deleted')
    await store.deleteTag('t')
    expect(store.stats().entries).toBe(2)
    clock.advance(1_000)
    expect(store.stats().entries).toBe(0)
    clock.advance(100_000)
    expect(await store.set('deleted', 'late', { fence })).toBe(false)
  })

  test('an evicted value still refuses what was computed before its key was deleted', async () => {
    const clock = new VirtualClock(1_000_000)
    await using store = new SqliteStore<string>({ path, maxBytes: 10_000, clock })
    const fence = await store.fence()
    await store.delete('key')
    await store.set('key', 'new')
    clock.advance(1)
    for (let i = 0; i < 20; i++) await store.set(`${i}`, 'x'.repeat(1_000))
    expect(await store.get('key')).toBeUndefined()
    expect(await store.set('key', 'old', { fence })).toBe(false)
  })

  test('many tags are forgotten without reviving anything', async () => {
    await using store = new SqliteStore<number>({ path, sweepInterval: Infinity })
    await store.set('kept', 1, { tags: ['kept'] })
    await store.set('stale', 2, { tags: ['expired'] })
    await store.expireTag('expired')
    const database = new DatabaseSync(path)
    database.exec(`WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 17000)
      INSERT INTO tags_4 SELECT 'tag:' || i, 1, 0 FROM n`)
    store.sweep()
    expect(database.prepare('SELECT count(*) AS n FROM tags_4').get()).toEqual({ n: 0 })
    database.close()
    expect(await store.getMany(['kept', 'stale'])).toMatchObject([
      { expires: Infinity },
      { expires: 0 },
    ])
  })

  test.each([
    ['no database at all', (file: string) => writeFile(file, 'x'.repeat(10_000))],
    ['a database cut short', (file: string) => truncate(file, 5_000)],
  ])('%s is set aside and a new one begun', async (_, damage) => {
    const old = new SqliteStore({ path })
    await old.setMany(
      Array.from({ length: 500 }, (_, i) => ({ key: `${i}`, value: 'x'.repeat(100) })),
    )
    const fence = await old.fence()
    await old.close()
    await damage(path)

    const problems: unknown[] = []
    await using store = new SqliteStore({ path, onProblem: problem => problems.push(problem) })
    expect(await store.get('1')).toBeUndefined()
    expect(problems).toMatchObject([{ reason: 'corrupt', path }])
    const { movedTo } = problems[0] as { movedTo: string }
    expect((await stat(movedTo)).size).toBeGreaterThan(0)
    expect(await store.set('1', 'new')).toBe(true)
    expect((await store.get('1'))?.value).toBe('new')
    expect(await store.set('2', 'from before', { fence })).toBe(false)
    expect(store.stats().setAside).toBe(1)
  })

  test.each([1, 50, 100, 500, 1_024, 4_095])(
    '%i bytes of a database are not used as one',
    async length => {
      const old = new SqliteStore({ path })
      await old.set('key', 'x'.repeat(10_000))
      await old.close()
      await truncate(path, length)
      await using store = new SqliteStore({ path, onProblem: () => {} })
      expect(await store.get('key')).toBeUndefined()
      expect(await store.set('key', 'new')).toBe(true)
    },
  )

  test('a file that cannot be opened anew is tried again by each call', async () => {
    const problems: string[] = []
    const store = new SqliteStore({ path, onProblem: problem => problems.push(problem.reason) })
    const fence = await store.fence()
    await store.set('key', 1)
    const parent = dirname(path)
    await rm(parent, { recursive: true })
    await writeFile(parent, 'in the way')
    await lookedAgain()
    for (const call of [() => store.get('key'), () => store.set('key', 2), () => store.clear()]) {
      await expect(call()).rejects.toThrow(StoreUnavailableError)
    }
    expect(store.stats()).toMatchObject({ entries: 0, bytes: 0, writes: 1 })
    await rm(parent)
    expect(await store.get('key')).toBeUndefined()
    expect(problems).toEqual(['removed'])
    expect(await store.set('key', 'from before', { fence })).toBe(false)
    expect(await store.set('key', 3)).toBe(true)
    expect((await store.get('key'))?.value).toBe(3)

    await rm(parent, { recursive: true })
    await writeFile(parent, 'in the way')
    await lookedAgain()
    await expect(store.get('key')).rejects.toThrow(StoreUnavailableError)
    await store.close()
    await rm(parent)
  })

  test('who opens a file lets so much time pass that no other process still reads the one before it', async () => {
    await using reader = new SqliteStore({ path })
    for (let round = 0; round < 20 * runs(1); round++) {
      await reader.set('k', 'old')
      for (const name of await readdir(dirname(path))) await rm(join(dirname(path), name))
      const began = performance.now()
      await using other = new SqliteStore({ path, onProblem: () => {} })
      expect(performance.now() - began).toBeGreaterThan(1)
      await other.delete('k')
      expect(await reader.get('k')).toBeUndefined()
    }
  })

  test('damage met while the file is open is set aside once, by one of two instances', async () => {
    const problems: { movedTo: string | undefined }[] = []
    const open = () =>
      new SqliteStore({
        path,
        onProblem: problem => problems.push(problem),
        sweepInterval: Infinity,
      })
    const filler = open()
    await filler.setMany(
      Array.from({ length: 2_000 }, (_, i) => ({ key: `${i}`, value: 'x'.repeat(100) })),
    )
    await filler.close()
    await using first = open()
    await using second = open()
    const bytes = await readFile(path)
    bytes.fill(0xff, 4_096 * 3)
    await writeFile(path, bytes)
    for (let i = 0; i < 2_000; i += 50) {
      await first.get(`${i}`)
      await second.get(`${i}`)
    }
    await first.set('after', 1)
    expect((await second.get('after'))?.value).toBe(1)
    expect(problems.filter(({ movedTo }) => movedTo !== undefined)).toHaveLength(1)
    const files = await readdir(join(folder, 'deep'))
    expect(files.filter(name => /corrupt-[^-]+-\d\d-[^-]+-\d\d-\d+-\d+Z$/.test(name))).toHaveLength(
      1,
    )
  })

  test('without onProblem a damaged file is a process warning with a code', async () => {
    await new SqliteStore({ path }).close()
    await writeFile(path, 'x'.repeat(10_000))
    const warned = nextWarning<NodeJS.ErrnoException>(
      ({ code }) => code === 'MILLRACE_STORE_CORRUPT',
    )
    await using _ = new SqliteStore({ path })
    expect((await warned).message).toContain(path)
  })

  test.each([
    [
      'throws',
      () => {
        throw new Error('no')
      },
    ],
    ['rejects', () => Promise.reject(new Error('no'))],
  ])('an onProblem that %s is a warning, and the call goes on', async (_, onProblem) => {
    await using store = new SqliteStore({ path, onProblem })
    await store.set('k', 'value')
    await rm(path)
    await lookedAgain()
    const warned = nextWarning<ListenerError>(({ listener }) => listener === 'onProblem')
    expect(await store.get('k')).toBe(undefined)
    expect(await warned).toMatchObject({ cause: { message: 'no' } })
    expect(await store.set('k', 'new')).toBe(true)
  })

  test('a value that does not decode is a miss, counted and removed', async () => {
    await using store = new SqliteStore({ path })
    await store.set('bad', 'value')
    await store.set('good', 'value')
    const database = new DatabaseSync(path)
    database.exec("UPDATE entries_4 SET value = x'0022' WHERE key = 'bad'")
    expect(await store.get('bad')).toBeUndefined()
    expect((await store.get('good'))?.value).toBe('value')
    expect(store.stats()).toMatchObject({ corrupt: 1, misses: 1, entries: 1 })
    database.close()
  })

  test.each([
    ['value', 'CAST(substr(value, 1, 12) || char(1) || substr(value, 14) AS BLOB)'],
    ['value', 'substr(value, 1, 10)'],
    ['value', "x''"],
    ['tags', `'["u"]'`],
    ['tags', `'["t'`],
    ['tags', 'NULL'],
    ['expires', 'expires + 1024'],
    ['retained', 'retained + 1024'],
    ['version', 'version + 1'],
  ])('a row whose %s was damaged (%s) is a miss, counted and removed', async (column, damaged) => {
    await using store = new SqliteStore<string>({ path, ttl: 60_000, retention: 60_000 })
    await store.set('k', 'value '.repeat(10), { tags: ['t'] })
    await store.set('good', 'value', { tags: ['t'] })
    const database = new DatabaseSync(path)
    database.exec(`UPDATE entries_4 SET ${column} = ${damaged} WHERE key = 'k'`)
    expect(await store.getMany(['k', 'good'])).toMatchObject([undefined, { value: 'value' }])
    expect(store.stats()).toMatchObject({ corrupt: 1, misses: 1, hits: 1, entries: 1 })
    database.close()
  })

  test('another program’s database is left alone', async () => {
    const other = join(folder, 'other.db')
    const database = new DatabaseSync(other)
    database.exec('CREATE TABLE accounts (id INTEGER)')
    database.close()
    expect(() => new SqliteStore({ path: other })).toThrow(
      `The store at ${other} is the database of another program`,
    )
  })

  test('a lock that stays is a typed error, and the store works once it is gone', async () => {
    await using store = new SqliteStore({ path, busyTimeout: 30 })
    const other = new DatabaseSync(path)
    other.exec('BEGIN IMMEDIATE')
    await expect(store.set('key', 1)).rejects.toMatchObject({
      code: 'ERR_MILLRACE_STORE_UNAVAILABLE',
      path,
      message: `The store at ${path} was locked by another process for more than 30 ms`,
    })
    expect(await store.get('key')).toBeUndefined()
    other.exec('COMMIT')
    other.close()
    expect(await store.set('key', 1)).toBe(true)
  })

  test('a path that cannot be opened is a typed error', () => {
    expect(() => new SqliteStore({ path: folder })).toThrow(
      expect.objectContaining({ code: 'ERR_MILLRACE_STORE_UNAVAILABLE' }),
    )
  })

  test('four processes write one file at once and lose nothing', async () => {
    const script = join(import.meta.dirname, 'sqlite-writer.fixture.ts')
    const writers = ['a', 'b', 'c', 'd'].map(name =>
      run(process.execPath, ['--conditions=millrace-source', script, path, name, '150']),
    )
    for (const { stdout } of await Promise.all(writers)) expect(stdout).toBe('done\n')
    await using store = new SqliteStore({ path })
    for (const name of ['a', 'b', 'c', 'd']) {
      for (let i = 0; i < 150; i++) expect((await store.get(`${name}:${i}`))?.value).toBe(i)
    }
  })

  test('bad options are named', () => {
    expect(() => new SqliteStore({ path: '' })).toThrow(
      'Expected `path` to be a string that is not empty',
    )
    expect(() => new SqliteStore({ path, busyTimeout: 0 })).toThrow('Expected `busyTimeout`')
    expect(() => new SqliteStore({ path, maxBytes: Number.NaN })).toThrow(
      'Expected `maxBytes` to be a number above 0 or Infinity, got NaN',
    )
  })
})
