import { randomUUID } from 'node:crypto'
import { mkdirSync, realpathSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { SqliteStore } from '@millrace/cache-core/sqlite'
import { type Codec, jsonCodec } from '@millrace/cache-core/store'
import { runs, seededRandom } from '@millrace/testkit'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { Facts } from '../facts/facts.ts'
import { FileTable } from '../table/file-table.ts'
import type { FileTableOptions } from '../table/file-table-options.ts'
import { Graph } from './graph.ts'
import type { GraphOptions } from './graph-options.ts'
import type { TraceRecord } from './trace/trace-record.ts'

let folder: string
beforeEach(() => {
  // In small letters, as they are folded below.
  folder = join(realpathSync(tmpdir()), `millrace-mixed-${randomUUID()}`)
  mkdirSync(folder)
})
afterEach(() => rmSync(folder, { recursive: true }))

/** Reads the bytes of {@link jsonCodec} without complaint, and makes something else of them. */
const shifting: Codec<unknown> = {
  encode: value => jsonCodec.encode(mapTexts(value, text => `~${text}`)),
  decode: bytes => mapTexts(jsonCodec.decode(bytes), text => text.slice(1)),
}
function mapTexts(value: unknown, change: (text: string) => string): unknown {
  return JSON.parse(JSON.stringify(value), (_, inner) =>
    typeof inner === 'string' ? change(inner) : inner,
  )
}

const choices: {
  readonly graph: Partial<GraphOptions>
  readonly files: FileTableOptions
  readonly maxBytes: number
  readonly version: string
}[] = [
  { graph: {}, files: {}, maxBytes: 2 ** 28, version: '1' },
  { graph: { codec: jsonCodec }, files: {}, maxBytes: 2 ** 28, version: '1' },
  { graph: { codec: shifting, retention: 60_000 }, files: {}, maxBytes: 2 ** 28, version: '1' },
  { graph: { environmentKey: 'k' }, files: {}, maxBytes: 10_000, version: '1' },
  { graph: { retention: 1_000, maxResults: 1 }, files: {}, maxBytes: 2 ** 28, version: '2' },
  { graph: { maxNodes: 1 }, files: { caseSensitive: false }, maxBytes: 2 ** 28, version: '1' },
  { graph: {}, files: { verification: 'hash', racyWindow: 0 }, maxBytes: 2 ** 28, version: '1' },
]

test('processes with other options on one store never answer wrong', async () => {
  const random = seededRandom(3)
  const pick = <T>(of: readonly T[]): T => of[Math.floor(random() * of.length)]!
  const path = join(folder, 'graph.db')
  const texts = ['', '', '']
  const write = (index: number, text: string) => {
    texts[index] = text
    writeFileSync(join(folder, `${index}.txt`), text)
  }
  for (let index = 0; index < texts.length; index++) write(index, `${index}`)
  for (let round = 0; round < runs(40); round++) {
    if (random() < 0.7) write(Math.floor(random() * texts.length), `${round} ~`)
    const { graph: options, files: chosen, maxBytes, version } = pick(choices)
    const tableOptions = folder === folder.toLowerCase() ? chosen : {}
    await using store = new SqliteStore<TraceRecord>({ path, maxBytes })
    const files = new FileTable({ root: folder, ...tableOptions })
    await using graph = new Graph({ files, store, ...options })
    const text = graph.query(
      'text',
      async (context, key) => ({ text: (await context.read(key)).bytes.toString() }),
      { version },
    )
    const own = graph.query('own', async (context, key) => (await context.get(text, key)).text, {
      version,
      fingerprint: value => value,
    })
    const all = graph.query(
      'all',
      async context =>
        (await Promise.all(texts.map((_, index) => context.get(own, `${index}.txt`)))).join(),
      { version },
    )
    expect(await graph.get(all, '')).toBe(texts.join())
    expect((await graph.get(text, '1.txt')).text).toBe(texts[1])
    await using facts = new Facts({
      files,
      store,
      id: 'facts',
      extract: ({ bytes }) => ({ length: bytes.length, text: bytes.toString() }),
      codec: options.codec,
    })
    expect((await facts.get('2.txt')).value).toEqual({
      length: texts[2]!.length,
      text: texts[2],
    })
  }
})
