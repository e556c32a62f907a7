import { spawnSync } from 'node:child_process'
import { mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setImmediate as turn } from 'node:timers/promises'
import { VirtualClock } from '@millrace/testkit'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { Graph } from '../graph/graph.ts'
import { FileTable } from '../table/file-table.ts'
import { ManualSource } from './manual-source.ts'
import { Watcher } from './watcher.ts'

let root: string
let files: FileTable
beforeEach(() => {
  root = realpathSync(mkdtempSync(join(tmpdir(), 'millrace-watch-failures-')))
  files = new FileTable({ root, clock: { now: () => Date.now() + 10_000 } })
})
afterEach(() => rmSync(root, { recursive: true, force: true }))

const write = (name: string, text: string) => writeFileSync(join(root, name), text)
const read = (name: string) => files.readSync(name).bytes.toString()
const never = () => new Promise<never>(() => undefined)

/** A source that vouches for everything and whose `settled` can be held up. */
class SlowSource extends ManualSource {
  hold: Promise<void> | undefined

  constructor() {
    super(true)
  }

  override async settled(): Promise<void> {
    await this.hold
  }
}

describe('a source that does not answer', () => {
  test('is not waited for beyond the timeout, and vouches for nothing until it does', async () => {
    write('a', 'old')
    const clock = new VirtualClock()
    const source = new SlowSource()
    await using watcher = new Watcher({ files, source, clock, settleTimeout: 500, ignore: [] })
    await watcher.settled()
    expect([read('a'), watcher.stats().complete]).toEqual(['old', true])
    const held = Promise.withResolvers<void>()
    source.hold = held.promise
    const reader = watcher[Symbol.asyncIterator]()
    const settling = watcher.settled()
    write('a', 'new')
    await turn()
    clock.advance(500)
    await settling
    expect([read('a'), watcher.stats().complete]).toEqual(['new', false])
    expect((await reader.next()).value).toMatchObject({ all: 'lost' })
    // Nothing is waited for any more.
    await watcher.settled()
    write('a', 'newer')
    expect(read('a')).toBe('newer')
    held.resolve()
    source.hold = undefined
    await turn()
    expect(watcher.stats().complete).toBe(true)
    expect(read('a')).toBe('newer')
    write('a', 'not reported')
    expect(read('a')).toBe('newer')
  })

  test('from the beginning does not hold a graph up', async () => {
    write('a', 'old')
    const clock = new VirtualClock()
    const source = new ManualSource(true)
    source.start = never
    await using watcher = new Watcher({ files, source, clock })
    await using graph = new Graph({ files })
    const text = graph.query('text', async (context, path) =>
      (await context.read(path)).bytes.toString(),
    )
    const first = graph.get(text, 'a')
    await turn()
    clock.advance(10_000)
    expect(await first).toBe('old')
    write('a', 'new')
    expect(await graph.get(text, 'a')).toBe('new')
    expect(watcher.stats().complete).toBe(false)
  })
})

describe('a graph whose watcher fails goes on by looking', () => {
  test.each<[string, (source: ManualSource) => void]>([
    [
      'at the start',
      source => {
        source.start = async () => {
          throw new Error('no')
        }
      },
    ],
    [
      'at every settling',
      source => {
        source.settled = async () => {
          throw new Error('no')
        }
      },
    ],
  ])('%s', async (_, spoil) => {
    write('a', 'old')
    const source = new ManualSource(true)
    spoil(source)
    await using watcher = new Watcher({ files, source, ignore: [] })
    await using graph = new Graph({ files })
    const text = graph.query('text', async (context, path) =>
      (await context.read(path)).bytes.toString(),
    )
    expect(await graph.get(text, 'a')).toBe('old')
    write('a', 'new')
    expect(await graph.get(text, 'a')).toBe('new')
    await expect(watcher.settled()).rejects.toThrow('no')
  })
})

describe('a source that does not end', () => {
  /** The warning about it. */
  function warning(): Promise<Error> {
    const { promise, resolve } = Promise.withResolvers<Error>()
    const note = (warned: Error & { code?: string }): void => {
      if (warned.code !== 'MILLRACE_FILES_SOURCE_NOT_CLOSED') return
      process.off('warning', note)
      resolve(warned)
    }
    process.on('warning', note)
    return promise
  }

  test('is waited for until the timeout, by every caller of `close`', async () => {
    const clock = new VirtualClock()
    const source = new ManualSource(true)
    source.close = never
    const watcher = new Watcher({ files, source, clock, settleTimeout: 500 })
    await watcher.settled()
    const warned = warning()
    let ended = 0
    const closings = [watcher.close(), watcher.close()].map(closing => closing.then(() => ended++))
    await turn()
    clock.advance(499)
    await turn()
    expect([ended, watcher.closed]).toEqual([0, true])
    clock.advance(1)
    await Promise.all(closings)
    expect(await warned).toMatchObject({
      code: 'MILLRACE_FILES_SOURCE_NOT_CLOSED',
      message: 'The source of a watcher did not close in time',
    })
    // Another one may be followed.
    await new Watcher({ files, source: new ManualSource(), clock }).close()
  })

  test.each([
    [
      'throws',
      () => {
        throw Object.assign(new Error('secret'), { code: 'EIO' })
      },
      'EIO',
    ],
    ['rejects', () => Promise.reject(new RangeError('secret')), 'RangeError'],
    ['rejects with nothing', () => Promise.reject(undefined), 'unknown reason'],
  ])('but %s is told of by a warning', async (_, close, reason) => {
    const source = new ManualSource(true)
    source.close = close
    const watcher = new Watcher({ files, source })
    await watcher.settled()
    const warned = warning()
    await watcher.close()
    expect((await warned).message).toBe(`The source of a watcher failed to close (${reason})`)
  })
})

