import { existsSync, globSync, readdirSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'

const packages = resolve(import.meta.dirname, '../../../packages')

interface Manifest {
  readonly name: string
  readonly private?: boolean
  readonly exports: Readonly<Record<string, unknown>>
}

/** A published package, as it stands in the tree. */
export interface PublishedPackage {
  readonly name: string
  readonly folder: string
  /** Its entries as they are imported, package.json excepted. */
  readonly entries: readonly string[]
}

export const published: readonly PublishedPackage[] = readdirSync(packages)
  .map(short => join(packages, short))
  .filter(folder => existsSync(join(folder, 'package.json')))
  .map(folder => ({
    folder,
    manifest: JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as Manifest,
  }))
  .filter(({ manifest }) => manifest.private !== true)
  .map(({ folder, manifest }) => ({
    name: manifest.name,
    folder,
    entries: Object.keys(manifest.exports)
      .filter(entry => entry !== './package.json')
      .map(entry => manifest.name + entry.slice(1)),
  }))

/** The sources of a package that are shipped, by path. */
export function sources({ folder }: PublishedPackage): ReadonlyMap<string, string> {
  const files = globSync('src/**/*.ts', { cwd: folder }).filter(
    file => !/\.(test|fixture|contract)\.ts$/.test(file),
  )
  return new Map(files.map(file => [file, readFileSync(join(folder, file), 'utf8')]))
}

/** The listing of a package's public surface. */
export function apiReport({ folder }: PublishedPackage): string {
  return readFileSync(join(folder, 'api.md'), 'utf8')
}
