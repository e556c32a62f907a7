import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, realpathSync, rmSync, unlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setImmediate as turn } from 'node:timers/promises'
import { VirtualClock } from '@millrace/testkit'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { FileTable } from '../table/file-table.ts'
import { type FileWarmProgress, warm } from './warm.ts'
import { changedByGit, changedFiles, dependencyOrder } from './warm-orders.ts'

let root: string
beforeEach(() => {
  root = realpathSync(mkdtempSync(join(tmpdir(), 'millrace-warm-')))
})
afterEach(() => rmSync(root, { recursive: true }))

const names = (count: number) => Array.from({ length: count }, (_, index) => `${index}`)

describe('warm', () => {
  test('loads everything in order by no more workers than allowed, and tells how far it is', async () => {
    let running = 0
    let most = 0
    const begun: string[] = []
    const progress: FileWarmProgress[] = []
    const report = await warm(
      names(20),
      async path => {
        begun.push(path)
        most = Math.max(most, ++running)
        await turn()
        running--
        if (path === '7') throw new Error('no')
      },
      { workers: 3, onProgress: step => progress.push(step) },
    )
    expect(begun).toEqual(names(20))
    expect(most).toBe(3)
    expect(report).toMatchObject({ warmed: 19, failed: 1, stopped: 'done' })
    expect(progress).toHaveLength(20)
    expect(progress.find(({ path }) => path === '7')?.error).toMatchObject({ message: 'no' })
    expect(progress.at(-1)).toMatchObject({ warmed: 19, failed: 1 })
  })

  test('ends at its time limit, also where a load or its source never ends', async () => {
    const clock = new VirtualClock()
    let signal: AbortSignal | undefined
    const hung = warm(
      names(5),
      (_, options) => {
        signal = options.signal
        return new Promise(() => undefined)
      },
      { timeLimit: 1_000, clock },
    )
    await turn()
    clock.advance(1_000)
    expect(await hung).toMatchObject({ warmed: 0, stopped: 'time', elapsed: 1_000 })
    expect(signal?.aborted).toBe(true)
    async function* endless() {
      yield 'a'
      await new Promise(() => undefined)
    }
    const starved = warm(endless(), () => undefined, { timeLimit: 1_000, clock })
    for (let i = 0; i < 5; i++) await turn()
    clock.advance(1_000)
    expect(await starved).toMatchObject({ warmed: 1, stopped: 'time' })
  })

  test('ends at its memory limit and by its signal', async () => {
    let used = 0
    const report = await warm(names(100), () => (used += 10), {
      memory: () => used,
      memoryLimit: 50,
      workers: 1,
    })
    expect(report).toMatchObject({ warmed: 5, stopped: 'memory', memory: 50 })
    const controller = new AbortController()
    const aborted = warm(
      names(100),
      path => {
        if (path === '9') controller.abort()
      },
      { signal: controller.signal, workers: 1 },
    )
    expect(await aborted).toMatchObject({ stopped: 'aborted' })
    expect(await warm(names(1), () => 1, { signal: AbortSignal.abort() })).toMatchObject({
      warmed: 0,
      stopped: 'aborted',
    })
  })

  test('lets other work have its turn', async () => {
    let turns = 0
    let over = false
    const count = async () => {
      while (!over) {
        await turn()
        turns++
      }
    }
    const counting = count()
    await warm(names(30), () => {
      const until = performance.now() + 3
      while (performance.now() < until);
    })
    over = true
    await counting
    expect(turns).toBeGreaterThan(2)
  })

  test('bad options are named', async () => {
    await expect(warm([], () => 1, { workers: 0 })).rejects.toThrow('`workers`')
    await expect(warm([], () => 1, { timeLimits: 1 } as never)).rejects.toThrow('`timeLimit`')
    await expect(warm([], () => 1, { signal: {} as never })).rejects.toThrow('`signal`')
    await expect(warm([], () => 1, { clock: {} as never })).rejects.toThrow('`clock`')
  })
})

describe('the order of warming', () => {
  test('along dependencies: nearest first, each once, to the depth, also in circles', async () => {
    const edges: Record<string, string[]> = {
      a: ['b', 'c'],
      b: ['d', 'a'],
      c: ['d'],
      d: ['e'],
      e: [],
    }
    const order = async (roots: string[], depth: number) => {
      const found: string[] = []
      const dependencies = (path: string) => edges[path] ?? Promise.reject(new Error('missing'))
      for await (const path of dependencyOrder(roots, dependencies as never, depth))
        found.push(path)
      return found.join('')
    }
    expect(await order(['a'], 0)).toBe('a')
    expect(await order(['a'], 1)).toBe('abc')
    expect(await order(['a'], 9)).toBe('abcde')
    expect(await order(['x', 'a'], 2)).toBe('xabcd')
  })

  test('that of the last run, and of it what changed since', () => {
    const later = { now: () => Date.now() + 10_000 }
    const first = new FileTable({ root, clock: later })
    for (const name of ['a', 'b', 'c', 'd']) writeFileSync(join(root, name), name)
    for (const name of ['c', 'a', 'd', 'b']) first.readSync(name)
    const second = new FileTable({ root, clock: later })
    second.load(first.dump())
    expect(second.lastOrder.map(path => path.at(-1))).toEqual(['c', 'a', 'd', 'b'])
    writeFileSync(join(root, 'a'), 'edited')
    writeFileSync(join(root, 'c'), 'edited')
    unlinkSync(join(root, 'd'))
    expect([...changedFiles(second)].map(path => path.at(-1))).toEqual(['c', 'a'])
    // What this run asks for comes first in the next one.
    second.readSync('b')
    const third = new FileTable({ root, clock: later })
    third.load(second.dump())
    expect(third.lastOrder.map(path => path.at(-1))).toEqual(['c', 'a', 'b'])
  })

  test('what git says has changed, names of every kind', async () => {
    const git = (...args: string[]) =>
      execFileSync('git', ['-c', 'user.name=t', '-c', 'user.email=t@t', ...args], { cwd: root })
    git('init', '-q')
    mkdirSync(join(root, 'd'))
    for (const name of ['same', 'edited', 'gone', 'd/with space'])
      writeFileSync(join(root, name), '')
    git('add', '.')
    git('commit', '-qm', 'first')
    writeFileSync(join(root, 'edited'), 'x')
    writeFileSync(join(root, 'd/with space'), 'x')
    writeFileSync(join(root, 'new\nline'), 'x')
    unlinkSync(join(root, 'gone'))
    const changed = await changedByGit(root)
    expect(changed.map(path => path.slice(root.length + 1)).toSorted()).toEqual(
      ['d/with space', 'edited', 'new\nline'].toSorted(),
    )
    await expect(changedByGit(root, { since: '--output=x' })).rejects.toThrow('`since`')
    await expect(changedByGit(root, { since: 'nowhere' })).rejects.toThrow()
  })
})
