import { mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { MemoryStore } from '@millrace/cache-core/memory'
import { Facts } from '../facts/facts.ts'
import { ParseCache } from '../parse/parse-cache.ts'
import { FileTable } from '../table/file-table.ts'
import { Watcher } from '../watch/watcher.ts'
import { Graph } from './graph.ts'

/** A process that has nothing to do but to wait for what never comes, and says how each wait ends. */
const root = realpathSync(mkdtempSync(join(tmpdir(), 'millrace-hung-')))
writeFileSync(join(root, 'a'), 'text')
const files = new FileTable({ root })
const never = (): Promise<never> => new Promise(() => undefined)
const tell = async (waits: Promise<unknown>): Promise<void> => {
  try {
    await waits
    console.log('done')
  } catch (error) {
    console.log((error as { code?: string }).code)
  }
}
const timeout = 20

await tell(new ParseCache({ files, id: 'x', timeout, parse: never }).get('a'))
await tell(
  new Facts({ files, store: new MemoryStore(), id: 'x', timeout, extract: never }).get('a'),
)
const graph = new Graph({ files, timeout })
await tell(graph.get(graph.query('hangs', never), ''))
// Beside one that hangs, another one of the same turn is answered.
const quick = graph.query('quick', () => 1)
const hangs = graph.query('hangs longer', never, { timeout: 200 })
await Promise.all([tell(graph.get(quick, '')), tell(graph.get(hangs, ''))])
// A flood that is left when few of it have begun: its rest ends without another stack frame for each.
const flood = graph.query('flood', context =>
  Promise.all(Array.from({ length: 20_000 }, (_, index) => context.get(hangs, `${index}`))),
)
const leaving = new AbortController()
setImmediate(() => leaving.abort(Object.assign(new Error('left'), { code: 'left' })))
await tell(graph.get(flood, '', { signal: leaving.signal }))
const hung = Object.assign(new MemoryStore<never>(), { get: never })
const stored = new Graph({ files, store: hung, storeTimeout: timeout })
await tell(
  stored.get(
    stored.query('stored', () => 1, { version: '1' }),
    '',
  ),
)
const source = { complete: true, start: async () => undefined, settled: never, close: never }
await tell(new Watcher({ files, source, settleTimeout: timeout }).settled())
rmSync(root, { recursive: true })
