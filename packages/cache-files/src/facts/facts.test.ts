import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { MemoryStore } from '@millrace/cache-core/memory'
import { SqliteStore } from '@millrace/cache-core/sqlite'
import { parseSync } from 'oxc-parser'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { StoredResult } from '../persist/stored-result.ts'
import { FileTable } from '../table/file-table.ts'
import { Facts } from './facts.ts'

let folder: string
let files: FileTable
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'millrace-facts-'))
  files = new FileTable({ root: folder })
})
afterEach(() => rmSync(folder, { recursive: true }))

const write = (name: string, text: string) => writeFileSync(join(folder, name), text)
const open = () =>
  new SqliteStore<StoredResult>({ path: join(folder, 'facts.db'), compression: true })

/** The modules a source imports: real facts by a real parser. */
const imports = (store: SqliteStore<StoredResult>, id = 'imports@1', writeDelay = 100) =>
  new Facts<string[]>({
    files,
    store,
    id,
    writeDelay,
    extract: ({ bytes }, variant) =>
      parseSync(`file${variant}`, bytes.toString()).module.staticImports.map(
        ({ moduleRequest }) => moduleRequest.value,
      ),
  })

describe('Facts', () => {
  test('are derived once per content, across processes, renames and changes back', async () => {
    write('a.ts', "import x from './x.ts'; import type { T } from 'node:fs'")
    {
      await using store = open()
      await using facts = imports(store)
      expect((await facts.get('a.ts')).value).toEqual(['./x.ts', 'node:fs'])
      write('a.ts', '')
      expect((await facts.get('a.ts')).value).toEqual([])
      write('a.ts', "import x from './x.ts'; import type { T } from 'node:fs'")
      await facts.get('a.ts')
      expect(facts.stats()).toMatchObject({ extractions: 2, hits: 1, storeHits: 0, entries: 2 })
    }
    renameSync(join(folder, 'a.ts'), join(folder, 'b.ts'))
    await using store = open()
    await using facts = imports(store)
    expect((await facts.get('b.ts')).value).toEqual(['./x.ts', 'node:fs'])
    expect(facts.stats()).toMatchObject({ extractions: 0, storeHits: 1 })
  })

  test('of another extractor or variant are others', async () => {
    write('a.ts', "import x from 'x'")
    write('a.js', "import x from 'x'")
    await using store = open()
    await using facts = imports(store)
    await using newer = imports(store, 'imports@2')
    await facts.get('a.ts')
    await facts.get('a.js')
    await facts.flush()
    await newer.get('a.ts')
    expect(facts.stats().extractions).toBe(2)
    expect(newer.stats()).toMatchObject({ extractions: 1, storeHits: 0 })
  })

  test('preload reads many at once, and files that are gone do not matter', async () => {
    for (let i = 0; i < 50; i++) write(`${i}.ts`, `import '${i}'`)
    const paths = Array.from({ length: 50 }, (_, i) => `${i}.ts`)
    {
      await using store = open()
      await using facts = imports(store, 'imports@1', 60_000)
      for (const path of paths) await facts.get(path)
      expect(facts.stats().pendingWrites).toBe(50)
    }
    await using store = open()
    await using facts = imports(store)
    await facts.preload([...paths, 'gone.ts'])
    for (const path of paths) await facts.get(path)
    expect(facts.stats()).toMatchObject({ storeHits: 50, extractions: 0, entries: 50 })
    expect(store.stats().hits).toBe(50)
  })

  test('an edit during a derivation is not filed under the new bytes', async () => {
    write('a', 'old')
    const gate = Promise.withResolvers<void>()
    const store = new MemoryStore<StoredResult>()
    const facts = new Facts<string>({
      files,
      store,
      id: 'slow@1',
      extract: async ({ bytes }) => {
        if (bytes.toString() === 'old') await gate.promise
        return bytes.toString()
      },
    })
    const before = facts.get('a')
    while (facts.stats().extractions === 0) await new Promise(setImmediate)
    write('a', 'new')
    gate.resolve()
    expect((await before).value).toBe('old')
    await facts.flush()
    expect((await facts.get('a')).value).toBe('new')
    write('a', 'old')
    expect((await facts.get('a')).value).toBe('old')
  })

  test('without a working store facts are derived, and it is said once', async () => {
    write('a.ts', "import 'a'")
    write('b.ts', "import 'b'")
    const store = open()
    await store.close()
    const told: unknown[] = []
    await using facts = new Facts<string[]>({
      files,
      store,
      id: 'x@1',
      extract: ({ bytes }) => [bytes.toString()],
      onStoreError: error => told.push(error),
    })
    expect((await facts.get('a.ts')).value).toEqual(["import 'a'"])
    expect((await facts.get('b.ts')).value).toEqual(["import 'b'"])
    await facts.flush()
    expect(told).toMatchObject([{ code: 'ERR_MILLRACE_STORE_CLOSED' }])
    expect(facts.stats()).toMatchObject({ storeFailures: 3, pendingWrites: 0 })
  })

  test('what the extractor throws reaches the caller and is not remembered', async () => {
    write('a', 'x')
    let broken = true
    const facts = new Facts<number>({
      files,
      store: new MemoryStore(),
      id: 'flaky@1',
      extract: () => {
        if (broken) throw new Error('no')
        return 1
      },
    })
    await expect(facts.get('a')).rejects.toThrow('no')
    broken = false
    expect((await facts.get('a')).value).toBe(1)
    expect(facts.stats()).toMatchObject({ failures: 1, extractions: 2 })
  })

  test('new facts are written after the delay without being asked for', async () => {
    write('a', 'x')
    const store = new MemoryStore<StoredResult>()
    const written = Promise.withResolvers<boolean[]>()
    const setMany = store.setMany.bind(store)
    store.setMany = (...args) => {
      const writing = setMany(...args)
      written.resolve(writing)
      return writing
    }
    const facts = new Facts<number>({ files, store, id: 'n@1', extract: () => 1, writeDelay: 5 })
    await facts.get('a')
    expect(facts.stats().pendingWrites).toBe(1)
    expect(await written.promise).toEqual([true])
    await facts.flush()
    expect(facts.stats().pendingWrites).toBe(0)
    expect(store.stats().writes).toBe(1)
  })

  test('bad options are named', () => {
    const base = { files, store: new MemoryStore<StoredResult>(), extract: () => 1 }
    expect(() => new Facts({ ...base, id: '' })).toThrow(
      'Expected `id` to be a string that is not empty',
    )
    expect(() => new Facts({ ...base, id: 'x', writeDelay: 0 })).toThrow('Expected `writeDelay`')
    expect(() => new Facts({ ...base, id: 'x', codecc: 1 } as never)).toThrow(
      'did you mean `codec`',
    )
  })
})
