import { isAbsolute, join, normalize, resolve, sep } from 'node:path'
import type { FileTable } from '../../table/file-table.ts'
import { NamePattern } from './name-pattern.ts'

const WILD = /[*?{]/

/** A pattern in one form: one that is a path from the root of the file system on goes there straight. */
export function globName(pattern: string): string {
  return isAbsolute(pattern) ? normalize(pattern) : pattern
}

/**
 * Paths that match a pattern, sorted by code unit, by the folders that a table knows: unchanged ones cost a `stat` each. Linked folders are
 * not entered, so the walk ends. O(names in the folders visited).
 */
export function globSync(files: FileTable, pattern: string): readonly string[] {
  const parts = (isAbsolute(pattern) ? normalize(pattern) : join(files.root, pattern))
    .split(sep)
    // Twice any number of folders is any number, and would be walked once for each way to share them out.
    .filter((part, index, all) => part !== '**' || all[index - 1] !== '**')
  const wild = parts.findIndex(part => WILD.test(part))
  if (wild === -1) {
    const path = resolve(parts.join(sep))
    return files.kindSync(path) === 'none' ? [] : [path]
  }
  const found = new Set<string>()
  const base = parts.slice(0, wild).join(sep) || sep
  walk({ files, found }, base, parts.slice(wild).map(toPart))
  return [...found].sort()
}

type Part = '**' | NamePattern

interface Walk {
  readonly files: FileTable
  readonly found: Set<string>
}

function walk(state: Walk, folder: string, parts: readonly Part[]): void {
  const [part, ...rest] = parts
  const list = state.files.folderSync(folder)
  if (part === undefined || list.names === undefined) return
  if (part === '**') {
    if (rest.length > 0) walk(state, folder, rest)
    for (const name of list.names) {
      if (name.startsWith('.')) continue
      const path = join(folder, name)
      if (rest.length === 0) state.found.add(path)
      if (list.folders.has(name)) walk(state, path, parts)
    }
    return
  }
  for (const name of list.names) {
    if (!part.matches(name)) continue
    const path = join(folder, name)
    if (rest.length === 0) state.found.add(path)
    else if (list.folders.has(name)) walk(state, path, rest)
  }
}

const toPart = (part: string): Part => (part === '**' ? '**' : new NamePattern(part))
