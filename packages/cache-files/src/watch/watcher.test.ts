import {
  linkSync,
  mkdirSync,
  mkdtempSync,
  realpathSync,
  renameSync,
  rmSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { runs, VirtualClock } from '@millrace/testkit'
import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { Graph } from '../graph/graph.ts'
import { FileTable } from '../table/file-table.ts'
import { ManualSource } from './manual-source.ts'
import { ResultStream } from './result-stream.ts'
import { type Tick, Watcher } from './watcher.ts'

let folder: string
let root: string
let files: FileTable
beforeEach(() => {
  folder = realpathSync(mkdtempSync(join(tmpdir(), 'millrace-watch-test-')))
  root = join(folder, 'root')
  mkdirSync(root)
  files = new FileTable({ root, clock: { now: () => Date.now() + 10_000 } })
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

const at = (name: string) => join(root, name)
const write = (name: string, text: string) => {
  mkdirSync(dirname(at(name)), { recursive: true })
  writeFileSync(at(name), text)
}

/** What a table says of paths: contents, names, kinds. */
function view(table: FileTable, paths: readonly string[]): unknown[] {
  return paths.map(path => {
    const kind = table.kindSync(path)
    const text = kind === 'file' ? table.readSync(path).bytes.toString() : undefined
    return [path, kind, text, table.folderSync(path).names]
  })
}
const fresh = () => new FileTable({ root })

describe.runIf(process.platform === 'linux')('a Watcher', () => {
  test('spares every look at what did not change, and after settled nothing is old', async () => {
    write('d/a', 'one')
    await using watcher = new Watcher({ files })
    await watcher.settled()
    expect(watcher.stats().complete).toBe(true)
    files.readSync('d/a')
    const { reads } = files.stats()
    for (let i = 0; i < 10; i++) files.hashSync('d/a')
    expect(files.stats()).toMatchObject({ reads, trusted: 10 })
    for (let i = 0; i < 20; i++) {
      write('d/a', `${i}`)
      await watcher.settled()
      expect(files.readSync('d/a').bytes.toString()).toBe(`${i}`)
    }
    expect(watcher.revision).toBeGreaterThan(0)
  })

  test.each<[string, () => void]>([
    ['a save in the middle of a save', () => write('d/a', 'new')],
    [
      'a rename over',
      () => {
        write('other', 'new')
        renameSync(at('other'), at('d/a'))
      },
    ],
    ['a file that goes', () => unlinkSync(at('d/a'))],
    [
      'a file that a folder replaces',
      () => {
        unlinkSync(at('d/a'))
        mkdirSync(at('d/a'))
        write('d/a/x', '')
      },
    ],
    [
      'a folder that goes and comes back with other files',
      () => {
        rmSync(at('d'), { recursive: true })
        write('d/b', 'new')
      },
    ],
    [
      'a folder that is moved away and another moved there',
      () => {
        write('e/a', 'moved')
        renameSync(at('d'), at('old'))
        renameSync(at('e'), at('d'))
      },
    ],
    ['a deep folder made and filled at once', () => write('p/q/r/s/file', 'new')],
    [
      'a folder that a link replaces',
      () => {
        write('target/a', 'linked')
        rmSync(at('d'), { recursive: true })
        symlinkSync(at('target'), at('d'))
      },
    ],
    ['what a link leads to', () => write('../outside', 'new')],
    [
      'a link that is pointed elsewhere',
      () => {
        unlinkSync(at('link'))
        symlinkSync(at('d/a'), at('link'))
      },
    ],
    ['a write through another name of the file', () => writeFileSync(at('../hard'), 'through')],
  ])('%s is known after settled', async (_, change) => {
    write('d/a', 'old')
    write('../outside', 'old')
    write('../hard', 'hard')
    linkSync(at('../hard'), at('hard'))
    symlinkSync(at('../outside'), at('link'))
    const paths = [
      '.',
      'd',
      'd/a',
      'd/b',
      'd/a/x',
      'p',
      'p/q/r/s/file',
      'old/a',
      'link',
      'hard',
      'e/a',
      'target/a',
    ]
    await using watcher = new Watcher({ files })
    await watcher.settled()
    view(files, paths)
    change()
    await watcher.settled()
    expect(view(files, paths)).toEqual(view(fresh(), paths))
    // Again, as what came new has to be watched too.
    write('p/q/r/s/file', 'newer')
    write('old/a', 'newer')
    await watcher.settled()
    expect(view(files, paths)).toEqual(view(fresh(), paths))
  })

  test('30,000 files written while this thread is blocked are all known after settled', async () => {
    await using watcher = new Watcher({ files })
    await watcher.settled()
    const [count, folders, asked] = [Math.min(30_000, runs(30_000)), 50, 3_000]
    const path = (i: number) => `f/${i % folders}/${i}`
    const step = Math.ceil(count / asked)
    for (let i = 0; i < count; i += step) expect(files.kindSync(path(i))).toBe('none')
    for (let i = 0; i < folders; i++) expect(files.folderSync(`f/${i}`).names).toBe(undefined)
    for (let i = 0; i < folders; i++) write(path(i), '')
    // Other names of them are the quickest files to make, so that the events come as thick as they can.
    for (let i = folders; i < count; i++) linkSync(at(path(i % folders)), at(path(i)))
    await watcher.settled()
    for (let i = 0; i < count; i += step) expect(files.kindSync(path(i))).toBe('file')
    let known = 0
    for (let i = 0; i < folders; i++) known += files.folderSync(`f/${i}`).names?.length ?? 0
    expect(known).toBe(count)
    write('f/7/7', 'edited')
    await watcher.settled()
    expect(files.readSync('f/7/7').bytes.toString()).toBe('edited')
  })

  test('a root that another folder replaces', async () => {
    const inner = new FileTable({ root: at('tree') })
    write('tree/a', 'old')
    write('next/a', 'new')
    await using watcher = new Watcher({ files: inner })
    await watcher.settled()
    expect(inner.readSync('a').bytes.toString()).toBe('old')
    renameSync(at('tree'), at('gone'))
    renameSync(at('next'), at('tree'))
    await watcher.settled()
    expect(inner.readSync('a').bytes.toString()).toBe('new')
    write('tree/a', 'newer')
    await watcher.settled()
    expect(inner.readSync('a').bytes.toString()).toBe('newer')
  })

  test.each<[string, () => void]>([
    [
      'removed and made anew',
      () => {
        unlinkSync(at('tree'))
        symlinkSync('next', at('tree'))
      },
    ],
    [
      'replaced',
      () => {
        symlinkSync('next', at('link'))
        renameSync(at('link'), at('tree'))
      },
    ],
    [
      'left, as the folder that it leads to is replaced',
      () => {
        renameSync(at('first'), at('gone'))
        renameSync(at('next'), at('first'))
        symlinkSync('first', at('next'))
      },
    ],
  ])('a root that is a link, which is %s', async (_, retarget) => {
    const inner = new FileTable({ root: at('tree'), clock: { now: () => Date.now() + 10_000 } })
    write('first/a', 'old')
    write('next/a', 'new')
    symlinkSync('first', at('tree'))
    await using watcher = new Watcher({ files: inner })
    const text = async () => {
      await watcher.settled()
      return inner.readSync('a').bytes.toString()
    }
    expect([await text(), await text()]).toEqual(['old', 'old'])
    retarget()
    expect([await text(), await text()]).toEqual(['new', 'new'])
    write('next/a', 'newer')
    expect([await text(), await text()]).toEqual(['newer', 'newer'])
  })

  test('a root that is removed and made anew, time and again, as if with the same inode', async () => {
    const inner = new FileTable({ root: at('tree'), clock: { now: () => Date.now() + 10_000 } })
    write('tree/a', 'first')
    await using watcher = new Watcher({ files: inner })
    await watcher.settled()
    for (let i = 0; i < 10; i++) {
      inner.readSync('a')
      rmSync(at('tree'), { recursive: true })
      write('tree/a', `${i}`)
      await watcher.settled()
      expect(inner.readSync('a').bytes.toString()).toBe(`${i}`)
      write('tree/a', `${i} edited`)
      await watcher.settled()
      expect(inner.readSync('a').bytes.toString()).toBe(`${i} edited`)
    }
  })

  test('a root that goes and comes back is followed, though nothing asks what changed meanwhile', async () => {
    const inner = new FileTable({ root: at('tree') })
    write('tree/a', 'old')
    await using watcher = new Watcher({ files: inner })
    await watcher.settled()
    const ticks = watcher[Symbol.asyncIterator]()
    const lost = async () => {
      while ((await ticks.next()).value?.all !== 'lost') {}
    }
    renameSync(at('tree'), at('gone'))
    await lost()
    renameSync(at('gone'), at('tree'))
    await lost()
    write('tree/a', 'new')
    let changed: readonly string[] = []
    while (!changed.includes(at('tree/a'))) changed = (await ticks.next()).value!.paths
    expect(inner.readSync('a').bytes.toString()).toBe('new')
  })

  test('folders that are not watched are looked at', async () => {
    write('node_modules/m/a', 'old')
    await using watcher = new Watcher({ files })
    await watcher.settled()
    expect(files.readSync('node_modules/m/a').bytes.toString()).toBe('old')
    write('node_modules/m/a', 'new')
    expect(files.readSync('node_modules/m/a').bytes.toString()).toBe('new')
    expect(files.stats().trusted).toBe(0)
  })

  test('after any changes a table that is watched says what a new one does', async () => {
    const names = ['a', 'd/a', 'd/b', 'd/e/a', 'e', 'e/a']
    const name = fc.constantFrom(...names)
    const change = fc.oneof(
      fc.tuple(fc.constant('write' as const), name, name),
      fc.tuple(fc.constant('remove' as const), name, name),
      fc.tuple(fc.constant('rename' as const), name, name),
      fc.tuple(fc.constant('folder' as const), name, name),
      fc.tuple(fc.constant('link' as const), name, name),
      fc.tuple(fc.constant('settle' as const), name, name),
    )
    const apply = (kind: string, from: string, to: string, index: number) => {
      try {
        if (kind === 'write') write(from, `${index}`)
        else if (kind === 'remove') rmSync(at(from), { recursive: true, force: true })
        else if (kind === 'rename') renameSync(at(from), at(to))
        else if (kind === 'folder') mkdirSync(at(from), { recursive: true })
        else if (kind === 'link') symlinkSync(at(to), at(from))
      } catch (error) {
        // A script may ask for what the file system does not do.
        expect(error).toHaveProperty('syscall')
      }
    }
    await using watcher = new Watcher({ files })
    await fc.assert(
      fc.asyncProperty(fc.array(change, { minLength: 1, maxLength: 12 }), async changes => {
        await watcher.settled()
        for (const [index, [kind, from, to]] of changes.entries()) {
          if (kind === 'settle') await watcher.settled()
          view(files, ['.', 'd', ...names])
          apply(kind, from, to, index)
        }
        await watcher.settled()
        expect(view(files, ['.', 'd', ...names])).toEqual(view(fresh(), ['.', 'd', ...names]))
      }),
      { numRuns: runs(60) },
    )
  })

  test('a graph needs no look at all, and reads its own writes', async () => {
    for (let i = 0; i < 20; i++) write(`src/${i}`, `${i}`)
    await using watcher = new Watcher({ files })
    await using graph = new Graph({ files })
    const size = graph.query(
      'size',
      async (context, path) => (await context.read(path)).bytes.length,
    )
    const total = graph.query('total', async context => {
      const sizes = await Promise.all(context.glob('src/*').map(path => context.get(size, path)))
      return sizes.reduce((a, b) => a + b, 0)
    })
    await watcher.settled()
    expect(await graph.get(total, '')).toBe(30)
    const { trusted } = files.stats()
    expect(await graph.get(total, '')).toBe(30)
    expect(files.stats().trusted).toBeGreaterThan(trusted)
    for (let i = 0; i < 10; i++) {
      write('src/new', 'x'.repeat(i))
      expect(await graph.get(total, '')).toBe(30 + i)
    }
  })

  test('ticks reach every reader, and a slow one gets those he missed as one', async () => {
    await using watcher = new Watcher({ files, delay: 0 })
    await watcher.settled()
    const [quick, slow] = [watcher[Symbol.asyncIterator](), watcher[Symbol.asyncIterator]()]
    const seen: string[] = []
    for (const name of ['a', 'b', 'c']) {
      write(name, '')
      await watcher.settled()
      const { value } = await quick.next()
      seen.push(...(value as Tick).paths)
    }
    expect(new Set(seen)).toEqual(new Set([at('a'), at('b'), at('c')]))
    const { value } = await slow.next()
    expect(value?.paths.toSorted()).toEqual([at('a'), at('b'), at('c')])
    expect(value?.revision).toBe(watcher.revision)
    await watcher.close()
    expect(await slow.next()).toEqual({ done: true, value: undefined })
  })

  test('results of one query are computed once for all who read them, newest first', async () => {
    write('a', 'one')
    await using watcher = new Watcher({ files, delay: 0 })
    await using graph = new Graph({ files })
    let computed = 0
    const text = graph.query('text', async (context, path) => {
      computed++
      return (await context.read(path)).bytes.toString()
    })
    await watcher.settled()
    const stream = new ResultStream({ graph, watcher, query: text, key: 'a' })
    const readers = [stream[Symbol.asyncIterator](), stream[Symbol.asyncIterator]()]
    const next = () => Promise.all(readers.map(async reader => (await reader.next()).value))
    expect(await next()).toMatchObject([{ value: 'one' }, { value: 'one' }])
    write('a', 'two')
    expect(await next()).toMatchObject([{ value: 'two' }, { value: 'two' }])
    expect(computed).toBe(2)
    unlinkSync(at('a'))
    expect(await next()).toMatchObject([{ reason: { reason: 'missing' } }, { status: 'rejected' }])
    stream.close()
    expect(await next()).toEqual([undefined, undefined])
  })
})

describe('a Watcher by other sources', () => {
  test('of the host: what it reports is looked at, and only that', async () => {
    write('a', 'old')
    const source = new ManualSource(true)
    await using watcher = new Watcher({ files, source, ignore: [] })
    await watcher.settled()
    files.readSync('a')
    write('a', 'new')
    expect(files.readSync('a').bytes.toString()).toBe('old')
    source.changed([at('a')])
    expect(files.readSync('a').bytes.toString()).toBe('new')
    write('a', 'newer')
    source.changedBelow([root])
    expect(files.readSync('a').bytes.toString()).toBe('newer')
    write('a', 'newest')
    source.changedAll()
    expect(files.readSync('a').bytes.toString()).toBe('newest')
    await watcher.close()
    write('a', 'looked at')
    expect(files.readSync('a').bytes.toString()).toBe('looked at')
  })

  test('of the host: folders and paths are named in any way', async () => {
    write('src/a', '')
    const source = new ManualSource(true)
    await using watcher = new Watcher({ files, source, ignore: [] })
    await watcher.settled()
    const reader = watcher[Symbol.asyncIterator]()
    const text = () => files.readSync('src/a').bytes.toString()
    const expectSeen = async (way: string, report: () => void, at: string[]) => {
      const before = text()
      write('src/a', way)
      expect([way, text()]).toEqual([way, before])
      report()
      expect(text()).toBe(way)
      const { paths, folders } = (await reader.next()).value!
      expect([...paths, ...folders]).toEqual(at)
    }
    const ways: [string, string][] = ['src', 'src/', './src', 'src/.', 'src/../src//'].flatMap(
      way => [
        [way, at('src')],
        [`${root}/${way}`, at('src')],
      ],
    )
    ways.push(['', root], ['.', root], [`${root}/`, root], ['..', dirname(root)], ['/', '/'])
    for (const [way, meant] of ways) {
      await expectSeen(`below ${way}`, () => source.changedBelow([way]), [meant])
    }
    for (const way of ['src/a', './src/a', 'src//a', `${root}/src/./a`, 'src/a/', 'src/b/../a'])
      await expectSeen(`at ${way}`, () => source.changed([way]), [at('src/a')])
    const before = text()
    write('src/a', 'unseen')
    for (const other of ['sr', 'src2', 'src/a/b', '../src']) source.changedBelow([other])
    expect(text()).toBe(before)
  })

  test.each([undefined, 'src', new Set(['src']), [5], ['src', null], [undefined]])(
    'of the host: %s is refused',
    async paths => {
      const source = new ManualSource(true)
      await using _ = new Watcher({ files, source })
      for (const report of ['changed', 'changedBelow'] as const) {
        expect(() => source[report](paths as never)).toThrow(
          expect.objectContaining({ code: 'ERR_MILLRACE_INVALID_OPTION' }),
        )
      }
    },
  )

  test.each(['watch', 'poll', 'manual'] as const)(
    'by %s: a path with half a character is the one that the system takes it for',
    async kind => {
      write('\ufffd', 'old')
      write('d\ufffd/a', 'old')
      const manual = new ManualSource(true)
      const source = kind === 'manual' ? manual : kind
      await using watcher = new Watcher({ files, source, ignore: [] })
      await using graph = new Graph({ files })
      const text = graph.query('text', async (context, path) =>
        context.kind(path) === 'file' ? (await context.read(path)).bytes.toString() : 'none',
      )
      const texts = () => Promise.all(['\ud800', 'd\udc00/a'].map(path => graph.get(text, path)))
      const report = () => manual.changed(['\udfff', 'd\udfff/a'])
      await watcher.settled()
      expect(await texts()).toEqual(['old', 'old'])
      expect(await texts()).toEqual(['old', 'old'])
      write('\ufffd', 'new')
      write('d\ufffd/a', 'new')
      report()
      expect(await texts()).toEqual(['new', 'new'])
      expect(await texts()).toEqual(['new', 'new'])
      unlinkSync(at('\ufffd'))
      unlinkSync(at('d\ufffd/a'))
      report()
      expect(await texts()).toEqual(['none', 'none'])
    },
  )

  test('more changes than are held become “anything”', async () => {
    const source = new ManualSource()
    await using watcher = new Watcher({ files, source, maxPending: 3 })
    await watcher.settled()
    const reader = watcher[Symbol.asyncIterator]()
    for (const name of ['a', 'b', 'c', 'd']) source.changed([at(name)])
    expect((await reader.next()).value).toMatchObject({ paths: [], all: 'overflow', revision: 4 })
  })

  test('by polling: what changed is reported, and every call looks for itself', async () => {
    write('a', 'old')
    const clock = new VirtualClock()
    await using watcher = new Watcher({ files, source: 'poll', pollInterval: 1_000, clock })
    files.readSync('a')
    await watcher.settled()
    const reader = watcher[Symbol.asyncIterator]()
    write('a', 'new')
    expect(files.readSync('a').bytes.toString()).toBe('new')
    clock.advance(1_000)
    expect((await reader.next()).value).toMatchObject({ paths: [at('a')] })
    unlinkSync(at('a'))
    clock.advance(1_000)
    expect((await reader.next()).value).toMatchObject({ paths: [at('a')] })
  })

  test('everything is looked at once more after the interval', async () => {
    write('a', 'old')
    const clock = new VirtualClock()
    const source = new ManualSource(true)
    await using watcher = new Watcher({
      files,
      source,
      clock,
      reconcileInterval: 60_000,
      ignore: [],
    })
    await watcher.settled()
    files.readSync('a')
    write('a', 'new')
    clock.advance(60_000)
    expect(files.readSync('a').bytes.toString()).toBe('new')
  })

  test('a source that cannot begin says so, and files are looked at', async () => {
    write('a', 'old')
    const source = new ManualSource(true)
    source.start = async () => {
      throw new Error('no')
    }
    await using watcher = new Watcher({ files, source })
    await expect(watcher.settled()).rejects.toThrow('no')
    files.readSync('a')
    write('a', 'new')
    expect(files.readSync('a').bytes.toString()).toBe('new')
    expect(() => new Watcher({ files })).toThrow('the only one that the table follows')
  })
})
