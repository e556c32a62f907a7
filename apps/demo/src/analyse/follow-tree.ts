import { Watcher } from '@millrace/cache-files'
import { type Analysis, analyseSources } from './analyse-sources.ts'
import type { SourceCaches } from './source-caches.ts'
import { isSource, skippedFolders, walk } from './source-tree.ts'

/** An analysis after files changed. */
interface FollowedChange {
  /** Paths reported; undefined if anything may have changed. */
  readonly changed: number | undefined
  readonly analysis: Analysis
  /** ms. */
  readonly time: number
}

export interface FollowOptions {
  readonly signal: AbortSignal
  onChange(change: FollowedChange): void
}

/** Analyses a tree anew each time its files change, until the signal aborts. What did not change is not even looked at. */
export async function followTree(
  sources: readonly string[],
  caches: SourceCaches,
  { signal, onChange }: FollowOptions,
): Promise<void> {
  const known = new Set(sources)
  await using watcher = new Watcher({ files: caches.files, ignore: [...skippedFolders] })
  signal.addEventListener('abort', () => void watcher.close(), { once: true })
  for await (const { paths, folders, all } of watcher) {
    const begun = performance.now()
    for (const path of paths) {
      if (isSource(path) && caches.files.kindSync(path) === 'file') known.add(path)
    }
    // What is in a folder that came is not named.
    if (all !== undefined || folders.length > 0) {
      for (const path of await sourcesBelow(caches.files.root)) known.add(path)
    }
    const analysis = await analyseSources([...known], caches, { signal, progress: () => undefined })
    for (const { path } of analysis.unreadable) known.delete(path)
    if (signal.aborted) return
    const changed = all === undefined ? paths.length : undefined
    onChange({ changed, analysis, time: performance.now() - begun })
  }
}

async function sourcesBelow(root: string): Promise<readonly string[]> {
  try {
    return (await walk(root)).sources
  } catch {
    // The whole tree went: what was known of it is looked at, and found to be missing.
    return []
  }
}
