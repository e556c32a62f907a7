import { type ImportGraph, NO_PACKAGE, type PackageNode } from '../analyse/import-graph.ts'
import type { RegistryClient } from '../registry/registry-client.ts'

const MOST_FOUND = 20
const MOST_NEIGHBOURS = 24

interface Neighbour {
  readonly name: string
  readonly files: number
}

/** Packages whose names contain `text`; those that begin with it, and those with more files, first. */
export function search({ packages }: ImportGraph, text: string): Neighbour[] {
  const wanted = text.toLowerCase()
  return [...packages.values()]
    .filter(({ name }) => name !== NO_PACKAGE && name.toLowerCase().includes(wanted))
    .sort(
      (a, b) =>
        Number(b.name.startsWith(wanted)) - Number(a.name.startsWith(wanted)) || b.files - a.files,
    )
    .slice(0, MOST_FOUND)
    .map(plainNeighbour)
}

/** A package with those that import it and those that it imports, of each the ones with most files. */
export function neighbourhood({ packages }: ImportGraph, name: string | undefined) {
  const centre =
    name === undefined
      ? [...packages.values()].sort((a, b) => b.imports.size - a.imports.size)[0]
      : packages.get(name)
  if (centre === undefined) return undefined
  const largest = (nodes: Iterable<PackageNode>) =>
    [...nodes]
      .sort((a, b) => b.files - a.files)
      .slice(0, MOST_NEIGHBOURS)
      .map(plainNeighbour)
  const dependents = [...packages.values()].filter(({ imports }) => imports.has(centre.name))
  const imports = [...centre.imports].flatMap(each => packages.get(each) ?? [])
  return {
    ...plainNeighbour(centre),
    dependents: largest(dependents),
    imports: largest(imports),
    more: {
      dependents: Math.max(0, dependents.length - MOST_NEIGHBOURS),
      imports: Math.max(0, imports.length - MOST_NEIGHBOURS),
    },
  }
}

/** Everything known of one package: of the tree and of the registry. */
export async function packagePage(graph: ImportGraph, client: RegistryClient, name: string) {
  const node = graph.packages.get(name)
  if (node === undefined) return undefined
  const dependents = [...graph.packages.values()]
    .filter(other => other.imports.has(name))
    .map(other => other.name)
  // From the cache while that is fresh, revalidated when not: the live page is a client as the run was.
  const registry = await client.package(name).catch((error: Error) => ({ error: error.message }))
  return {
    ...node,
    versions: [...node.versions],
    imports: [...node.imports],
    dependents,
    registry: registry ?? null,
  }
}

const plainNeighbour = ({ name, files }: PackageNode): Neighbour => ({ name, files })