test('a report that is none means that anything may have changed', async () => {
  const odd = [
    undefined,
    {},
    { paths: 'a', folders: [] },
    { paths: [3], folders: [] },
    { paths: [] },
  ]
  for (const [index, report] of odd.entries()) {
    write('a', `old ${index}`)
    let tell: (changes: never) => void = () => undefined
    const source = new ManualSource(true)
    source.start = async (_, told) => {
      tell = told
    }
    await using watcher = new Watcher({ files, source, ignore: [] })
    await watcher.settled()
    const ticks = watcher[Symbol.asyncIterator]()
    expect(read('a')).toBe(`old ${index}`)
    write('a', `new ${index}`)
    tell(report as never)
    expect(read('a')).toBe(`new ${index}`)
    expect((await ticks.next()).value).toMatchObject({ all: 'lost', paths: [], folders: [] })
  }
})

test.runIf(process.platform === 'linux')(
  'a thread that ends is replaced by another one, and nothing is missed',
  () => {
    const script = `
      import { mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
      import { join } from 'node:path'
      const [root, temporary] = ${JSON.stringify([root, join(root, 'tmp')])}
      mkdirSync(temporary)
      process.env.TMPDIR = temporary
      const { FileTable } = await import(${JSON.stringify(import.meta.resolve('../table/file-table.ts'))})
      const { Watcher } = await import(${JSON.stringify(import.meta.resolve('./watcher.ts'))})
      const files = new FileTable({ root, clock: { now: () => Date.now() + 10_000 } })
      const write = text => writeFileSync(join(root, 'a'), text)
      write('old')
      const watcher = new Watcher({ files, delay: 0 })
      await watcher.settled()
      const reader = watcher[Symbol.asyncIterator]()
      const seen = [files.readSync('a').bytes.toString(), watcher.stats().complete]
      // As a cleaner of temporary files does: the thread has nothing left to write to.
      for (const name of readdirSync(temporary)) rmSync(join(temporary, name), { recursive: true })
      write('new')
      await watcher.settled()
      seen.push(files.readSync('a').bytes.toString(), watcher.stats().complete)
      while (!watcher.stats().complete) await reader.next()
      await watcher.settled()
      seen.push(files.readSync('a').bytes.toString())
      write('newer')
      await watcher.settled()
      const { trusted } = files.stats()
      seen.push(files.readSync('a').bytes.toString())
      files.readSync('a')
      seen.push(files.stats().trusted > trusted)
      await watcher.close()
      console.log(JSON.stringify(seen))`
    const child = spawnSync(
      process.execPath,
      [...process.execArgv, '--conditions=millrace-source', '--input-type=module', '-e', script],
      { encoding: 'utf8', cwd: import.meta.dirname },
    )
    expect(child.stdout.trim(), child.stderr).toBe(
      JSON.stringify(['old', true, 'new', false, 'new', 'newer', true]),
    )
  },
)

describe('a write of which no event tells, as one through mmap', () => {
  const text = async (graph: Graph): Promise<string> => {
    const query = graph.query('text', async context => (await context.read('a')).bytes.toString())
    return await graph.get(query, '')
  }

  test('is seen by a table that goes by the bytes, watched or not', async () => {
    const exact = new FileTable({ root, verification: 'hash' })
    write('a', 'old')
    await using watcher = new Watcher({ files: exact, source: new ManualSource(true), ignore: [] })
    await watcher.settled()
    await using before = new Graph({ files: exact })
    expect([exact.readSync('a').bytes.toString(), await text(before)]).toEqual(['old', 'old'])
    write('a', 'new')
    await watcher.settled()
    await using after = new Graph({ files: exact })
    expect([exact.readSync('a').bytes.toString(), await text(after)]).toEqual(['new', 'new'])
    expect(exact.stats().trusted).toBe(0)
  })

  test('is seen otherwise when everything is looked at once more', async () => {
    const clock = new VirtualClock()
    write('a', 'old')
    const source = new ManualSource(true)
    await using watcher = new Watcher({ files, source, clock, reconcileInterval: 5000, ignore: [] })
    await watcher.settled()
    expect(read('a')).toBe('old')
    write('a', 'new')
    await watcher.settled()
    expect(read('a')).toBe('old')
    clock.advance(5000)
    await watcher.settled()
    expect(read('a')).toBe('new')
  })
})
