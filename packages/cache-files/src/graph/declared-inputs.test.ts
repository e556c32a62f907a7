import { mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { MemoryStore } from '@millrace/cache-core/memory'
import { VirtualClock } from '@millrace/testkit'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { FileTable } from '../table/file-table.ts'
import { Graph } from './graph.ts'
import type { TraceRecord } from './trace/trace-record.ts'

let root: string
let files: FileTable
beforeEach(() => {
  root = realpathSync(mkdtempSync(join(tmpdir(), 'millrace-inputs-')))
  files = new FileTable({ root, clock: { now: () => Date.now() + 10_000 } })
})
afterEach(() => rmSync(root, { recursive: true }))

const at = (name: string) => join(root, name)
const write = (name: string, text: string) => {
  mkdirSync(dirname(at(name)), { recursive: true })
  writeFileSync(at(name), text)
}

test.each(['glob', 'env', 'option'] as const)(
  'what %s is asked for must be a text, so that nothing else becomes a part of the trace',
  async input => {
    const graph = new Graph({ files, options: { target: 'es2024' } })
    for (const [i, name] of [undefined, null, {}, Symbol('s'), ['*'], ''].entries()) {
      const asks = graph.query(`asks ${i}`, context => `${context[input](name as never)}`)
      await expect(graph.get(asks, 'key')).rejects.toMatchObject({
        code: 'ERR_MILLRACE_INVALID_OPTION',
      })
    }
  },
)

test.each(['toString', 'constructor', '__proto__', 'hasOwnProperty', 'valueOf'])(
  'an environment variable %s is none until it is set',
  async name => {
    await using graph = new Graph({ files })
    const value = graph.query('value', context => context.env(name) ?? null)
    expect(await graph.get(value, '')).toBeNull()
    const before = Object.getOwnPropertyDescriptor(process.env, name)
    expect(before).toBeUndefined()
    Object.defineProperty(process.env, name, {
      value: 'set',
      configurable: true,
      enumerable: true,
      writable: true,
    })
    try {
      expect(await graph.get(value, '')).toBe('set')
    } finally {
      delete process.env[name]
    }
    expect(await graph.get(value, '')).toBeNull()
  },
)

describe('a pattern', () => {
  test.each([
    ['src/*.ts', ['src/a.ts', 'src/b.ts']],
    ['src/**/*.ts', ['src/a.ts', 'src/b.ts', 'src/d/c.ts']],
    ['**/c.ts', ['src/d/c.ts']],
    ['src/{a,b}.ts', ['src/a.ts', 'src/b.ts']],
    ['src/?.{ts,js}', ['src/a.js', 'src/a.ts', 'src/b.ts']],
    ['src/.*', ['src/.hidden']],
    ['src/a+(b).ts', ['src/a+(b).ts']],
    ['src/d', ['src/d']],
    ['src/nothing*', []],
    ['nowhere/**', []],
  ])('%s', async (pattern, expected) => {
    for (const name of ['a.ts', 'b.ts', 'a.js', '.hidden', 'a+(b).ts', 'd/c.ts'])
      write(`src/${name}`, '')
    const graph = new Graph({ files })
    const matches = graph.query('matches', (context, key) =>
      context.glob(key).filter(path => !path.includes('+') || key.includes('+')),
    )
    expect(await graph.get(matches, pattern)).toEqual(expected.map(at))
  })

  test('with many wildcards takes no time on a long name or in deep folders', async () => {
    const long = `src/${'a'.repeat(200)}`
    write(long, '')
    const deep = `deep${'/d'.repeat(60)}/end`
    write(deep, '')
    const graph = new Graph({ files })
    const matches = graph.query('matches', (context, key) => context.glob(key))
    expect(await graph.get(matches, `src/${'*a'.repeat(60)}b`)).toEqual([])
    expect(await graph.get(matches, `src/${'{*,?}a'.repeat(20)}*`)).toEqual([at(long)])
    expect(await graph.get(matches, `deep/${'**/'.repeat(20)}end`)).toEqual([at(deep)])
  })

  test('is computed anew when a file comes or goes, not when one is edited; linked folders do not trap it', async () => {
    write('src/a', '')
    symlinkSync(at('src'), at('src/loop'))
    const graph = new Graph({ files })
    let runs = 0
    const count = graph.query('count', context => {
      runs++
      return context.glob('src/**').length
    })
    expect(await graph.get(count, '')).toBe(2)
    write('src/a', 'edited')
    expect([await graph.get(count, ''), runs]).toEqual([2, 1])
    write('src/deep/b', '')
    expect([await graph.get(count, ''), runs]).toEqual([4, 2])
    rmSync(at('src/a'))
    expect([await graph.get(count, ''), runs]).toEqual([3, 3])
  })
})

test('an option is an input, by its value', async () => {
  const graph = new Graph({ files, options: { target: { es: 2024 }, parser: '1.0.0' } })
  let runs = 0
  const target = graph.query('target', context => {
    runs++
    return context.option('target')
  })
  expect(await graph.get(target, '')).toEqual({ es: 2024 })
  graph.setOption('target', { es: 2024 })
  graph.setOption('parser', '2.0.0')
  await graph.get(target, '')
  expect(runs).toBe(1)
  graph.setOption('target', undefined)
  expect([await graph.get(target, ''), runs]).toEqual([undefined, 2])
})

describe('a durable folder', () => {
  const counted = (store?: MemoryStore<TraceRecord>) => {
    const graph = new Graph({
      files,
      store,
      durable: [{ folder: 'node_modules', markers: ['lock'] }],
    })
    const text = graph.query(
      'text',
      async (context, path) => (await context.read(path)).bytes.toString(),
      { version: '1' },
    )
    const both = graph.query(
      'both',
      async context =>
        `${await context.get(text, 'src')} ${await context.get(text, 'node_modules/m')}`,
      { version: '1' },
    )
    return { graph, both, text }
  }

  test('is looked at only when a marker changes, or somebody says so', async () => {
    write('lock', '1')
    write('src', 'a')
    write('node_modules/m', '1')
    const { graph, both, text } = counted()
    expect(await graph.get(both, '')).toBe('a 1')
    write('node_modules/m', '2')
    write('src', 'b')
    expect(await graph.get(both, '')).toBe('b 1')
    write('lock', '2')
    expect(await graph.get(both, '')).toBe('b 2')
    write('node_modules/m', '3')
    expect(await graph.get(text, 'node_modules/m')).toBe('2')
    graph.invalidateDurable()
    expect(await graph.get(both, '')).toBe('b 3')
    rmSync(at('lock'))
    rmSync(at('node_modules/m'))
    await expect(graph.get(both, '')).rejects.toMatchObject({ reason: 'missing' })
  })

  test('is looked at once by each process', async () => {
    write('lock', '1')
    write('src', 'a')
    write('node_modules/m', '1')
    const store = new MemoryStore<TraceRecord>()
    const first = counted(store)
    await first.graph.get(first.both, '')
    await first.graph.close()
    // Between two processes, without a word to any marker.
    write('node_modules/m', '2')
    const second = counted(store)
    expect(await second.graph.get(second.both, '')).toBe('a 2')
    await store.close()
  })

  const read = (graph: Graph, version?: string) =>
    graph.query('read', async (context, path) => (await context.read(path)).bytes.toString(), {
      version,
    })

  test('is none to a graph that has others, whatever the process before said', async () => {
    write('lock', '1')
    write('node_modules/m', '1')
    const store = new MemoryStore<TraceRecord>()
    const node_modules = { folder: 'node_modules', markers: ['lock'] }
    const vendor = { folder: 'vendor', markers: ['lock'] }
    for (const durable of [[node_modules, vendor], [vendor], [], [node_modules]]) {
      await using graph = new Graph({ files, store, durable })
      const text = read(graph, '1')
      const through = graph.query('through', (context, path) => context.get(text, path), {
        version: '1',
      })
      write('node_modules/m', '1')
      graph.invalidateDurable()
      expect(await graph.get(through, 'node_modules/m')).toBe('1')
      write('node_modules/m', '2')
      const held = durable.includes(node_modules)
      expect(await graph.get(through, 'node_modules/m')).toBe(held ? '1' : '2')
    }
  })

  test('is none above the root', async () => {
    write('node_modules/m/lock', '1')
    write('node_modules/m/src', '1')
    write('node_modules/n', '1')
    write('node_modules/m/node_modules/o', '1')
    const inner = new FileTable({ root: at('node_modules/m') })
    await using graph = new Graph({
      files: inner,
      durable: [{ folder: 'node_modules', markers: ['lock'] }],
    })
    const text = read(graph)
    const names = graph.query('names', context => context.list('.')!.length)
    const paths = ['src', '../n', 'node_modules/o']
    for (const path of paths) expect(await graph.get(text, path)).toBe('1')
    expect(await graph.get(names, '')).toBe(3)
    write('node_modules/m/more', '')
    for (const path of paths) write(join('node_modules/m', path), '2')
    expect(await Promise.all(paths.map(path => graph.get(text, path)))).toEqual(['2', '1', '1'])
    expect(await graph.get(names, '')).toBe(4)
  })

  test('is looked at as any other while no marker of it can be read', async () => {
    files = new FileTable({ root, maxFileBytes: 10 })
    write('node_modules/m', '1')
    await using graph = new Graph({
      files,
      durable: [
        { folder: 'node_modules', markers: [at('lock'), 'absent'] },
        { folder: './vendor/', markers: ['never'] },
      ],
    })
    const text = read(graph)
    let count = 0
    const sees = async (changed: boolean): Promise<void> => {
      const before = `${count}`
      write('node_modules/m', `${++count}`)
      expect(await graph.get(text, 'node_modules/m')).toBe(changed ? `${count}` : before)
    }
    await sees(true)
    await sees(true)
    write('lock', '')
    await sees(true)
    await sees(false)
    expect(await graph.get(text, 'lock')).toBe('')
    write('lock', '2')
    await sees(true)
    write('lock', 'far too large')
    await sees(true)
    await sees(true)
    rmSync(at('lock'))
    await sees(true)
    mkdirSync(at('lock'))
    await sees(true)
    await sees(true)
  })

  test('needs markers', () => {
    expect(() => new Graph({ files, durable: [{ folder: 'a', markers: [] }] })).toThrow(
      'Expected `durable[0].markers` to be at least one path',
    )
  })
})

test('folders beyond those that the table remembers are of one moment all the same', async () => {
  const small = new FileTable({ root, maxFiles: 2 })
  const names = ['a', 'b', 'c', 'd']
  for (const name of names) write(`${name}/file`, '')
  await using graph = new Graph({ files: small })
  const all = graph.query('all', context =>
    [...names, 'none'].map(name => context.list(name)?.length),
  )
  expect(await graph.get(all, '')).toEqual([1, 1, 1, 1, undefined])
  write('c/more', '')
  expect(await graph.get(all, '')).toEqual([1, 1, 2, 1, undefined])
  expect(graph.stats().conflicts).toBe(0)
})

test('what was not used for the retention goes from memory, at the next clean-up', async () => {
  const clock = new VirtualClock()
  const graph = new Graph({ files, clock, retention: 3_600_000, cleanupInterval: 300_000 })
  const echo = graph.query('echo', (_, key) => key)
  await graph.get(echo, 'old')
  clock.advance(3_000_000)
  await graph.get(echo, 'young')
  await new Promise(setImmediate)
  expect(graph.stats().nodes).toBe(2)
  clock.advance(900_000)
  expect(graph.stats().nodes).toBe(1)
  clock.advance(3_600_000)
  expect(graph.stats().nodes).toBe(0)
  await graph.close()
})
