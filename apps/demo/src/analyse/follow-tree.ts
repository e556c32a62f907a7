import { type ChangeAllReason, Watcher } from '@millrace/cache-files'
import { type Analysis, analyseSources } from './analyse-sources.ts'
import type { SourceCaches } from './source-caches.ts'
import { isSource, skippedFolders, walk } from './source-tree.ts'

/** An analysis after files changed. */
export interface FollowedChange {
  /** Paths reported. */
  readonly paths: readonly string[]
  /** Why anything may have changed, and all was looked at, if it was. */
  readonly all: ChangeAllReason | undefined
  /** Sources whose facts were computed anew, or that went. */
  readonly changed: readonly string[]
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
    const gone = analysis.unreadable.map(({ path }) => path)
    for (const path of gone) known.delete(path)
    if (signal.aborted) return
    onChange({
      paths: [...paths, ...folders],
      all,
      changed: [...caches.computed, ...gone],
      analysis,
      time: performance.now() - begun,
    })
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
