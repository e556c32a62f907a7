import { mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { FileTable } from '../table/file-table.ts'
import { ManualSource } from '../watch/manual-source.ts'
import { Watcher } from '../watch/watcher.ts'
import { Graph } from './graph.ts'

let root: string
beforeEach(() => {
  root = realpathSync(mkdtempSync(join(tmpdir(), 'millrace-vouched-')))
})
afterEach(() => rmSync(root, { recursive: true }))

const names = Array.from({ length: 20 }, (_, index) => `file-${index}`)
const clock = { now: () => Date.now() + 10_000 }

/** All files, watched, with a query over each and one over all of them. */
function watched(maxFiles: number) {
  const files = new FileTable({ root, clock, maxFiles })
  const source = new ManualSource(true)
  const watcher = new Watcher({ files, source, ignore: [] })
  const graph = new Graph({ files })
  const text = graph.query('text', async (context, name) =>
    (await context.read(name)).bytes.toString(),
  )
  const all = graph.query('all', async context => (await context.getMany(text, names)).join())
  const write = (name: string, content: string) => {
    writeFileSync(join(root, name), content)
    source.changed([join(root, name)])
  }
  for (const name of names) write(name, 'old')
  return {
    files,
    graph,
    write,
    ask: () => graph.get(all, ''),
    async close() {
      await graph.close()
      await watcher.close()
    },
  }
}

const expected = (changed: ReadonlySet<string>) =>
  names.map(name => (changed.has(name) ? 'new' : 'old')).join()

test.each([
  ['makes room for others', 3, () => undefined],
  ['is forgotten', 100, (files: FileTable) => files.forget(names[0]!)],
  ['is replaced by one of a dump', 100, (files: FileTable) => files.load(files.dump())],
])(
  'a file whose record %s is not vouched for by what was known before',
  async (_, maxFiles, lose) => {
    const { files, ask, write, close } = watched(maxFiles)
    await files.settled()
    // Twice, so that what was read is looked at and vouched for.
    expect(await ask()).toBe(expected(new Set()))
    expect(await ask()).toBe(expected(new Set()))
    const changed = new Set<string>()
    for (const name of names) {
      lose(files)
      write(name, 'new')
      changed.add(name)
      expect(await ask()).toBe(expected(changed))
    }
    await close()
  },
)

test('what is vouched for is not looked at, and only what was reported is computed', async () => {
  const { files, graph, ask, write, close } = watched(100)
  await files.settled()
  await ask()
  await ask()
  const before = [files.stats(), graph.stats()] as const
  write('file-7', 'new')
  expect(await ask()).toBe(expected(new Set(['file-7'])))
  const after = [files.stats(), graph.stats()] as const
  expect(after[0].reads - before[0].reads).toBe(1)
  expect(after[0].trusted - before[0].trusted).toBeGreaterThanOrEqual(names.length - 1)
  expect(after[1].computed - before[1].computed).toBe(2)
  await close()
})
