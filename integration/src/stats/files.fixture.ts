import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { MemoryStore } from '@millrace/cache-core/memory'
import {
  Facts,
  FileTable,
  Graph,
  ManualSource,
  ParseCache,
  ParsePool,
  ResultStream,
  type StoredResult,
  type StreamedResult,
  type TraceRecord,
  Watcher,
} from '@millrace/cache-files'
import type { Subject } from './walk.fixture.ts'

const count = (text: string): number => text.split(' ').length

const refuse = (): never => {
  throw new SyntaxError('no words')
}

/** Every class of cache-files at work on two files of an empty folder, given as it is on the disk. */
export function fileSubjects(root: string): Record<string, Subject> {
  const at = (name: string): string => join(root, name)
  const write = (name: string, text: string): void => writeFileSync(at(name), text)
  write('a', 'to be')
  write('b', 'or not')
  const table = (): FileTable => new FileTable({ root })

  const files = table()
  const parses = new ParseCache({
    files: table(),
    id: 'words@1',
    parse: text => (text === 'bad' ? refuse() : count(text)),
  })
  const facts = new Facts({
    files: table(),
    store: new MemoryStore<StoredResult>(),
    id: 'words@1',
    extract: ({ bytes }) => (String(bytes) === 'bad' ? refuse() : count(String(bytes))),
  })
  const graph = new Graph({ files: table(), store: new MemoryStore<TraceRecord>() })
  const words = graph.query('words', async (context, path: string) =>
    count((await context.read(path)).bytes.toString()),
  )
  const pool = new ParsePool<number>({
    module: new URL('./parser.fixture.ts', import.meta.url),
    workers: 1,
  })
  const parse = (text: string): Promise<unknown> =>
    pool
      .parse(text, { variant: '', hash: '', path: '/a', signal: new AbortController().signal })
      .catch(() => undefined)
  const source = new ManualSource(true)
  const watched = table()
  const watcher = new Watcher({ files: watched, source })
  const ticks = watcher[Symbol.asyncIterator]()
  const feed = new Watcher({ files: table(), source: new ManualSource(true) })
  const stream = new ResultStream({ graph, watcher: feed, query: words, key: 'a' })
  let results: AsyncIterator<StreamedResult<number>> | undefined
  let parsing: Promise<unknown> = Promise.resolve()

  return {
    FileTable: {
      source: files,
      steps: [
        () => files.read('a'),
        () => files.read('a'),
        () => files.folderSync('.'),
        () => files.read('none').catch(() => undefined),
        () => files.forget('a'),
        () => files.forget('.'),
        () => files.dump(),
        () => files.close(),
      ],
    },
    ParseCache: {
      source: parses,
      steps: [
        () => parses.get('a'),
        () => parses.get('a'),
        () => write('b', 'bad'),
        () => parses.get('b').catch(() => undefined),
        () => parses.clear(),
      ],
    },
    Facts: {
      source: facts,
      held: ['entries'],
      steps: [
        () => facts.get('a'),
        () => facts.get('a'),
        () => facts.get('b').catch(() => undefined),
        () => facts.close(),
      ],
    },
    Graph: {
      source: graph,
      held: ['nodes', 'results'],
      steps: [
        () => graph.get(words, 'a'),
        () => graph.get(words, 'a'),
        () => write('a', 'to be or not to be'),
        () => graph.get(words, 'a'),
        () => graph.get(words, 'none').catch(() => undefined),
      ],
    },
    ParsePool: {
      source: pool,
      steps: [
        () => parse('one two'),
        () => {
          parsing = Promise.all(['one', 'throw', 'exit', 'two'].map(parse))
        },
        () => parsing,
        () => pool.close(),
      ],
    },
    Watcher: {
      source: watcher,
      steps: [
        () => watcher.settled(),
        () => watched.read('a'),
        () => source.changed([at('a')]),
        () => ticks.next(),
        () => source.changedAll(),
        () => ticks.next(),
        () => ticks.return?.(),
        () => watcher.close(),
      ],
    },
    ResultStream: {
      source: stream,
      steps: [
        () => {
          results = stream[Symbol.asyncIterator]()
        },
        () => results?.next(),
        () => results?.return?.(),
        () => feed.close(),
      ],
    },
  }
}
