import { spawn } from 'node:child_process'
import { hash } from 'node:crypto'
import { once } from 'node:events'
import {
  appendFileSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  unlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { runs, VirtualClock } from '@millrace/testkit'
import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { FileTable } from './file-table.ts'

const sha256 = (bytes: string | Buffer) => hash('sha256', bytes, 'hex')

let folder: string
beforeEach(() => {
  // A real folder: file systems in memory keep coarser times, so races would not show.
  folder = mkdtempSync(join(tmpdir(), 'millrace-files-'))
})
afterEach(() => rmSync(folder, { recursive: true }))

const at = (name: string) => join(folder, name)
/** A table whose clock is so far ahead that every stamp counts as settled. */
const settledTable = () =>
  new FileTable({ root: folder, clock: new VirtualClock(Date.now() + 10_000) })

describe('FileTable', () => {
  test('returns bytes with their own hash, and reads an untouched file once', async () => {
    writeFileSync(at('a'), 'hello')
    const files = settledTable()
    const first = await files.read('a')
    expect(first).toEqual({
      path: at('a'),
      bytes: Buffer.from('hello'),
      hash: sha256('hello'),
      stable: true,
    })
    expect(files.readSync(at('a')).bytes).toBe(first.bytes)
    expect(files.hashSync('a')).toBe(first.hash)
    expect(files.stats()).toMatchObject({ reads: 1, hits: 2, files: 1, contents: 1, bytes: 5 })
  })

  test('a file touched just before it was read is read again until its stamp is proof', () => {
    writeFileSync(at('a'), 'hello')
    const clock = new VirtualClock(statSync(at('a')).mtimeMs)
    const files = new FileTable({ root: folder, clock })
    files.readSync('a')
    files.readSync('a')
    expect(files.stats()).toMatchObject({ reads: 2, racyReads: 1 })
    clock.advance(3_000)
    files.readSync('a')
    files.readSync('a')
    expect(files.stats()).toMatchObject({ reads: 3, racyReads: 2, hits: 1 })
  })

  test('a file from the future is always read again', () => {
    writeFileSync(at('a'), 'hello')
    const future = Date.now() / 1_000 + 86_400
    utimesSync(at('a'), future, future)
    const files = settledTable()
    for (let i = 0; i < 3; i++) files.readSync('a')
    expect(files.stats()).toMatchObject({ reads: 3, hits: 0 })
  })

  test('a stamp that the clock can give again is no proof: the clock was set back', () => {
    writeFileSync(at('a'), 'hello')
    const start = Date.now()
    const time = { now: () => start + 10_000 }
    const files = new FileTable({ root: folder, clock: time })
    files.readSync('a')
    files.readSync('a')
    expect(files.folderSync('.')).toBe(files.folderSync('.'))
    expect(files.stats()).toMatchObject({ reads: 1, hits: 1 })
    time.now = () => start - 3_600_000
    files.readSync('a')
    files.readSync('a')
    expect(files.stats()).toMatchObject({ reads: 3, racyReads: 2, unsaved: 1 })
    // What is saved meanwhile vouches for nothing, and neither does what was saved before.
    expect(new FileTable({ root: folder, clock: time }).load(files.dump())).toBe(0)
    time.now = () => start + 20_000
    files.readSync('a')
    files.readSync('a')
    expect(files.stats()).toMatchObject({ reads: 4, hits: 2 })
    const dump = files.dump()
    time.now = () => start - 3_600_000
    const next = new FileTable({ root: folder, clock: time })
    expect(next.load(dump)).toBe(1)
    next.readSync('a')
    expect(next.stats()).toMatchObject({ reads: 1, hits: 0 })
  })

  test.each([
    ['a rewrite of the same size', () => writeFileSync(at('a'), 'olleh')],
    ['an append', () => appendFileSync(at('a'), '!')],
    [
      'a rename over it',
      () => {
        writeFileSync(at('b'), 'olleh')
        renameSync(at('b'), at('a'))
      },
    ],
    [
      'a rewrite with the time set back',
      () => {
        const { atime, mtime } = statSync(at('a'))
        writeFileSync(at('a'), 'olleh')
        utimesSync(at('a'), atime, mtime)
      },
    ],
  ])('sees %s at once, with a coarse clock and with a settled one', (_, change) => {
    for (const files of [settledTable(), new FileTable({ root: folder })]) {
      rmSync(at('a'), { force: true })
      writeFileSync(at('a'), 'hello')
      files.readSync('a')
      change()
      expect(files.readSync('a').bytes).toEqual(readFileSync(at('a')))
      expect(files.hashSync('a')).toBe(sha256(readFileSync(at('a'))))
    }
  })

  test('500 rewrites of the same size in a row are all seen', () => {
    const files = new FileTable({ root: folder })
    for (let i = 0; i < 500; i++) {
      const text = `${1_000 + i}`
      writeFileSync(at('a'), text)
      expect(files.readSync('a').bytes.toString()).toBe(text)
    }
  })

  test('a symlink that is pointed elsewhere is followed anew', () => {
    writeFileSync(at('one'), 'one')
    writeFileSync(at('two'), 'two')
    symlinkSync(at('one'), at('link'))
    const files = settledTable()
    expect(files.readSync('link').bytes.toString()).toBe('one')
    unlinkSync(at('link'))
    symlinkSync(at('two'), at('link'))
    expect(files.readSync('link').bytes.toString()).toBe('two')
  })

  test('files with the same bytes share them', () => {
    writeFileSync(at('a'), 'same')
    linkSync(at('a'), at('b'))
    writeFileSync(at('c'), 'same')
    const files = settledTable()
    const [a, b, c] = ['a', 'b', 'c'].map(name => files.readSync(name))
    expect(b!.bytes).toBe(a!.bytes)
    expect(c!.bytes).toBe(a!.bytes)
    expect(files.stats()).toMatchObject({ files: 3, contents: 1, bytes: 4 })
  })

  test('contents stay within maxBytes, and evicted ones are read again', () => {
    const files = new FileTable({
      root: folder,
      maxBytes: 20_000,
      clock: new VirtualClock(Date.now() + 10_000),
    })
    for (let i = 0; i < 10; i++) writeFileSync(at(`${i}`), `${i}`.repeat(5_000))
    for (let i = 0; i < 10; i++) files.readSync(`${i}`)
    expect(files.stats().bytes).toBeLessThanOrEqual(20_000)
    for (let i = 0; i < 10; i++) {
      expect(files.readSync(`${i}`).bytes.toString()).toBe(`${i}`.repeat(5_000))
    }
  })

  test('what cannot be read is a typed error with the reason, and nothing is remembered', async () => {
    const files = settledTable()
    writeFileSync(at('a'), 'hello')
    files.readSync('a')
    unlinkSync(at('a'))
    const missing = { code: 'ERR_MILLRACE_FILE_READ', reason: 'missing', path: at('a') }
    expect(() => files.readSync('a')).toThrow(expect.objectContaining(missing))
    await expect(files.read('a')).rejects.toMatchObject(missing)
    await expect(files.read('a/below')).rejects.toMatchObject({ reason: 'missing' })
    mkdirSync(at('a'))
    await expect(files.read('a')).rejects.toMatchObject({
      reason: 'not-a-file',
      message: `Cannot read ${at('a')}: it is not a regular file`,
    })
    expect(files.stats()).toMatchObject({ files: 0, errors: 4 })
  })

  test('a socket in the place of a file is refused instead of waited for', async () => {
    const server = createServer().listen(at('socket'))
    await once(server, 'listening')
    const files = new FileTable({ root: folder })
    expect(() => files.readSync('socket')).toThrow(
      expect.objectContaining({ code: 'ERR_MILLRACE_FILE_READ' }),
    )
    server.close()
  })

  test('an aborted read rejects with the reason', async () => {
    writeFileSync(at('a'), 'hello')
    const signal = AbortSignal.abort(new Error('enough'))
    await expect(new FileTable({ root: folder }).read('a', { signal })).rejects.toThrow('enough')
  })

  test('beside a writer in another process, every hash is that of its bytes, and the last bytes are seen', async () => {
    writeFileSync(at('a'), 'first')
    const files = new FileTable({ root: folder })
    const script = join(import.meta.dirname, 'file-writer.fixture.ts')
    const args = [script, at('a'), `${runs(600)}`, at('seen')]
    const writer = spawn(process.execPath, args, { stdio: 'inherit' })
    const exited = once(writer, 'exit')
    let running = true
    void exited.then(() => (running = false))
    const versions = new Set<string>()
    while (running) {
      for (const content of [files.readSync('a'), await files.read('a')]) {
        expect(content.hash).toBe(sha256(content.bytes))
        versions.add(content.hash)
      }
      if (versions.size > 5) writeFileSync(at('seen'), '')
      await new Promise(setImmediate)
    }
    expect(await exited).toEqual([0, null])
    expect(versions.size).toBeGreaterThan(5)
    expect(files.readSync('a').bytes.toString()).toBe('final')
  })

  test('whatever is done to the files, a read returns what is on disk', () => {
    const names = fc.constantFrom('a', 'b', 'c')
    const step = fc.oneof(
      fc.tuple(fc.constant('write' as const), names, fc.constantFrom('x', 'y', 'zz')),
      fc.tuple(fc.constant('rename' as const), names, names),
      fc.tuple(fc.constant('replace' as const), names, fc.constantFrom('x', 'y', 'zz')),
      fc.tuple(fc.constant('link' as const), names, names),
      fc.tuple(fc.constant('touch' as const), names, fc.constantFrom('1', '2')),
      fc.tuple(fc.constant('delete' as const), names, names),
    )
    let run = 0
    fc.assert(
      fc.property(fc.array(step, { maxLength: 30 }), steps => {
        const root = at(`run-${run++}`)
        mkdirSync(root)
        const files = new FileTable({ root })
        const path = (name: string) => join(root, name)
        const content = (read: () => Buffer) => {
          try {
            return read().toString()
          } catch {
            return undefined
          }
        }
        for (const [what, name, other] of steps) {
          try {
            if (what === 'write') writeFileSync(path(name), other)
            else if (what === 'rename') renameSync(path(name), path(other))
            else if (what === 'touch') utimesSync(path(name), Number(other), Number(other))
            else if (what === 'delete') unlinkSync(path(name))
            else if (what === 'link') symlinkSync(path(other), path(name))
            else {
              writeFileSync(path('new'), other)
              renameSync(path('new'), path(name))
            }
          } catch (error) {
            // A step that does not fit the present state, such as deleting what is not there.
            expect((error as NodeJS.ErrnoException).code).toMatch(/^(ENOENT|EEXIST|ELOOP)$/)
          }
          for (const each of ['a', 'b', 'c']) {
            expect(content(() => files.readSync(each).bytes)).toBe(
              content(() => readFileSync(path(each))),
            )
          }
        }
      }),
      { numRuns: runs(60) },
    )
  })

  test('another process knows what was dumped, and reads again only what changed', () => {
    for (let i = 0; i < 20; i++) writeFileSync(at(`${i}`), `text ${i}`)
    const first = settledTable()
    for (let i = 0; i < 20; i++) first.readSync(`${i}`)
    expect(first.stats().unsaved).toBe(20)
    const bytes = first.dump()
    expect(first.stats().unsaved).toBe(0)
    writeFileSync(at('3'), 'other')
    unlinkSync(at('4'))
    const second = settledTable()
    // Also where the bytes do not begin at a multiple of eight.
    expect(second.load(Buffer.concat([Buffer.from('x'), bytes]).subarray(1))).toBe(20)
    for (let i = 0; i < 20; i++) {
      if (i !== 4) expect(second.hashSync(`${i}`)).toBe(sha256(readFileSync(at(`${i}`))))
    }
    expect(() => second.hashSync('4')).toThrow('it does not exist')
    // One file is new, one is gone.
    expect(second.stats()).toMatchObject({ hits: 18, reads: 1, unsaved: 2 })
    expect(second.readSync('5').bytes.toString()).toBe('text 5')
  })

  test('what is not proven is not dumped, and damaged dumps are as good as none', () => {
    writeFileSync(at('a'), 'x')
    const clock = new VirtualClock(statSync(at('a')).mtimeMs)
    const racy = new FileTable({ root: folder, clock })
    racy.readSync('a')
    expect(new FileTable().load(racy.dump())).toBe(0)
    const files = settledTable()
    files.readSync('a')
    const bytes = files.dump()
    expect(new FileTable().load(bytes)).toBe(1)
    for (let index = 0; index < bytes.length; index++) {
      const damaged = Buffer.from(bytes)
      damaged[index]! ^= 1
      expect(new FileTable().load(damaged)).toBe(0)
      expect(new FileTable().load(bytes.subarray(0, index))).toBe(0)
    }
  })

  test('bad options are named', () => {
    expect(() => new FileTable({ racyWindow: -1 })).toThrow(
      'Expected `racyWindow` to be a finite number of at least 0, got a negative integer of 1 digit',
    )
    expect(() => new FileTable({ maxBytes: 0 })).toThrow(
      'Expected `maxBytes` to be a finite number above 0',
    )
    expect(() => new FileTable({ maxFiles: 0.5 })).toThrow('Expected `maxFiles`')
    expect(() => new FileTable({ maxFileBytes: 2 ** 33 })).toThrow('from 1 to 4,294,967,296')
    expect(() => new FileTable({ maxByte: 1 } as never)).toThrow('maxBytes')
  })
})
