import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  realpathSync,
  rmSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { SqliteStore } from '@millrace/cache-core/sqlite'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { FileTable } from '../table/file-table.ts'
import { Graph } from './graph.ts'
import type { Query, QueryContext } from './query.ts'
import type { TraceRecord } from './trace/trace-record.ts'

let root: string
let graph: Graph
beforeEach(() => {
  root = realpathSync(mkdtempSync(join(tmpdir(), 'millrace-graph-')))
  graph = new Graph({ files: new FileTable({ root }) })
})
afterEach(() => {
  vi.unstubAllEnvs()
  rmSync(root, { recursive: true })
})

const at = (name: string) => join(root, name)
const write = (name: string, text: string) => writeFileSync(at(name), text)

/** A query that counts its runs. */
function counted<V>(
  name: string,
  compute: (context: QueryContext, key: string) => V | Promise<V>,
  on: Graph = graph,
  version?: string,
): { query: Query<string, V>; runs: () => string[] } {
  const seen: string[] = []
  const query = on.query<V>(
    name,
    (context, key) => {
      seen.push(key)
      return compute(context, key)
    },
    version === undefined ? {} : { version },
  )
  return { query, runs: () => seen.splice(0) }
}

/** Lines `import NAME` and `export NAME`, as a language small enough to check by hand. */
function language(on: Graph, version?: string) {
  const parse = counted(
    'parse',
    async (context, path) => {
      const lines = (await context.read(path)).bytes.toString().split('\n')
      const pick = (word: string) =>
        lines.filter(line => line.startsWith(`${word} `)).map(line => line.slice(word.length + 1))
      return { imports: pick('import'), exports: pick('export'), size: lines.length }
    },
    on,
    version,
  )
  const exportsOf = on.select(parse.query, 'exports', ({ exports }) => exports)
  const visible = counted(
    'visible',
    async (context, path) => {
      const { imports } = await context.get(parse.query, path)
      const lists = await Promise.all(imports.map(name => context.get(exportsOf, name)))
      return lists.flat()
    },
    on,
    version,
  )
  return { parse, exportsOf, visible }
}

