import { isBuiltin } from 'node:module'
import { dirname } from 'node:path'
import type { FileFacts } from './facts.ts'
import type { Manifest } from './manifests.ts'

/** A package of the tree, or one that something in the tree imports. */
export interface PackageNode {
  readonly name: string
  /** Versions found in the tree; none for a package that is only imported. */
  readonly versions: ReadonlySet<string>
  readonly files: number
  readonly bytes: number
  readonly exports: number
  /** Names of the packages its files import. */
  readonly imports: ReadonlySet<string>
}

export interface ImportGraph {
  readonly packages: ReadonlyMap<string, PackageNode>
  /** Imports between files of one package, by relative path. */
  readonly internalImports: number
  readonly builtinImports: number
}

interface Draft {
  readonly name: string
  readonly versions: Set<string>
  files: number
  bytes: number
  exports: number
  readonly imports: Set<string>
}

/** Stands for the files that no package.json above them names. */
export const NO_PACKAGE = '(no package)'

/** Folds file facts into a graph of packages: O(files + imports). */
export function buildImportGraph(
  files: ReadonlyMap<string, FileFacts>,
  manifests: ReadonlyMap<string, Manifest>,
): ImportGraph {
  const packages = new Map<string, Draft>()
  const node = (name: string): Draft => {
    let draft = packages.get(name)
    if (draft === undefined) {
      draft = { name, versions: new Set(), files: 0, bytes: 0, exports: 0, imports: new Set() }
      packages.set(name, draft)
    }
    return draft
  }
  for (const { name, version } of manifests.values()) node(name).versions.add(version)
  const ownerOf = nearestManifest(manifests)
  let internalImports = 0
  let builtinImports = 0
  for (const [path, facts] of files) {
    const owner = node(ownerOf(dirname(path))?.name ?? NO_PACKAGE)
    owner.files++
    owner.bytes += facts.bytes
    owner.exports += facts.exports.length
    for (const specifier of facts.imports) {
      const target = packageOf(specifier)
      if (target === 'builtin') builtinImports++
      else if (target === 'relative' || target.name === owner.name) internalImports++
      else {
        node(target.name)
        owner.imports.add(target.name)
      }
    }
  }
  return { packages, internalImports, builtinImports }
}

/** The manifest of the nearest folder upwards that has one; each folder is resolved once. */
function nearestManifest(
  manifests: ReadonlyMap<string, Manifest>,
): (folder: string) => Manifest | undefined {
  const known = new Map<string, Manifest | undefined>(manifests)
  const find = (folder: string): Manifest | undefined => {
    if (known.has(folder)) return known.get(folder)
    const parent = dirname(folder)
    const found = parent === folder ? undefined : find(parent)
    known.set(folder, found)
    return found
  }
  return find
}

const packageName = /^(?:@[a-z0-9~-][a-z0-9._~-]*\/)?[a-z0-9~-][a-z0-9._~-]*/i

/** What an import specifier leads to. Specifiers that name no package (`#internal`, URLs, templates) count as relative. */
export function packageOf(specifier: string): 'builtin' | 'relative' | { readonly name: string } {
  if (isBuiltin(specifier)) return 'builtin'
  if (/^[./#\\]|^[a-z][\w+.-]*:/i.test(specifier)) return 'relative'
  const name = packageName.exec(specifier)?.[0]
  const rest = name === undefined ? '' : specifier.slice(name.length)
  return name !== undefined && (rest === '' || rest.startsWith('/')) ? { name } : 'relative'
}
