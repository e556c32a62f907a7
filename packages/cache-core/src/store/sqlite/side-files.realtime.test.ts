import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import {
  copyFileSync,
  mkdirSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { runs } from '@millrace/testkit'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { unlessGone } from '../unless-gone.ts'
import type { SideFilesReport } from './side-files.fixture.ts'

const PROCESSES = 3
/** Hung, on whatever machine. */
const HUNG = 30_000

describe('Three processes on one SQLite file whose side files', () => {
  let place: string
  let path: string
  let children: ChildProcess[]
  beforeEach(async () => {
    place = await mkdtemp(join(tmpdir(), 'millrace-side-files-'))
    path = join(place, 'files', 'cache.db')
    mkdirSync(join(place, 'older'))
    writeFileSync(join(place, 'noted'), Buffer.alloc(8 * PROCESSES))
    children = []
    for (let index = 0; index < PROCESSES; index++) await start(index)
  })
  afterEach(async () => {
    for (const child of children) {
      child.kill('SIGKILL')
      // What it was writing would come to be in a folder that is being removed.
      if (child.exitCode === null && child.signalCode === null) await once(child, 'exit')
    }
    await rm(place, { recursive: true, force: true })
  })

  async function start(index: number): Promise<void> {
    const script = join(import.meta.dirname, 'side-files.fixture.ts')
    const child = fork(script, [place, `${index}`, `${PROCESSES}`], {
      execArgv: ['--conditions=millrace-source'],
    })
    children[index] = child
    await once(child, 'message')
  }

  /** Resolves when a process has used the files as they are now, or was ended by that. */
  async function looked(child: ChildProcess): Promise<void> {
    if (child.signalCode !== null) return
    const answer = once(child, 'message')
    const end = once(child, 'exit')
    // One that has ended is told by its exit.
    child.send('look', () => {})
    await Promise.race([answer, end])
  }

  /** Lets all end, and looks what they saw. */
  async function expectSound(): Promise<void> {
    // They go on for a while with what is left.
    await sleep(50)
    const reports = await Promise.all(
      children.map(async child => {
        const report = once(child, 'message')
        child.send('end')
        return (await report)[0] as SideFilesReport
      }),
    )
    expect(reports.flatMap(({ stale }) => stale)).toEqual([])
    for (const { reads, invalidations, longest } of reports) {
      expect(reads).toBeGreaterThan(0)
      expect(invalidations).toBeGreaterThan(0)
      expect(longest).toBeLessThan(HUNG)
    }
  }

  const older = (suffix: string): string => join(place, 'older', `cache.db${suffix}`)
  const remove = (suffix: string): void => rmSync(path + suffix, { force: true })
  const cut = (suffix: string, part: number): void => {
    unlessGone(() => truncateSync(path + suffix, Math.floor(statSync(path + suffix).size * part)))
  }
  const keep = (suffix: string): void =>
    unlessGone(() => copyFileSync(path + suffix, older(suffix)))
  const putBack = (suffix: string): void =>
    unlessGone(() => renameSync(older(suffix), path + suffix))
  const ALL = ['', '-wal', '-shm']

  test.each<[string, () => void]>([
    ['are removed: the log', () => remove('-wal')],
    ['are removed: the index', () => remove('-shm')],
    ['are removed: both', () => ['-shm', '-wal'].forEach(remove)],
    ['are left alone when the file is removed', () => remove('')],
    ['are cut: the log, empty', () => cut('-wal', 0)],
    ['are cut: the log, in the middle', () => cut('-wal', Math.random())],
    ['are replaced by older ones: the log', () => putBack('-wal')],
    ['are replaced by older ones: the index', () => putBack('-shm')],
    ['are replaced by older ones with the file', () => ALL.forEach(putBack)],
    [
      'are overwritten by older ones: the log',
      () => unlessGone(() => copyFileSync(older('-wal'), `${path}-wal`)),
    ],
  ])(
    '%s: nothing outdated stays, at whatever moment',
    async (_, damage) => {
      for (let round = 0; round < 10 * runs(1); round++) {
        ALL.forEach(keep)
        await sleep(Math.random() * 30)
        damage()
      }
      await expectSound()
    },
    120_000 * runs(1),
  )

  test(
    'are cut: the index: whoever reads what is gone is ended by the system, and nothing outdated stays',
    async () => {
      for (let round = 0; round < 6 * runs(1); round++) {
        await sleep(Math.random() * 30)
        cut('-shm', round % 2 === 0 ? 0 : Math.random())
        await Promise.all(children.map(looked))
        for (const [index, child] of children.entries()) {
          if (child.signalCode === null) continue
          expect(child.signalCode).toBe('SIGBUS')
          await start(index)
        }
      }
      await expectSound()
    },
    120_000 * runs(1),
  )
})
