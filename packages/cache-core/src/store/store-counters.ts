import type { StoreStats } from './contract/store.ts'

/** The counters of {@link StoreStats}, counted. */
export class StoreCounters {
  hits = 0
  misses = 0
  writes = 0
  refused = 0
  deletes = 0
  evictions = 0
  corrupt = 0

  snapshot(): StoreStats {
    return { ...this }
  }
}
