import { readFileSync } from 'node:fs'
import { cpus } from 'node:os'

const manifest = new URL('../../package.json', import.meta.url)

/** `Node 24.21.0, lru-cache 11.5.3, …`: the pins of the benchmark workspace, from its package.json. */
export function versionsLine(packages: readonly string[]): string {
  const { dependencies } = JSON.parse(readFileSync(manifest, 'utf8')) as {
    dependencies: Record<string, string>
  }
  const named = packages.map(name => {
    const version = dependencies[name]
    if (version === undefined) throw new Error(`${name} is no dependency of the benchmarks`)
    return `${name} ${version}`
  })
  return `Versions: ${[`Node ${process.versions.node}`, ...named].join(', ')}; ${cpus().length} cores.`
}
