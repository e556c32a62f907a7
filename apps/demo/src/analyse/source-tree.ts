import { readdir } from 'node:fs/promises'
import { join, sep } from 'node:path'

/** What a walk found. Paths are absolute. */
export interface SourceTree {
  readonly sources: readonly string[]
  readonly manifests: readonly string[]
  /** Folders that could not be listed. */
  readonly unreadable: readonly { readonly path: string; readonly code: string }[]
}

const sourceFile = /\.[cm]?[jt]sx?$/
/** Names of folders that are not entered. */
export const skippedFolders: ReadonlySet<string> = new Set(['.git', '.millrace'])

/** Name of the files that say which package a folder is. */
export const MANIFEST = 'package.json'

/** Whether a file is a source by its name. */
export const isSource = (name: string): boolean => sourceFile.test(name)

/**
 * Lists JavaScript and TypeScript sources and package.json files below a folder, in a stable order. Symbolic links are not
 * followed: in an installed workspace they lead to folders that are visited anyway, and may form circles.
 *
 * @throws {NodeJS.ErrnoException} when the folder itself cannot be listed
 */
export async function walk(root: string, signal?: AbortSignal): Promise<SourceTree> {
  const sources: string[] = []
  const manifests: string[] = []
  const unreadable: { path: string; code: string }[] = []
  const pending = [root]
  const visit = async (folder: string): Promise<void> => {
    const entries = await readdir(folder, { withFileTypes: true }).catch(
      (error: NodeJS.ErrnoException) => {
        if (folder === root) throw error
        unreadable.push({ path: folder, code: error.code ?? 'UNKNOWN' })
        return []
      },
    )
    for (const entry of entries) {
      if (entry.isDirectory()) {
        if (!skippedFolders.has(entry.name)) pending.push(folder + sep + entry.name)
      } else if (!entry.isFile()) continue
      else if (entry.name === MANIFEST) manifests.push(join(folder, entry.name))
      else if (isSource(entry.name)) sources.push(folder + sep + entry.name)
    }
  }
  while (pending.length > 0) {
    signal?.throwIfAborted()
    // A batch keeps the thread pool busy without opening thousands of folders at once.
    await Promise.all(pending.splice(-32).map(visit))
  }
  return { sources: sources.sort(), manifests: manifests.sort(), unreadable }
}
