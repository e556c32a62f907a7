import {
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { memoryPressure } from '@millrace/cache-core/size'
import { afterEach, beforeEach, describe, expect, onTestFinished, test, vi } from 'vitest'
import { ManualSource } from '../watch/manual-source.ts'
import type { CacheFolderProblem } from './cache-folder.ts'
import { filePresets } from './presets.ts'
import { Workspace, type WorkspaceOptions } from './workspace.ts'

let root: string
let cacheFolder: string
beforeEach(() => {
  root = realpathSync(mkdtempSync(join(tmpdir(), 'millrace-space-')))
  cacheFolder = join(root, '.cache')
  mkdirSync(join(root, 'src'))
})
afterEach(() => rmSync(root, { recursive: true }))

const write = (name: string, text: string) => writeFileSync(join(root, 'src', name), text)
const later = { now: () => Date.now() + 10_000 }
const open = (options: WorkspaceOptions = {}) =>
  new Workspace({ root: join(root, 'src'), cacheFolder, files: { clock: later }, ...options })

/** Words of files, and how often each part was made. */
function words(workspace: Workspace) {
  const counts = { facts: 0, total: 0 }
  const facts = workspace.facts({
    id: 'words@1',
    extract: ({ bytes }) => {
      counts.facts++
      return { words: bytes.toString().split(' ') }
    },
  })
  const total = workspace.graph.query(
    'total',
    async context => {
      counts.total++
      let sum = 0
      for (const path of context.glob('*.txt')) {
        sum += (await facts.of(await context.read(path))).value.words.length
      }
      return { sum }
    },
    { version: '1' },
  )
  return { counts, facts, total }
}

describe('Workspace', () => {
  test('the next process finds files, facts and results', async () => {
    write('a.txt', 'one two')
    write('b.txt', 'three')
    for (const made of [2, 0]) {
      await using workspace = open()
      const { counts, total } = words(workspace)
      expect(await workspace.graph.get(total, '')).toEqual({ sum: 3 })
      expect(counts).toEqual({ facts: made, total: made / 2 })
      expect(workspace.files.stats().reads > 0).toBe(made > 0)
    }
  })

  test('all levels know of a change at the same tick', async () => {
    write('a.txt', 'one two')
    const source = new ManualSource(true)
    await using workspace = open({ watch: { source, ignore: [] } })
    const { total } = words(workspace)
    await workspace.settled()
    expect(await workspace.graph.get(total, '')).toEqual({ sum: 2 })
    const { revision } = workspace
    write('a.txt', 'one')
    source.changed([join(root, 'src/a.txt')])
    expect(workspace.revision).toBe(revision + 1)
    expect(await workspace.graph.get(total, '')).toEqual({ sum: 1 })
  })

  test('a clean tree has no findings; what is wrong is found, and forgotten by repair', async () => {
    write('a.txt', 'one two')
    write('b.txt', 'three')
    write('c.txt', 'four')
    const source = new ManualSource(true)
    await using workspace = open({ watch: { source, ignore: [] } })
    const { facts, total } = words(workspace)
    await workspace.settled()
    const result = await workspace.graph.get(total, '')
    expect(await workspace.validate()).toMatchObject({ findings: [], repaired: 0 })

    result.sum = 99
    ;(await facts.get('a.txt')).value.words.push('sneaked in')
    ;(await workspace.files.read('b.txt')).bytes.write('X')
    write('c.txt', 'four five')
    const findings = [
      { level: 'files', problem: 'changed-content', subject: join(root, 'src/b.txt') },
      { level: 'files', problem: 'missed-change', subject: join(root, 'src/c.txt') },
      { level: 'facts', problem: 'changed-facts', subject: 'words@1' },
      { level: 'graph', problem: 'changed-result', subject: 'total' },
    ]
    expect(await workspace.validate()).toMatchObject({ findings, repaired: 0 })
    expect(await workspace.repair()).toMatchObject({ findings, repaired: 4 })
    expect(await workspace.validate()).toMatchObject({ findings: [], repaired: 0 })
    expect(await workspace.graph.get(total, '')).toEqual({ sum: 5 })
  })

  test('a file whose bytes changed under its stamp is found', async () => {
    write('a.txt', 'one two')
    await using first = open()
    first.files.readSync('a.txt')
    // A snapshot that another tree of the same stamps left: no user can make a file keep its ctime.
    const dump = first.files.dump()
    const bytes = readFileSync(join(root, 'src/a.txt'))
    await using second = open({ cacheFolder: undefined })
    second.files.load(dump)
    expect((await second.validate()).findings).toEqual([])
    expect(bytes.toString()).toBe('one two')
    const { atime, mtime } = statSync(join(root, 'src/a.txt'))
    write('a.txt', 'two one')
    utimesSync(join(root, 'src/a.txt'), atime, mtime)
    // The stamp tells, so nothing is wrong: it will be read again.
    expect((await second.validate()).findings).toEqual([])
    expect(second.files.readSync('a.txt').bytes.toString()).toBe('two one')
  })

  test('warms in the order of the last run, by `ci` only what changed', async () => {
    for (const name of ['a.txt', 'b.txt', 'c.txt']) write(name, name)
    {
      await using first = open()
      for (const name of ['c.txt', 'a.txt', 'b.txt']) first.files.readSync(name)
    }
    write('a.txt', 'edited')
    const order = async (preset: 'interactive' | 'ci') => {
      await using workspace = open({ preset })
      const loaded: string[] = []
      const report = await workspace.warm(path => loaded.push(path.slice(-5)), { workers: 1 })
      expect(report.stopped).toBe('done')
      return loaded.join()
    }
    // `ci` first, as what it looks at is known afterwards.
    expect(await order('ci')).toBe('a.txt')
    expect(await order('interactive')).toContain('c.txt')
  })

  test('what other versions keep is left alone, and found again when they come back', async () => {
    write('a.txt', 'one two')
    const ask = async () => {
      await using workspace = open()
      const { counts, total } = words(workspace)
      expect(await workspace.graph.get(total, '')).toEqual({ sum: 2 })
      return counts.total
    }
    expect(await ask()).toBe(1)
    const ours = join(cacheFolder, 'v1')
    const kept = readFileSync(join(ours, 'files.snapshot'))
    // An upgrade began its own folder, in a form that this version cannot know.
    mkdirSync(join(cacheFolder, 'v2'))
    writeFileSync(join(cacheFolder, 'v2', 'graph.db'), 'of another form')
    expect(await ask()).toBe(0)
    expect(readFileSync(join(cacheFolder, 'v2', 'graph.db'), 'utf8')).toBe('of another form')
    // A snapshot of another form, or cut anywhere, is as good as none.
    for (const bytes of [
      Buffer.concat([Buffer.from('MFT9'), kept.subarray(4)]),
      kept.subarray(0, kept.length - 1),
      kept.subarray(0, 10),
      Buffer.alloc(0),
    ]) {
      writeFileSync(join(ours, 'files.snapshot'), bytes)
      await using workspace = open()
      expect(workspace.files.stats().files).toBe(0)
      expect(await workspace.graph.get(words(workspace).total, '')).toEqual({ sum: 2 })
    }
  })

  test.each([
    ['ci', undefined, ['0.txt', '1.txt']],
    ['interactive', undefined, ['0.txt', '1.txt', '2.txt', '3.txt']],
    ['interactive', 0, ['0.txt']],
  ] as const)(
    '`%s` warms along dependencies, %s steps or its own',
    async (preset, depth, names) => {
      for (let i = 0; i < 6; i++) write(`${i}.txt`, `${i + 1}.txt`)
      await using workspace = open({ preset })
      const loaded: string[] = []
      await workspace.warm(path => loaded.push(path), {
        paths: ['0.txt'],
        dependenciesOf: path => [workspace.files.readSync(path).bytes.toString()],
        depth,
        workers: 1,
      })
      expect(loaded).toEqual(names)
      await expect(workspace.warm(() => 1, { dependencyOf: 1 } as object)).rejects.toThrow(
        'dependencyOf',
      )
    },
  )

  test.each<[string, () => void]>([
    ['is a file', () => writeFileSync(cacheFolder, 'mine')],
    [
      'lies where nothing can be made, whoever asks',
      () => {
        cacheFolder = '/proc/millrace/cache'
      },
    ],
    [
      'holds something else',
      () => {
        mkdirSync(join(cacheFolder, 'v1'), { recursive: true })
        writeFileSync(
          join(cacheFolder, 'v1', 'graph.db'),
          'SQLite format 3\0 not at all'.repeat(40),
        )
        mkdirSync(join(cacheFolder, 'v1', 'facts.db'))
      },
    ],
  ])('a cache folder that %s is as good as empty, and that is said once', async (_, spoil) => {
    write('a.txt', 'one two')
    spoil()
    const told: CacheFolderProblem[] = []
    await using workspace = open({ onCacheProblem: problem => told.push(problem) })
    const { total } = words(workspace)
    expect(await workspace.graph.get(total, '')).toEqual({ sum: 2 })
    expect(await workspace.graph.get(total, '')).toEqual({ sum: 2 })
    await workspace.save()
    expect(told).toHaveLength(1)
    expect(told[0]).toMatchObject({ folder: join(cacheFolder, 'v1') })
  })

  test('an option of a level that is undefined is that of the workspace', async () => {
    write('a.txt', 'one two')
    writeFileSync(cacheFolder, 'mine')
    const told: CacheFolderProblem[] = []
    const onCacheProblem = (problem: CacheFolderProblem) => told.push(problem)
    const graph = { onStoreError: undefined, maxResults: undefined }
    await using workspace = open({ onCacheProblem, graph })
    const { total } = words(workspace)
    expect(await workspace.graph.get(total, '')).toEqual({ sum: 2 })
    await workspace.save()
    expect(told).toHaveLength(1)
  })

  test('presets have the numbers that they say', () => {
    const numbers = Object.values(filePresets).map(({ files, graph }) => [
      files.maxBytes! / 2 ** 20,
      graph.maxResults,
      graph.maxNodes,
      graph.retention! / 3_600_000,
      graph.cleanupInterval! / 60_000,
    ])
    expect(numbers).toEqual([
      [100, 7_500, 15_000, 48, 30],
      [75, 3_000, 8_000, 12, 15],
      [50, 2_000, 5_000, 2, 5],
    ])
    expect(() => open({ preset: 'large' as never })).toThrow("'heavy', 'interactive', 'ci'")
  })

  test('presets give memory up at the shares that they say', async () => {
    let used = 0
    const limit = vi.spyOn(process, 'constrainedMemory').mockReturnValue(1_000)
    const rss = vi.spyOn(process.memoryUsage, 'rss').mockImplementation(() => used)
    onTestFinished(() => {
      limit.mockRestore()
      rss.mockRestore()
    })
    vi.resetModules()
    const { filePresets: presets } = await import('./presets.ts')
    const shares = { heavy: [700, 850], interactive: [800, 900], ci: [600, 750] } as const
    for (const [name, [shrinkAt, stopAt]] of Object.entries(shares)) {
      for (const level of ['files', 'parse', 'graph'] as const) {
        const target = {
          maxEntries: 100,
          maxWeight: 100,
          size: 100,
          weight: 100,
          full: false,
          resize: vi.fn<(maxEntries: number, maxWeight: number) => void>(),
        }
        const control = presets[name as keyof typeof shares][level].memoryPressure!(target)
        used = shrinkAt - 1
        control.check()
        expect([name, level, target.resize.mock.calls.length]).toEqual([name, level, 0])
        used = shrinkAt
        control.check()
        expect([name, level, target.resize.mock.calls.length]).toEqual([name, level, 1])
        used = stopAt - 1
        control.check()
        expect([name, level, target.full]).toEqual([name, level, false])
        used = stopAt
        control.check()
        expect([name, level, target.full]).toEqual([name, level, true])
      }
    }
  })

  test('gives contents and values up when memory gets scarce', async () => {
    for (let i = 0; i < 50; i++) write(`${i}.txt`, `${i}`.padEnd(1_000, 'x'))
    let usage = 0
    await using workspace = open({
      files: {
        clock: later,
        memoryPressure: memoryPressure({
          shrinkAt: 0.5,
          stopAt: 0.6,
          interval: 1,
          usage: () => usage,
        }),
      },
    })
    for (let i = 0; i < 50; i++) workspace.files.readSync(`${i}.txt`)
    const held = workspace.files.stats().bytes
    expect(held).toBe(50_000)
    usage = 0.7
    while (workspace.files.stats().bytes > held / 4) await new Promise(setImmediate)
    expect(workspace.files.readSync('7.txt').bytes.length).toBe(1_000)
  })
})
