import { basename, dirname, sep } from 'node:path'
import { type ChangeAllReason, type Tick, Watcher } from '@millrace/cache-files'
import { type Analysis, analyseSources } from './analyse-sources.ts'
import { type Manifest, readManifests } from './manifests.ts'
import type { TreeContent } from './present-tree.ts'
import type { SourceCaches } from './source-caches.ts'
import { isSource, MANIFEST, type SourceTree, skippedFolders, walk } from './source-tree.ts'

/** An analysis after files changed. */
export interface FollowedChange {
  /** Paths reported. */
  readonly paths: readonly string[]
  /** Why anything may have changed, and all was looked at, if it was. */
  readonly all: ChangeAllReason | undefined
  /** Sources whose facts were computed anew, or that went, and manifests that say something else, came or went. */
  readonly changed: readonly string[]
  readonly analysis: Analysis
  /** Manifests of the tree as it is now, by folder. */
  readonly manifests: ReadonlyMap<string, Manifest>
  /** ms. */
  readonly time: number
}

export interface FollowOptions {
  readonly signal: AbortSignal
  onChange(change: FollowedChange): void
}

/** Analyses a tree anew each time its files change, until the signal aborts. What did not change is not even looked at. */
export async function followTree(
  { files, manifests }: TreeContent,
  caches: SourceCaches,
  { signal, onChange }: FollowOptions,
): Promise<void> {
  const known = new Set(files.keys())
  const named = new Map(manifests)
  await using watcher = new Watcher({ files: caches.files, ignore: [...skippedFolders] })
  signal.addEventListener('abort', () => void watcher.close(), { once: true })
  for await (const { paths, folders, all } of watcher) {
    const begun = performance.now()
    for (const path of paths) {
      if (isSource(path) && caches.files.kindSync(path) === 'file') known.add(path)
    }
    // What is in a folder that came is not named.
    const found =
      all !== undefined || folders.length > 0 ? await walked(caches.files.root) : undefined
    for (const path of found?.sources ?? []) known.add(path)
    const renamed = await followManifests(named, { paths, folders, all }, found?.manifests)
    const analysis = await analyseSources([...known], caches, { signal, progress: () => undefined })
    const gone = analysis.unreadable.map(({ path }) => path)
    for (const path of gone) known.delete(path)
    if (signal.aborted) return
    onChange({
      paths: [...paths, ...folders],
      all,
      changed: [...caches.computed, ...gone, ...renamed],
      analysis,
      manifests: new Map(named),
      time: performance.now() - begun,
    })
  }
}

/**
 * Reads manifests again that may have changed.
 *
 * @param known by folder, brought up to date
 * @param present paths of all that are there, where that was looked at
 * @returns paths of those that say something else than before, came or went
 */
async function followManifests(
  known: Map<string, Manifest>,
  { paths, folders, all }: Pick<Tick, 'paths' | 'folders' | 'all'>,
  present: readonly string[] | undefined,
): Promise<string[]> {
  const doubtful = new Set(paths.filter(path => basename(path) === MANIFEST))
  const pathOf = (folder: string) => folder + sep + MANIFEST
  const there = present && new Set(present)
  for (const path of present ?? []) {
    const moved = folders.some(folder => path.startsWith(folder + sep))
    if (all !== undefined || moved || !known.has(dirname(path))) doubtful.add(path)
  }
  for (const folder of known.keys()) {
    if (there !== undefined && !there.has(pathOf(folder))) doubtful.add(pathOf(folder))
  }
  const read = await readManifests([...doubtful])
  return [...doubtful].filter(path => {
    const folder = dirname(path)
    const [before, now] = [known.get(folder), read.get(folder)]
    if (now === undefined) known.delete(folder)
    else known.set(folder, now)
    return JSON.stringify(before) !== JSON.stringify(now)
  })
}

async function walked(root: string): Promise<Pick<SourceTree, 'sources' | 'manifests'>> {
  try {
    return await walk(root)
  } catch {
    // The whole tree went: what was known of it is looked at, and found to be missing.
    return { sources: [], manifests: [] }
  }
}
