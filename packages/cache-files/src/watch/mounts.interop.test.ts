import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { FileTable } from '../table/file-table.ts'
import { allMounts, mountsBelow } from './mounts-below.ts'
import { Watcher } from './watcher.ts'

/** Runs a program; whether it worked. */
const run = (program: string, ...args: string[]): boolean =>
  spawnSync(program, args, { stdio: 'ignore' }).status === 0

/** Whether this process may mount, as root outside of a container may. */
function mayMount(): boolean {
  const folder = mkdtempSync(join(tmpdir(), 'millrace-may-mount-'))
  const mounted = run('mount', '-t', 'tmpfs', 'tmpfs', folder)
  if (mounted) run('umount', folder)
  rmSync(folder, { recursive: true })
  return mounted
}

let root: string
beforeEach(() => {
  root = realpathSync(mkdtempSync(join(tmpdir(), 'millrace-mounts-')))
})
afterEach(() => {
  for (const name of ['d', 'a b']) run('umount', '-l', join(root, name))
  rmSync(root, { recursive: true })
})

test('nothing is mounted below a folder where the system says so, or there is no such folder', () => {
  expect(mountsBelow(root, allMounts())).toBe('')
  expect(mountsBelow(join(root, 'missing'), allMounts())).toBe('')
})

describe.runIf(process.platform === 'linux' && mayMount())('what is mounted below a root', () => {
  test.each(['d', 'a b'])(
    'over the watched folder %j is known after settled, and so is that it went',
    async name => {
      const folder = join(root, name)
      const path = join(folder, 'f')
      mkdirSync(folder)
      writeFileSync(path, 'covered')
      const files = new FileTable({ root, clock: { now: () => Date.now() + 10_000 } })
      await using watcher = new Watcher({ files })
      const text = async (): Promise<string> => {
        await watcher.settled()
        const { bytes } = files.readSync(path)
        // Looked at twice, so that what a watch vouches for is vouched for.
        expect(files.readSync(path).bytes).toBe(bytes)
        return bytes.toString()
      }
      expect(await text()).toBe('covered')

      expect(run('mount', '-t', 'tmpfs', 'tmpfs', folder)).toBe(true)
      writeFileSync(path, 'mounted')
      expect(await text()).toBe('mounted')
      // Where the watch had to begin anew, it vouches for what was looked at since.
      for (let trusted = -Infinity; files.stats().trusted < trusted + 2; ) {
        trusted = files.stats().trusted
        expect(await text()).toBe('mounted')
      }
      writeFileSync(path, 'edited')
      expect(await text()).toBe('edited')

      expect(run('umount', folder)).toBe(true)
      expect(await text()).toBe('covered')
      writeFileSync(path, 'covered, edited')
      expect(await text()).toBe('covered, edited')
    },
  )

  test('is told apart from what is mounted elsewhere', () => {
    const [watched, other] = [join(root, 'watched'), join(root, 'd')]
    for (const folder of [watched, other]) mkdirSync(folder)
    expect(run('mount', '-t', 'tmpfs', 'tmpfs', other)).toBe(true)
    expect(mountsBelow(watched, allMounts())).toBe('')
    expect(mountsBelow(root, allMounts())).toContain(` ${other} `)
    expect(mountsBelow('/', allMounts())).toContain(` ${other} `)
  })
})
