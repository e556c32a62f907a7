import { readdirSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { finished } from '../run.ts'

interface Manifest {
  readonly name: string
  readonly private?: boolean
  readonly publishConfig?: { readonly exports?: Readonly<Record<string, unknown>> }
  readonly dependencies?: Readonly<Record<string, string>>
  readonly devDependencies?: Readonly<Record<string, string>>
  readonly peerDependencies?: Readonly<Record<string, string>>
  readonly peerDependenciesMeta?: Readonly<Record<string, { readonly optional?: boolean }>>
}

export const root = resolve(import.meta.dirname, '../..')

/** A package of the workspace that is published. */
export class PublishedPackage {
  readonly short: string
  readonly name: string
  /** As they are imported, package.json excepted. */
  readonly entries: readonly string[]
  readonly #manifest: Manifest

  constructor(short: string, manifest: Manifest) {
    this.short = short
    this.name = manifest.name
    this.entries = Object.keys(manifest.publishConfig?.exports ?? {})
      .filter(entry => entry !== './package.json')
      .map(entry => manifest.name + entry.slice(1))
    this.#manifest = manifest
  }

  /** What its user may leave out. */
  get optionalPeers(): readonly string[] {
    return this.#peers(true)
  }

  /** Names of what is installed with it in any case. */
  get needed(): readonly string[] {
    return [...Object.keys(this.#manifest.dependencies ?? {}), ...this.#peers(false)]
  }

  /** All its peers in the versions that the workspace tests with. */
  get testedPeers(): Readonly<Record<string, string>> {
    const { peerDependencies = {}, devDependencies = {} } = this.#manifest
    const foreign = Object.keys(peerDependencies).filter(name => !name.startsWith('@millrace/'))
    return Object.fromEntries(
      foreign.map(name => [name, devDependencies[name] ?? peerDependencies[name]!]),
    )
  }

  /** Packs with pnpm, which replaces `workspace:` ranges and applies publishConfig; returns the tarball's path. */
  async pack(folder: string): Promise<string> {
    const target = join(folder, `${this.short}.tgz`)
    const packed = await finished(
      'pnpm',
      ['pack', '--out', target],
      join(root, 'packages', this.short),
    )
    if (!packed.ok) throw new Error(packed.stdout + packed.stderr)
    return target
  }

  #peers(optional: boolean): string[] {
    const { peerDependencies = {}, peerDependenciesMeta = {} } = this.#manifest
    return Object.keys(peerDependencies).filter(
      name => (peerDependenciesMeta[name]?.optional ?? false) === optional,
    )
  }
}

export function publishedPackages(): PublishedPackage[] {
  return readdirSync(join(root, 'packages'))
    .map(short => {
      const manifest = readFileSync(join(root, 'packages', short, 'package.json'), 'utf8')
      return [short, JSON.parse(manifest) as Manifest] as const
    })
    .filter(([, manifest]) => manifest.private !== true)
    .map(([short, manifest]) => new PublishedPackage(short, manifest))
}
