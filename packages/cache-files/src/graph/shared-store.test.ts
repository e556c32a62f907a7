import { type ChildProcess, fork } from 'node:child_process'
import { EventEmitter, on, once } from 'node:events'
import {
  closeSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  statSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { setImmediate as immediate } from 'node:timers/promises'
import { SqliteStore } from '@millrace/cache-core/sqlite'
import { runs, seededRandom } from '@millrace/testkit'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { FileTable } from '../table/file-table.ts'
import { Graph } from './graph.ts'
import type { TraceRecord } from './trace/trace-record.ts'

let folder: string
let root: string
let path: string
beforeEach(() => {
  folder = realpathSync(mkdtempSync(join(tmpdir(), 'millrace-shared-')))
  root = join(folder, 'src')
  path = join(folder, 'graph.db')
  mkdirSync(root)
  for (let i = 0; i < 40; i++) writeFileSync(join(root, `${i}`), `${i};`)
})
afterEach(() => rmSync(folder, { recursive: true }))

const start = (rounds: number): ChildProcess =>
  fork(join(import.meta.dirname, 'store-writer.fixture.ts'), [root, path, `${rounds}`], {
    execArgv: [...process.execArgv, '--conditions=millrace-source'],
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  })

/** Stops a process where it holds the lock under which it writes: from there it does not come by itself. */
async function stopWithinTransaction(pid: number): Promise<void> {
  using database = new DatabaseSync(path, { timeout: 0 })
  for (;;) {
    process.kill(pid, 'SIGSTOP')
    while (!/^\d+ \(.*\) T/.test(readFileSync(`/proc/${pid}/stat`, 'utf8'))) await immediate()
    try {
      database.exec('BEGIN IMMEDIATE; ROLLBACK')
    } catch (error) {
      expect((error as Error).message).toContain('locked')
      return
    }
    process.kill(pid, 'SIGCONT')
    await immediate()
  }
}

/** What a graph over the shared store says of each file. */
async function texts(): Promise<string[]> {
  await using store = new SqliteStore<TraceRecord>({ path, onProblem: () => undefined })
  await using graph = new Graph({ files: new FileTable({ root }), store })
  const text = graph.query(
    'text',
    async (context, key) => (await context.read(key)).bytes.toString(),
    { version: '1' },
  )
  return await Promise.all(readdirSync(root).map(key => graph.get(text, key)))
}
const onDisk = () => readdirSync(root).map(key => readFileSync(join(root, key), 'utf8'))

describe('a store that several processes use', () => {
  test('holds nothing wrong, whoever writes, while files change', async () => {
    const rounds = 4
    const writers = [start(rounds), start(rounds)]
    const ended = Promise.all(writers.map(writer => once(writer, 'exit')))
    const told = new EventEmitter()
    for (const writer of writers) writer.on('message', message => told.emit(`${message}`))
    void Promise.all(writers.map(writer => once(writer, 'disconnect'))).then(() => told.emit('end'))
    let edits = 0
    // Whenever a writer says that it is about to write, so that the machine is theirs otherwise; one by one, as what is compared changes.
    for await (const _ of on(told, 'flushing', { close: ['end'] })) {
      writeFileSync(join(root, `${edits % 40}`), `${edits};`)
      edits++
      expect(await texts()).toEqual(onDisk())
    }
    expect((await ended).map(([code]) => code)).toEqual([0, 0])
    expect(edits).toBe(2 * rounds)
  })

  test.runIf(existsSync('/proc/self/stat'))(
    'is whole after a process was killed within a transaction',
    async () => {
      for (let i = 0; i < runs(1); i++) {
        const writer = start(100_000)
        await once(writer, 'message')
        await stopWithinTransaction(writer.pid!)
        const exit = once(writer, 'exit')
        writer.kill('SIGKILL')
        expect((await exit)[1]).toBe('SIGKILL')
        writeFileSync(join(root, `${i}`), `killed ${i}`)
        expect(await texts()).toEqual(onDisk())
      }
    },
  )

  test('gives no wrong result from damaged bytes', async () => {
    await texts()
    const random = seededRandom(7)
    for (let i = 0; i < runs(15); i++) {
      const { size } = statSync(path)
      const file = openSync(path, 'r+')
      for (let flips = 0; flips < 8; flips++) {
        writeSync(
          file,
          Buffer.from([Math.floor(random() * 256)]),
          0,
          1,
          Math.floor(random() * size),
        )
      }
      closeSync(file)
      expect(await texts()).toEqual(onDisk())
    }
  })
})
