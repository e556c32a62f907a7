import { SqliteStore } from '@millrace/cache-core/sqlite'
import { UnsettledError } from '../errors.ts'
import { FileTable } from '../table/file-table.ts'
import { Graph } from './graph.ts'
import type { TraceRecord } from './trace/trace-record.ts'

/** A process that analyses a tree over and over into a shared store, and says when it is in the middle of writing. */
const [root, path, rounds] = process.argv.slice(2) as [string, string, string]
const store = new SqliteStore<TraceRecord>({ path })
for (let round = 0; round < Number(rounds); round++) {
  const graph = new Graph({ files: new FileTable({ root }), store, writeDelay: 1 })
  const text = graph.query(
    'text',
    async (context, key) => (await context.read(key)).bytes.toString(),
    { version: '1' },
  )
  const all = graph.query(
    'all',
    async context => {
      context.untracked()
      const parts = await Promise.all(context.glob('*').map(key => context.get(text, key)))
      return `${round} ${parts.join('')}`
    },
    { version: '1' },
  )
  await graph.get(all, '').catch(error => {
    // The files change faster than a busy machine reads them; what was read is written all the same.
    if (!(error instanceof UnsettledError)) throw error
  })
  const flushed = graph.flush()
  process.send?.('flushing')
  await flushed
  await graph.close()
}
await store.close()
process.send?.('done')
process.disconnect?.()
