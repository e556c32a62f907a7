import { isAbsolute, join, resolve } from 'node:path'
import type { FileTable } from '../../table/file-table.ts'

const WILD = /[*?{]/

/**
 * Paths that match a pattern, sorted by code unit, by the folders that a table knows: unchanged ones cost a `stat` each. Linked folders are
 * not entered, so the walk ends. O(names in the folders visited).
 */
export function globSync(files: FileTable, pattern: string): readonly string[] {
  const parts = (isAbsolute(pattern) ? pattern : join(files.root, pattern)).split('/')
  const wild = parts.findIndex(part => WILD.test(part))
  if (wild === -1) {
    const path = resolve(parts.join('/'))
    return files.kindSync(path) === 'none' ? [] : [path]
  }
  const found = new Set<string>()
  const base = parts.slice(0, wild).join('/') || '/'
  walk({ files, found }, base, parts.slice(wild).map(toPart))
  return [...found].sort()
}

type Part = '**' | { readonly test: RegExp; readonly dotted: boolean }

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
    if (!part.test.test(name) || (name.startsWith('.') && !part.dotted)) continue
    const path = join(folder, name)
    if (rest.length === 0) state.found.add(path)
    else if (list.folders.has(name)) walk(state, path, rest)
  }
}

function toPart(part: string): Part {
  if (part === '**') return '**'
  let depth = 0
  const source = part.replace(/[*?{},.+^$()|[\]\\]/g, sign => {
    switch (sign) {
      case '*':
        return '.*'
      case '?':
        return '.'
      case '{':
        depth++
        return '(?:'
      case '}':
        if (depth === 0) return '\\}'
        depth--
        return ')'
      case ',':
        return depth > 0 ? '|' : ','
      default:
        return `\\${sign}`
    }
  })
  const whole = `^${source}${')'.repeat(depth)}$`
  return { test: new RegExp(whole, 's'), dotted: part.startsWith('.') }
}
