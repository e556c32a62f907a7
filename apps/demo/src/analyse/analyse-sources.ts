import { FileReadError } from '@millrace/cache-files'
import type { FileFacts } from './facts.ts'
import type { SourceCaches } from './source-caches.ts'

export interface AnalyseOptions {
  readonly signal?: AbortSignal
  progress(done: number, total: number): void
}

export interface Analysis {
  readonly files: ReadonlyMap<string, FileFacts>
  /** Answered by a stat alone. */
  readonly unchanged: number
  /** Read, and found to have the bytes of the last run. */
  readonly touched: number
  /** Read, and found to have the bytes of another file. */
  readonly copies: number
  readonly parsed: number
  readonly unreadable: readonly { readonly path: string; readonly reason: string }[]
  readonly results: ResultCounts
}

/** What became of results: of facts, and of what other files see of them. */
export interface ResultCounts {
  /** Found to hold without computing. */
  readonly verified: number
  readonly recomputed: number
  /** Of the recomputed, those that came out the same, so that nothing beyond them was computed. */
  readonly cutOff: number
}

/** Files whose states are those of one moment. What is in flight survives collections of young garbage, so few are faster than many. */
const batchSize = 64

/**
 * Facts of all source files: by a stat alone where nothing changed, by a hash of the bytes where only the times did, else by
 * parsing. An aborted analysis keeps what it has.
 */
export async function analyseSources(
  paths: readonly string[],
  caches: SourceCaches,
  { signal, progress }: AnalyseOptions,
): Promise<Analysis> {
  const { graph, queries, files: table } = caches
  const files = new Map<string, FileFacts>()
  const unreadable: { path: string; reason: string }[] = []
  const before = { ...graph.stats(), parses: caches.facts.stats().parses }
  let [unchanged, touched, computed] = [0, 0, 0]
  caches.computed.clear()
  for (let at = 0; at < paths.length && !signal?.aborted; at += batchSize) {
    const batch = paths.slice(at, at + batchSize)
    const known = batch.map(path => table.peek(path))
    await queries.preload(batch)
    const results = await Promise.allSettled(
      batch.map(async path => {
        const [facts] = await Promise.all([
          graph.get(queries.facts, path, { signal }),
          graph.get(queries.shape, path, { signal }),
        ])
        return facts
      }),
    )
    for (const [index, result] of results.entries()) {
      const path = batch[index]!
      if (result.status === 'rejected') {
        const { reason } = result
        // One file that cannot be looked at, for whatever reason, is left out and named: the others can be.
        if (!signal?.aborted) unreadable.push({ path, reason: explain(reason) })
        continue
      }
      files.set(path, result.value)
      if (caches.computed.has(path)) computed++
      else if (known[index] !== undefined && known[index] === table.peek(path)) unchanged++
      else touched++
    }
    progress(files.size + unreadable.length, paths.length)
  }
  const parsed = caches.facts.stats().parses - before.parses
  const after = graph.stats()
  return {
    files,
    unchanged,
    touched,
    parsed,
    copies: Math.max(0, computed - parsed),
    unreadable,
    results: {
      verified: after.verified - before.verified,
      recomputed: after.computed - before.computed,
      cutOff: after.cutoffs - before.cutoffs,
    },
  }
}

function explain(reason: unknown): string {
  if (!(reason instanceof FileReadError)) return (reason as Error).message
  // What stands for bytes that are no text leads to no file.
  if (reason.reason === 'missing' && reason.path.includes('\ufffd')) return 'its name is not UTF-8'
  return reasons[reason.reason] ?? reason.message
}

const reasons: Readonly<Record<string, string>> = {
  missing: 'it vanished',
  denied: 'permission denied',
  'not-a-file': 'it is not a regular file',
  'too-large': 'it is too large to be held in memory',
}
