import { mkdtempSync, rmSync, statSync, truncateSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { StoreUnavailableError } from '../contract/errors.ts'
import { SIDE_FILES } from './sqlite-file.ts'
import { SqliteStore } from './sqlite-store.ts'

const valueAt = (index: number): string => `${'x'.repeat(200)} ${index}`

describe('a SQLite file that is cut short under those who have it open', () => {
  let folder: string
  let path: string
  let problems: string[]
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'millrace-cut-'))
    path = join(folder, 'cache.db')
    problems = []
  })
  afterEach(() => rmSync(folder, { recursive: true }))

  const open = (): SqliteStore<unknown> =>
    new SqliteStore({ path, busyTimeout: 300, onProblem: ({ reason }) => problems.push(reason) })

  /** `entries` values of seven tags, one of which is deleted. */
  async function fill(store: SqliteStore<unknown>, entries: number): Promise<void> {
    const items = Array.from({ length: entries }, (_, index) => ({
      key: `${index}`,
      value: valueAt(index),
      tags: [`t${index % 7}`],
    }))
    await store.setMany(items)
    await store.set('deleted later', 1)
    await store.deleteTag('t1')
  }

  /** Hits, each of which must be a value that was written and not deleted. */
  async function hits(store: SqliteStore<unknown>, entries: number): Promise<number> {
    let found = 0
    for (let index = 0; index < entries; index++) {
      const value = (await store.get(`${index}`))?.value
      if (value === undefined) continue
      expect(value).toBe(valueAt(index))
      expect(index % 7).not.toBe(1)
      found++
    }
    return found
  }

  function cut(suffix: string, part: number): void {
    const file = path + suffix
    truncateSync(file, Math.floor(statSync(file).size * part))
    // As long as a look at the sizes holds: within that time a process whose index is cut short is past help.
    for (const began = performance.now(); performance.now() - began < 2; );
  }

  const cases = ['', '-wal', '-shm'].flatMap(suffix =>
    [0, 0.5].flatMap(part => [5, 400].map(entries => ({ suffix, part, entries }))),
  )
  test.each(cases)(
    '$suffix to $part of its size with $entries values: nothing comes back, and all go on in one file',
    async ({ suffix, part, entries }) => {
      await using one = open()
      await using two = open()
      await fill(one, entries)
      await hits(two, entries)
      cut(suffix, part)
      await one.delete('deleted later')
      expect(await two.get('deleted later')).toBe(undefined)
      for (const store of [one, two]) await hits(store, entries)
      await using newcomer = open()
      expect(await newcomer.get('deleted later')).toBe(undefined)
      for (const [index, store] of [newcomer, one, two].entries()) {
        expect(await store.set('new', index)).toBe(true)
        for (const reader of [one, two, newcomer]) {
          expect((await reader.get('new'))?.value).toBe(index)
        }
      }
    },
  )

  // Not the index cut short: who has it mapped is ended by the system when it is looked at.
  test.each([
    ['the log is emptied', () => truncateSync(`${path}-wal`)],
    ['the log is cut by half', () => truncateSync(`${path}-wal`, statSync(`${path}-wal`).size / 2)],
    ['the log is removed', () => rmSync(`${path}-wal`)],
    ['the index is removed', () => rmSync(`${path}-shm`)],
    [
      'both are removed',
      () => {
        for (const suffix of SIDE_FILES) rmSync(path + suffix)
      },
    ],
    ['the file is removed', () => rmSync(path)],
  ])('%s right after a call: what is acknowledged from then on holds', async (_, damage) => {
    for (const invalidate of [
      (store: SqliteStore<unknown>) => store.delete('deleted later'),
      (store: SqliteStore<unknown>) => store.deleteTag('late'),
      (store: SqliteStore<unknown>) => store.clear(),
    ]) {
      await using one = open()
      await using two = open()
      await fill(one, 50)
      await one.set('deleted later', 1, { tags: ['late'] })
      await two.get('deleted later')
      damage()
      await invalidate(one)
      expect(await two.get('deleted later')).toBe(undefined)
      await using newcomer = open()
      for (const store of [newcomer, one, two]) {
        expect(await store.get('deleted later')).toBe(undefined)
        await hits(store, 50)
      }
      for (const store of [one, two, newcomer]) {
        expect(await store.set('new', 'value')).toBe(true)
        for (const reader of [one, two, newcomer]) {
          expect((await reader.get('new'))?.value).toBe('value')
        }
        await store.delete('new')
      }
    }
  })

  test('one that was emptied keeps nobody from opening it, and who has it open goes on with the others', async () => {
    await using store = open()
    await fill(store, 5)
    const fence = await store.fence()
    truncateSync(path)
    await using newcomer = open()
    await newcomer.deleteTag('t2')
    expect(await hits(store, 5)).toBe(0)
    expect(problems).toEqual(['removed'])
    expect(await store.set('2', 'from before', { fence, tags: ['t2'] })).toBe(false)
    expect(await newcomer.set('2', 'new')).toBe(true)
    expect((await store.get('2'))?.value).toBe('new')
  })

  test.each([0, 0.3, 0.6])(
    'a log of which %f is left keeps nobody from opening the file, though nobody else looks at it',
    async part => {
      await using store = open()
      await fill(store, 100)
      cut('-wal', part)
      await using newcomer = open()
      await hits(newcomer, 100)
      await newcomer.deleteTag('t2')
      expect(await newcomer.set('new', 'value')).toBe(true)
      expect((await store.get('new'))?.value).toBe('value')
      expect(await store.get('2')).toBe(undefined)
    },
  )

  test.each<[string, (store: SqliteStore<unknown>) => Promise<unknown>]>([
    ['get', store => store.get('k')],
    ['set', store => store.set('k', 1)],
    ['delete', store => store.delete('k')],
    ['clear', store => store.clear()],
  ])('one that is removed again and again is an error of %s that says so', async (_, call) => {
    let removals = 0
    const onProblem = (): void => {
      removals++
      rmSync(path)
    }
    await using store = new SqliteStore<unknown>({ path, onProblem })
    await store.set('k', 1)
    rmSync(path)
    // As long as what was seen holds for reads.
    for (const began = performance.now(); performance.now() - began < 2; );
    await expect(call(store)).rejects.toBeInstanceOf(StoreUnavailableError)
    expect(removals).toBeGreaterThan(1)
  })

  test('a log that was emptied by a checkpoint is nothing to worry about', async () => {
    await using store = open()
    await fill(store, 50)
    const database = new DatabaseSync(path)
    database.exec('PRAGMA wal_checkpoint(TRUNCATE)')
    database.close()
    cut('-wal', 1)
    expect(statSync(`${path}-wal`).size).toBe(0)
    expect(await hits(store, 50)).toBe(43)
    expect(problems).toEqual([])
  })
})