describe('Graph', () => {
  test('computes what changed and what depends on it, and stops where nothing changed', async () => {
    write('a', 'import b\nimport c')
    write('b', 'export one')
    write('c', 'export two')
    const { parse, visible } = language(graph)
    expect(await graph.get(visible.query, 'a')).toEqual(['one', 'two'])
    expect([parse.runs(), visible.runs()]).toEqual([['a', 'b', 'c'], ['a']])

    expect(await graph.get(visible.query, 'a')).toEqual(['one', 'two'])
    expect([parse.runs(), visible.runs()]).toEqual([[], []])

    // A comment in b changes its parse but not its exports.
    write('b', 'export one\n# comment')
    expect(await graph.get(visible.query, 'a')).toEqual(['one', 'two'])
    expect([parse.runs(), visible.runs()]).toEqual([['b'], []])

    write('b', 'export uno')
    expect(await graph.get(visible.query, 'a')).toEqual(['uno', 'two'])
    expect([parse.runs(), visible.runs()]).toEqual([['b'], ['a']])

    // c is no longer asked for, so its edit concerns nobody.
    write('a', 'import b')
    expect(await graph.get(visible.query, 'a')).toEqual(['uno'])
    write('c', 'export three')
    parse.runs()
    visible.runs()
    expect(await graph.get(visible.query, 'a')).toEqual(['uno'])
    expect([parse.runs(), visible.runs()]).toEqual([[], []])
    expect(graph.stats().cutoffs).toBeGreaterThan(0)
  })

  test('a file that was missing is a dependency: it appears, and what shadows it too', async () => {
    const resolve = counted('resolve', (context, name) =>
      ['.ts', '.js'].map(end => name + end).find(path => context.kind(path) === 'file'),
    )
    const read = counted('text', async (context, path) =>
      (await context.read(path)).bytes.toString().toUpperCase(),
    )
    expect(await graph.get(resolve.query, 'm')).toBeUndefined()
    await expect(graph.get(read.query, 'm.js')).rejects.toMatchObject({ reason: 'missing' })
    write('m.js', 'js')
    expect(await graph.get(resolve.query, 'm')).toBe('m.js')
    expect(await graph.get(read.query, 'm.js')).toBe('JS')
    write('m.ts', 'ts')
    expect(await graph.get(resolve.query, 'm')).toBe('m.ts')
    unlinkSync(at('m.ts'))
    mkdirSync(at('m.ts'))
    expect(await graph.get(resolve.query, 'm')).toBe('m.js')
    expect(resolve.runs()).toHaveLength(4)
  })

  test('a query that survives a missing file is computed anew when it appears', async () => {
    const optional = counted('optional', async (context, path) => {
      try {
        return (await context.read(path)).bytes.toString()
      } catch {
        return 'default'
      }
    })
    expect(await graph.get(optional.query, 'config')).toBe('default')
    expect(await graph.get(optional.query, 'config')).toBe('default')
    expect(optional.runs()).toHaveLength(1)
    write('config', 'own')
    expect(await graph.get(optional.query, 'config')).toBe('own')
    unlinkSync(at('config'))
    expect(await graph.get(optional.query, 'config')).toBe('default')
  })

  test('folders, links and environment are dependencies, edits of files in a folder are not', async () => {
    mkdirSync(at('d'))
    write('d/a', '1')
    const names = counted('names', (context, path) => context.list(path)?.join() ?? 'none')
    const target = counted('target', (context, path) => context.realPath(path) ?? 'none')
    const mode = counted('mode', context => context.env('MILLRACE_TEST_MODE') ?? 'unset')
    const state = async () => [
      await graph.get(names.query, 'd'),
      await graph.get(target.query, 'link'),
      await graph.get(mode.query, ''),
    ]
    expect(await state()).toEqual(['a', 'none', 'unset'])
    write('d/a', '2')
    await state()
    expect([names.runs(), target.runs(), mode.runs()]).toEqual([['d'], ['link'], ['']])
    write('d/b', '1')
    symlinkSync(at('d/a'), at('link'))
    vi.stubEnv('MILLRACE_TEST_MODE', '')
    expect(await state()).toEqual(['a,b', at('d/a'), ''])
    unlinkSync(at('link'))
    symlinkSync(at('d/b'), at('link'))
    rmSync(at('d/b'))
    expect(await state()).toEqual(['a', 'none', ''])
    rmSync(at('d'), { recursive: true })
    expect((await state())[0]).toBe('none')
  })

  test('what says that it is untracked is computed in every revision, its dependents only if it changed', async () => {
    let now = 1
    const clock = counted('clock', context => {
      context.untracked()
      return now
    })
    const double = counted('double', async context => 2 * (await context.get(clock.query, '')))
    expect(await graph.get(double.query, '')).toBe(2)
    expect(await graph.get(double.query, '')).toBe(2)
    now = 2
    expect(await graph.get(double.query, '')).toBe(4)
    expect([clock.runs().length, double.runs().length]).toEqual([3, 2])
  })

  test('an error reaches the caller, is shared within a revision, and is gone after it', async () => {
    write('a', 'x')
    let broken = true
    const inner = counted('inner', async (context, path) => {
      await context.read(path)
      if (broken) throw new Error('no')
      return 'fine'
    })
    const outer = counted('outer', async (context, name) => {
      await context.get(inner.query, 'a')
      return name
    })
    const results = await Promise.allSettled([
      graph.get(outer.query, '1'),
      graph.get(outer.query, '2'),
    ])
    expect(results.map(({ status }) => status)).toEqual(['rejected', 'rejected'])
    expect(inner.runs()).toHaveLength(1)
    broken = false
    expect(await graph.get(outer.query, '1')).toBe('1')
  })

  test('a query that survives the failure of another is computed anew once that may succeed', async () => {
    let broken = true
    const inner = graph.query('inner', context => {
      context.untracked()
      if (broken) throw new Error('no')
      return 'fine'
    })
    const outer = graph.query('outer', context => context.get(inner, '').catch(() => 'fallback'))
    expect(await graph.get(outer, '')).toBe('fallback')
    broken = false
    expect(await graph.get(outer, '')).toBe('fine')
  })

  test.each([1, 2, 3])(
    'a circle of %i queries is an error that names it, from every side at once',
    async length => {
      const circle: Query<string, number> = graph.query<number>('circle', async (context, key) => {
        await new Promise(setImmediate)
        return 1 + (await context.get(circle, `${(Number(key) + 1) % length}`))
      })
      const results = await Promise.allSettled(
        Array.from({ length }, (_, index) => graph.get(circle, `${index}`)),
      )
      for (const result of results) {
        expect(result).toMatchObject({ reason: { code: 'ERR_MILLRACE_CYCLE' } })
        const { cycle } = (result as PromiseRejectedResult).reason
        expect(cycle).toHaveLength(length + 1)
        expect(cycle[0]).toBe(cycle.at(-1))
      }
    },
  )

  test('what a failed query no longer waits for does not hide a circle in the next look', async () => {
    const [begun, gate] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
    let first = true
    const slow: Query<string, number> = graph.query<number>('slow', async context => {
      context.untracked()
      if (!first) return context.get(outer, '')
      begun.resolve()
      await gate.promise
      return 1
    })
    const bad = graph.query<number>('bad', () => {
      throw new Error('bad')
    })
    const outer: Query<string, number> = graph.query<number>('outer', async context => {
      if (!first) return context.get(slow, '')
      const [sum] = await Promise.all([context.get(slow, ''), context.get(bad, '')])
      return sum
    })
    const failure = expect(graph.get(outer, '')).rejects.toThrow('bad')
    await begun.promise
    await failure
    gate.resolve()
    first = false
    await expect(graph.get(outer, '')).rejects.toMatchObject({ name: 'CycleError' })
  })

  test('a circle that an edit makes is found, and forgotten when another edit breaks it', async () => {
    const reach: Query<string, string> = graph.query<string>('reach', async (context, path) => {
      const next = (await context.read(path)).bytes.toString()
      return next === '' ? path : `${path} ${await context.get(reach, next)}`
    })
    write('a', 'b')
    write('b', '')
    expect(await graph.get(reach, 'a')).toBe('a b')
    write('b', 'a')
    await expect(graph.get(reach, 'a')).rejects.toMatchObject({ name: 'CycleError' })
    write('b', '')
    expect(await graph.get(reach, 'a')).toBe('a b')
  })

  test('a save in the middle never mixes old and new: the look is taken again', async () => {
    write('a', 'old')
    let saved = false
    const first = graph.query('first', async (context, path) =>
      (await context.read(path)).bytes.toString(),
    )
    const both = graph.query('both', async (context, path) => {
      const one = await context.get(first, path)
      if (!saved) {
        saved = true
        write('a', 'new')
      }
      return `${one} ${(await context.read(path)).bytes}`
    })
    const before = await graph.get(both, 'a')
    // One look has one state of the file, whichever.
    expect(['old old', 'new new']).toContain(before)
    expect(await graph.get(both, 'a')).toBe('new new')
  })

  test('a result computed while a file changed between check and read is not kept', async () => {
    write('a', 'one')
    write('b', 'x')
    let edits = 0
    const size = graph.query(
      'size',
      async (context, path) => (await context.read(path)).bytes.length,
    )
    const touchy = graph.query('touchy', async context => {
      const length = await context.get(size, 'a')
      if (edits-- > 0) write('a', 'x'.repeat(10 + edits))
      return [length, (await context.read('a')).bytes.length, (await context.read('b')).hash.length]
    })
    await graph.get(touchy, '')
    edits = 2
    write('b', 'y')
    const [checked, read] = await graph.get(touchy, '')
    expect(checked).toBe(read)
    expect(graph.stats().conflicts).toBeGreaterThan(0)
  })

  test('files that never settle are an error, not a loop', async () => {
    write('a', 'x')
    let count = 0
    const restless = graph.query('restless', async context => {
      if (count > 0) write('a', 'x'.repeat(++count))
      const { bytes } = await context.read('a')
      context.untracked()
      return bytes.length
    })
    expect(await graph.get(restless, '')).toBe(1)
    count = 1
    await expect(graph.get(restless, '')).rejects.toMatchObject({
      code: 'ERR_MILLRACE_UNSETTLED',
      message: `${at('a')} changed during each of 5 attempts`,
    })
    count = 0
    expect(await graph.get(restless, '')).toBe(6)
  })

  test('calls made together share one look; one caller’s abort leaves the others theirs', async () => {
    write('a', 'x')
    const gate = Promise.withResolvers<void>()
    const slow = counted('slow', async (context, path) => {
      await gate.promise
      return (await context.read(path)).hash
    })
    const controller = new AbortController()
    const impatient = graph.get(slow.query, 'a', { signal: controller.signal })
    const patient = graph.get(slow.query, 'a')
    const aborted = expect(impatient).rejects.toThrow('enough')
    while (graph.stats().computed === 0) await new Promise(setImmediate)
    controller.abort(new Error('enough'))
    await aborted
    gate.resolve()
    expect(await patient).toHaveLength(64)
    expect([slow.runs().length, graph.stats().revisions]).toEqual([1, 1])
  })

  test('a call made during a look gets the next one, with what was written meanwhile', async () => {
    write('a', 'old')
    const gate = Promise.withResolvers<void>()
    const text = graph.query('text', async (context, path) => {
      const { bytes } = await context.read(path)
      if (bytes.toString() === 'old') await gate.promise
      return bytes.toString()
    })
    const before = graph.get(text, 'a')
    while (graph.stats().computed === 0) await new Promise(setImmediate)
    await new Promise(setImmediate)
    write('a', 'new')
    const after = graph.get(text, 'a')
    gate.resolve()
    expect(['old', 'new']).toContain(await before)
    expect(await after).toBe('new')
  })

  test('what is asked for but not awaited is a dependency all the same; afterwards the context is closed', async () => {
    write('a', '1')
    let leaked: QueryContext | undefined
    const careless = counted('careless', context => {
      leaked = context
      void context.read('a')
      return 'done'
    })
    await graph.get(careless.query, '')
    write('a', '2')
    await graph.get(careless.query, '')
    expect(careless.runs()).toHaveLength(2)
    expect(() => leaked!.kind('a')).toThrow(
      'The query careless asked for something after it had ended',
    )
  })

  test('a chain of 3,000 files is checked and computed', async () => {
    const length = 3_000
    for (let i = 0; i < length; i++) write(`${i}`, `${i + 1 < length ? i + 1 : ''}`)
    const depth: Query<string, number> = graph.query<number>('depth', async (context, path) => {
      const next = (await context.read(path)).bytes.toString()
      return next === '' ? 1 : 1 + (await context.get(depth, next))
    })
    expect(await graph.get(depth, '0')).toBe(length)
    expect(await graph.get(depth, '0')).toBe(length)
    expect(graph.stats()).toMatchObject({ computed: length, verified: length })
  })

  test('results beyond maxResults go, and come back right', async () => {
    const small = new Graph({ files: new FileTable({ root }), maxNodes: 20, maxResults: 10 })
    const text = counted(
      'text',
      async (context, path) => (await context.read(path)).bytes.toString(),
      small,
    )
    const pair = counted(
      'pair',
      async (context, path) => `${await context.get(text.query, path)}!`,
      small,
    )
    for (let i = 0; i < 50; i++) write(`${i}`, `${i}`)
    for (let i = 0; i < 50; i++) await small.get(pair.query, `${i}`)
    await new Promise(setImmediate)
    expect(small.stats().nodes).toBeLessThanOrEqual(20)
    expect(small.stats().results).toBeLessThanOrEqual(10)
    for (let i = 0; i < 50; i++) expect(await small.get(pair.query, `${i}`)).toBe(`${i}!`)
    write('49', 'new')
    expect(await small.get(pair.query, '49')).toBe('new!')
  })

  test('names are unique, and bad options are named', () => {
    graph.query('q', () => 1)
    expect(() => graph.query('q', () => 2)).toThrow(
      'Expected `name` to be a string that no other query of the graph has, got a string of length 1',
    )
    expect(() => new Graph({ files: new FileTable(), maxResults: 0 })).toThrow('`maxResults`')
  })

  describe('with a store', () => {
    const open = (folder = root) => {
      const store = new SqliteStore<TraceRecord>({ path: join(folder, 'graph.db') })
      const kept = new Graph({ files: new FileTable({ root: join(folder, 'src') }), store })
      return { store, kept, ...language(kept, '1') }
    }
    type Opened = ReturnType<typeof open>
    const close = async ({ store, kept }: Opened) => {
      await kept.close()
      await store.close()
    }
    beforeEach(() => {
      mkdirSync(at('src'))
      write('src/a', 'import b\nimport c')
      write('src/b', 'export one')
      write('src/c', 'export two')
    })

    test('another process computes only what changed since', async () => {
      const first = open()
      await first.kept.get(first.visible.query, 'a')
      await close(first)
      const second = open()
      expect(await second.kept.get(second.visible.query, 'a')).toEqual(['one', 'two'])
      expect([second.parse.runs(), second.visible.runs()]).toEqual([[], []])
      await close(second)
      write('src/b', 'export one\n# comment')
      const third = open()
      expect(await third.kept.get(third.visible.query, 'a')).toEqual(['one', 'two'])
      expect([third.parse.runs(), third.visible.runs()]).toEqual([['b'], []])
      await close(third)
    })

    test('a tree that was moved keeps its results', async () => {
      const first = open()
      await first.kept.get(first.visible.query, 'a')
      await close(first)
      cpSync(root, `${root}-moved`, { recursive: true })
      const moved = open(`${root}-moved`)
      expect(await moved.kept.get(moved.visible.query, 'a')).toEqual(['one', 'two'])
      expect(moved.parse.runs()).toEqual([])
      await close(moved)
      rmSync(`${root}-moved`, { recursive: true })
    })

    test('a new version of a query computes anew', async () => {
      const first = open()
      await first.kept.get(first.visible.query, 'a')
      await close(first)
      const store = new SqliteStore<TraceRecord>({ path: at('graph.db') })
      const next = new Graph({ files: new FileTable({ root: at('src') }), store })
      const { parse } = language(next, '2')
      await next.get(parse.query, 'a')
      expect(parse.runs()).toEqual(['a'])
      await next.close()
      await store.close()
    })

    test('without a working store everything is computed, and it is said once', async () => {
      const store = new SqliteStore<TraceRecord>({ path: at('graph.db') })
      await store.close()
      const told: unknown[] = []
      const kept = new Graph({
        files: new FileTable({ root: at('src') }),
        store,
        onStoreError: error => told.push(error),
      })
      const { visible } = language(kept, '1')
      expect(await kept.get(visible.query, 'a')).toEqual(['one', 'two'])
      await kept.close()
      expect(told).toHaveLength(1)
    })
  })
})
