import type { Prepare } from '../../../define.ts'
import { loadTrace, type TraceSource } from '../../hit-ratio/traces/catalogue.ts'

/** What a replay of a trace came to. */
export interface PrefetchResult {
  readonly reads: number
  readonly hits: number
  /** Keys loaded ahead, and how many of them were read before they left. */
  readonly prefetched: number
  readonly used: number
}

/** Reads of longer traces, so that a case takes seconds. */
const READS = 60_000

/** Share of the reads that hit, with or without loading ahead what usually follows. */
export function hitsOfPrefetching(
  source: TraceSource,
  path: string,
  entries: number,
  ahead: boolean,
): Prepare<PrefetchResult> {
  return async () => ({
    async measure() {
      const result = await replay(source, path, entries, ahead)
      return { value: (100 * result.hits) / result.reads, result }
    },
  })
}

export function prefetchFigure(
  figure: 'precision' | 'recall',
  source: TraceSource,
  path: string,
  entries: number,
): Prepare<PrefetchResult> {
  return async () => ({
    async measure() {
      const result = await replay(source, path, entries, true)
      if (figure === 'precision') {
        return { value: (100 * result.used) / Math.max(1, result.prefetched), result }
      }
      const { reads, hits } = await replay(source, path, entries, false)
      return { value: (100 * result.used) / (reads - hits), result }
    },
  })
}

async function replay(
  source: TraceSource,
  path: string,
  entries: number,
  ahead: boolean,
): Promise<PrefetchResult> {
  const { Cache } = await import('@millrace/cache-core')
  const { AccessPredictor } = await import('@millrace/cache-core/warm')
  const trace = await loadTrace(source, path)
  const ids = trace.ids.subarray(0, READS)
  const cache = new Cache<number, number>({ maxEntries: entries })
  const predictor = new AccessPredictor<number>({ maxKeys: 20_000 })
  const waiting = new Set<number>()
  let [hits, prefetched, used] = [0, 0, 0]
  for (const id of ids) {
    const expected = waiting.delete(id)
    if (cache.get(id) === undefined) cache.set(id, 1)
    else {
      hits++
      if (expected) used++
    }
    if (!ahead) continue
    predictor.record(id)
    for (const { key } of predictor.next(id)) {
      if (cache.has(key)) continue
      cache.set(key, 1)
      waiting.add(key)
      prefetched++
    }
  }
  return { reads: ids.length, hits, prefetched, used }
}
