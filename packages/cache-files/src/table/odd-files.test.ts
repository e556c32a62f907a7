import { spawnSync } from 'node:child_process'
import { hash } from 'node:crypto'
import {
  appendFileSync,
  chmodSync,
  existsSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  unlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { VirtualClock } from '@millrace/testkit'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { FileTable } from './file-table.ts'

let root: string
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'millrace-odd-'))
})
afterEach(() => rmSync(root, { recursive: true }))

const at = (name: string) => join(root, name)
const settled = () => new VirtualClock(Date.now() + 10_000)

describe('FileTable', () => {
  test.each([2 ** 31 - 1, 2 ** 31, 2 ** 32 + 1])(
    'a file of %i bytes is an error, not the end of the process',
    async size => {
      writeFileSync(at('large'), '')
      truncateSync(at('large'), size)
      const files = new FileTable({ root })
      const error = {
        code: 'ERR_MILLRACE_FILE_READ',
        reason: 'too-large',
        limit: 2 ** 29,
        message: `Cannot read ${at('large')}: it has more than 536870912 bytes`,
      }
      await expect(files.read('large')).rejects.toMatchObject(error)
      expect(() => files.readSync('large')).toThrow(expect.objectContaining(error))
      expect(() => files.hashSync('large')).toThrow(expect.objectContaining(error))
    },
  )

  test('a limit is one, to the byte', () => {
    const files = new FileTable({ root, maxFileBytes: 5 })
    writeFileSync(at('a'), '12345')
    expect(files.readSync('a').bytes.length).toBe(5)
    appendFileSync(at('a'), '6')
    expect(() => files.readSync('a')).toThrow('more than 5 bytes')
  })

  test('a file of more than one chunk is read whole', async () => {
    const size = 2 ** 26 + 1
    writeFileSync(at('a'), '')
    truncateSync(at('a'), size)
    appendFileSync(at('a'), 'end')
    const files = new FileTable({ root, maxBytes: 1 })
    const { bytes } = await files.read('a')
    expect([bytes.length, bytes.toString('latin1', size)]).toEqual([size + 3, 'end'])
    expect(files.readSync('a').bytes.equals(bytes)).toBe(true)
  })

  test('a file that is cut while it is read is never half old and half new', async () => {
    const [old, short] = ['x'.repeat(300_000), 'y'.repeat(1_000)]
    const files = new FileTable({ root, maxBytes: 1 })
    for (let turns = 0; turns < 40; turns++) {
      writeFileSync(at('a'), old)
      const reading = files.read('a')
      for (let turn = 0; turn < turns % 8; turn++) await new Promise(setImmediate)
      truncateSync(at('a'), 100_000)
      writeFileSync(at('a'), short)
      const { bytes, hash: name, stable } = await reading
      expect(hash('sha256', bytes, 'hex')).toBe(name)
      if (stable) expect([old, old.slice(0, 100_000), '', short]).toContain(bytes.toString())
      expect((await files.read('a')).bytes.toString()).toBe(short)
    }
  })

  test.runIf(existsSync('/proc/self/status'))(
    'what the kernel makes up is read to its end, and never taken for known',
    async () => {
      const files = new FileTable({ root, clock: settled() })
      const path = '/proc/self/status'
      for (let i = 0; i < 2; i++) {
        expect(files.readSync(path).bytes.toString()).toMatch(
          /^Name:[\s\S]*ctxt_switches:\s+\d+\n$/,
        )
        expect((await files.read(path)).bytes.length).toBeGreaterThan(500)
      }
      expect(files.stats().hits).toBe(0)
      // Says 4,096 bytes and has fewer.
      const state = '/sys/kernel/mm/transparent_hugepage/enabled'
      if (existsSync(state)) {
        expect(files.readSync(state).bytes).toEqual(readFileSync(state))
        expect(files.readSync(state).stable).toBe(true)
        expect(files.stats().hits).toBe(0)
      }
    },
  )

  test('verification by hash finds what left no stamp', () => {
    writeFileSync(at('a'), 'old')
    const clock = settled()
    const [byStat, byHash] = [
      new FileTable({ root, clock }),
      new FileTable({ root, clock, verification: 'hash' }),
    ]
    byStat.readSync('a')
    byHash.readSync('a')
    byStat.readSync('a')
    byHash.readSync('a')
    expect([byStat.stats().reads, byHash.stats().reads]).toEqual([1, 2])
  })

  test('a file that becomes a folder, a link, nothing, and a file again', () => {
    const files = new FileTable({ root, clock: settled() })
    writeFileSync(at('a'), 'one')
    expect(files.readSync('a').bytes.toString()).toBe('one')
    unlinkSync(at('a'))
    mkdirSync(at('a'))
    expect(() => files.readSync('a')).toThrow(expect.objectContaining({ reason: 'not-a-file' }))
    expect([files.kindSync('a'), files.folderSync('a').names]).toEqual(['folder', []])
    rmSync(at('a'), { recursive: true })
    symlinkSync(at('nowhere'), at('a'))
    expect(() => files.readSync('a')).toThrow(expect.objectContaining({ reason: 'missing' }))
    expect(files.kindSync('a')).toBe('none')
    unlinkSync(at('a'))
    writeFileSync(at('a'), 'two')
    expect(files.readSync('a').bytes.toString()).toBe('two')
    expect([files.kindSync('a'), files.folderSync('a').names]).toEqual(['file', undefined])
  })

  test('names in a folder: the same object until one appears, goes or becomes a folder', () => {
    const files = new FileTable({ root, clock: settled() })
    writeFileSync(at('b'), '')
    mkdirSync(at('a'))
    const first = files.folderSync('.')
    expect([first.names, [...first.folders]]).toEqual([['a', 'b'], ['a']])
    writeFileSync(at('b'), 'edited')
    expect(files.folderSync(root)).toBe(first)
    writeFileSync(at('c'), '')
    expect(files.folderSync('.').names).toEqual(['a', 'b', 'c'])
    rmSync(at('c'))
    expect(files.folderSync('.').names).toEqual(['a', 'b'])
    unlinkSync(at('b'))
    mkdirSync(at('b'))
    expect([...files.folderSync('.').folders].sort()).toEqual(['a', 'b'])
    expect(files.folderSync('missing').names).toBeUndefined()
  })

  test('a name that appears within the time step of another one is seen', () => {
    const files = new FileTable({ root })
    for (let i = 0; i < 300; i++) {
      writeFileSync(at(`${i}`), '')
      expect(files.folderSync('.').names).toHaveLength(i + 1)
    }
  })

  test('paths are known under one name, however they are written', () => {
    const files = new FileTable({ root, clock: settled() })
    mkdirSync(at('d'))
    writeFileSync(at('d/a'), 'x')
    for (const path of ['d/a', './d/a', 'd/../d/a', at('d/a'), `${root}//d/a`]) files.readSync(path)
    expect(files.stats()).toMatchObject({ files: 1, reads: 1, hits: 4 })
    expect(files.resolve('d//a')).toBe(files.resolve(at('d/a')))
    const folded = new FileTable({ root, caseSensitive: false })
    expect(folded.resolve('D/Ä')).toBe(folded.resolve('d/a\u0308'))
    expect(new FileTable({ root }).resolve('D')).not.toBe(files.resolve('d'))
  })

  test('where cases are not told apart, folders above the root keep theirs', () => {
    const upper = at('Upper')
    mkdirSync(upper)
    writeFileSync(join(upper, 'a'), 'x')
    const files = new FileTable({ root: upper, caseSensitive: false })
    for (const path of ['a', 'A', join(upper, 'A'), join(at('UPPER'), 'a')]) {
      expect(files.resolve(path)).toBe(join(upper, 'a'))
      expect(files.readSync(path).bytes.toString()).toBe('x')
    }
    expect(files.resolve(at('UPPER'))).toBe(upper)
    expect(files.resolve(at('UpperCase'))).toBe(at('UpperCase'))
    writeFileSync(at('Outside'), 'y')
    expect(files.readSync(at('Outside')).bytes.toString()).toBe('y')
    expect(new FileTable({ root: '/', caseSensitive: false }).resolve('/A')).toBe('/a')
  })

  test('answers may be as old as the validation interval, and no older', () => {
    let now = 0
    const files = new FileTable({ root, validationInterval: 60_000, clock: { now: () => now } })
    writeFileSync(at('a'), 'old')
    expect(files.readSync('a').bytes.toString()).toBe('old')
    writeFileSync(at('a'), 'new')
    expect(files.readSync('a').bytes.toString()).toBe('old')
    now = 1
    expect(new FileTable({ root, validationInterval: 0 }).readSync('a').bytes.toString()).toBe(
      'new',
    )
  })

  test('a file of several names is read again when one comes or goes, as only ctime tells a write whose mtime was set back', () => {
    writeFileSync(at('store'), 'AAAA')
    utimesSync(at('store'), 1, 1)
    linkSync(at('store'), at('a'))
    const files = new FileTable({ root, clock: settled() })
    const touched = (touch: () => void): void => {
      const before = statSync(at('a')).ctimeMs
      // Until the clock of the file system has moved on.
      do touch()
      while (statSync(at('a')).ctimeMs === before)
    }
    const hashed = files.hashSync('a')
    const { reads } = files.stats()
    touched(() => {
      linkSync(at('store'), at('elsewhere'))
      unlinkSync(at('elsewhere'))
    })
    expect([files.hashSync('a'), files.stats().reads]).toEqual([hashed, reads + 1])
    touched(() => {
      writeFileSync(at('store'), 'BBBB')
      utimesSync(at('store'), 1, 1)
    })
    expect(files.readSync('a').bytes.toString()).toBe('BBBB')
  })

  test('an unreadable file is an error of its own, also for an unprivileged user', () => {
    writeFileSync(at('secret'), 'x')
    writeFileSync(at('open'), 'y')
    chmodSync(at('secret'), 0)
    chmodSync(root, 0o755)
    const script = `
      const { FileTable } = await import(${JSON.stringify(import.meta.resolve('./file-table.ts'))})
      const files = new FileTable({ root: ${JSON.stringify(root)} })
      process.setgid?.(65534); process.setuid?.(65534)
      const outcome = path => { try { return files.readSync(path).bytes.toString() } catch (error) { return error.reason } }
      console.log(outcome('secret'), outcome('open'))`
    const child = spawnSync(
      process.execPath,
      [...process.execArgv, '--conditions=millrace-source', '--input-type=module', '-e', script],
      { encoding: 'utf8', cwd: import.meta.dirname },
    )
    expect(child.stdout.trim(), child.stderr).toBe('denied y')
  })
})
