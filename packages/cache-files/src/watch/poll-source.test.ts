import {
  mkdirSync,
  mkdtempSync,
  realpathSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { Graph } from '../graph/graph.ts'
import { FileTable } from '../table/file-table.ts'
import { ResultStream } from './result-stream.ts'
import { type Tick, Watcher } from './watcher.ts'

let root: string
let files: FileTable
let watcher: Watcher
beforeEach(() => {
  root = realpathSync(mkdtempSync(join(tmpdir(), 'millrace-poll-')))
  files = new FileTable({ root, clock: { now: () => Date.now() + 10_000 } })
  watcher = new Watcher({ files, source: 'poll', pollInterval: 3_600_000 })
})
afterEach(async () => {
  await watcher.close()
  rmSync(root, { recursive: true, force: true })
})

const at = (name: string) => join(root, name)

/** What the next look tells; nothing where it tells nothing. */
async function told(): Promise<Pick<Tick, 'paths' | 'folders'>> {
  const { revision } = watcher
  const ticks = watcher[Symbol.asyncIterator]()
  await watcher.settled()
  if (watcher.revision === revision) {
    await ticks.return?.()
    return { paths: [], folders: [] }
  }
  const { value } = await ticks.next()
  await ticks.return?.()
  const { paths, folders } = value!
  return { paths: [...paths].sort(), folders: [...folders].sort() }
}

test('polling tells of names that come and go, also where nothing was asked for before', async () => {
  mkdirSync(at('sub/deep'), { recursive: true })
  writeFileSync(at('sub/deep/old'), '')
  await watcher.settled()
  writeFileSync(at('new'), '')
  writeFileSync(at('sub/deep/new'), '')
  mkdirSync(at('more'))
  expect(await told()).toEqual({ paths: [at('new'), at('sub/deep/new')], folders: [at('more')] })
  expect(await told()).toEqual({ paths: [], folders: [] })
  writeFileSync(at('more/file'), '')
  renameSync(at('sub/deep/old'), at('sub/deep/other'))
  expect(await told()).toEqual({
    paths: [at('more/file'), at('sub/deep/old'), at('sub/deep/other')],
    folders: [],
  })
  rmSync(at('sub'), { recursive: true })
  expect(await told()).toEqual({ paths: [], folders: [at('sub')] })
  rmSync(at('new'))
  mkdirSync(at('new'))
  expect(await told()).toEqual({ paths: [], folders: [at('new')] })
})

test('polling tells of a root that goes and comes, and does not look into ignored and linked folders', async () => {
  mkdirSync(at('node_modules'))
  mkdirSync(at('real'))
  symlinkSync(at('real'), at('link'))
  await watcher.settled()
  writeFileSync(at('node_modules/a'), '')
  expect(await told()).toEqual({ paths: [], folders: [] })
  writeFileSync(at('real/a'), '')
  expect(await told()).toEqual({ paths: [at('real/a')], folders: [] })
  rmSync(root, { recursive: true })
  expect(await told()).toEqual({
    paths: [at('link')],
    folders: [at('node_modules'), at('real')],
  })
  mkdirSync(root)
  writeFileSync(at('a'), '')
  expect(await told()).toEqual({ paths: [at('a')], folders: [] })
})

test('results that rest on names of a folder, or on a missing file, are streamed by polling, too', async () => {
  mkdirSync(at('sub'))
  await using graph = new Graph({ files })
  const seen = graph.query('seen', context => [
    context.kind('appears'),
    (context.list('sub') ?? []).length,
    context.glob('sub/*.ts').length,
  ])
  using stream = new ResultStream({ graph, watcher, query: seen, key: '' })
  const results = stream[Symbol.asyncIterator]()
  const next = async () => {
    const { value } = await results.next()
    return value?.status === 'fulfilled' ? value.value : value?.reason
  }
  expect(await next()).toEqual(['none', 0, 0])
  for (const [name, result] of [
    ['sub/a', ['none', 1, 0]],
    ['sub/b.ts', ['none', 2, 1]],
    ['appears', ['file', 2, 1]],
  ] as const) {
    writeFileSync(at(name), '')
    await watcher.settled()
    expect(await next()).toEqual(result)
  }
})

test('files that a small table forgets are not told of as changed', async () => {
  await watcher.close()
  files = new FileTable({ root, maxFiles: 1, clock: { now: () => Date.now() + 10_000 } })
  watcher = new Watcher({ files, source: 'poll', pollInterval: 3_600_000 })
  for (const name of ['a', 'b', 'c']) {
    writeFileSync(at(name), name)
    files.hashSync(name)
    await watcher.settled()
  }
  expect(files.stats().files).toBe(1)
  expect(await told()).toEqual({ paths: [], folders: [] })
  writeFileSync(at('a'), 'other')
  expect(await told()).toEqual({ paths: [at('a')], folders: [] })
})

test('a stream does not repeat what comes out the same', async () => {
  writeFileSync(at('a'), 'to be')
  await using graph = new Graph({ files })
  type Count = { readonly words: number; readonly at?: object }
  const count = graph.query('count', async (context, path): Promise<Count> => {
    const words = (await context.read(path)).bytes.toString().split(' ')
    if (words.length > 2) throw new TypeError('too long')
    return { words: words.length }
  })
  const lengths = graph.query(
    'lengths',
    async (context, path): Promise<Count> => ({ ...(await context.get(count, path)), at: {} }),
    { fingerprint: ({ words }) => `${words}` },
  )
  for (const query of [count, lengths]) {
    writeFileSync(at('a'), 'to be')
    using stream = new ResultStream({ graph, watcher, query, key: 'a' })
    const results = stream[Symbol.asyncIterator]()
    expect(await results.next()).toMatchObject({ value: { value: { words: 2 } } })
    for (const [text, asked] of [
      ['or not', 2],
      ['to be or', 3],
      ['to be that', 4],
    ] as const) {
      writeFileSync(at('a'), text)
      await watcher.settled()
      await expect.poll(() => stream.stats().asked).toBe(asked)
    }
    expect(await results.next()).toMatchObject({ value: { reason: { message: 'too long' } } })
    writeFileSync(at('a'), 'that')
    await watcher.settled()
    expect(await results.next()).toMatchObject({ value: { value: { words: 1 } } })
    expect(stream.stats().changes).toBe(3)
  }
})
