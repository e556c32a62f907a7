import { spawnSync } from 'node:child_process'
import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  realpathSync,
  rmSync,
  statSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Fixture } from '../../define.ts'

/** Folders of an {@link analysisTree}. */
export interface AnalysisTree {
  readonly root: string
  /** What an earlier process kept. */
  readonly cache: string
}

/** Packages whose sources are analysed: ES modules and CommonJS, small files and large ones. */
const PACKAGES = ['undici', 'bottleneck', 'cacheable', 'got', 'ioredis', 'prom-client', 'p-queue']
const SOURCE = /(?<!\.d)\.[cm]?[jt]s$/
const LARGEST = 200_000

/** Sources below a folder, in order. */
export function sourcesOf(root: string): string[] {
  const names = readdirSync(root, { recursive: true, encoding: 'utf8' })
  return names
    .filter(name => SOURCE.test(name) && !name.includes('node_modules'))
    .map(name => join(root, name))
    .filter(path => statSync(path).isFile() && statSync(path).size <= LARGEST)
    .sort()
}

/** A copy of the sources of installed packages, and the caches of a process that has analysed it. */
export async function analysisTree(): Promise<Fixture> {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), 'millrace-bench-analysis-')))
  const value: AnalysisTree = { root: join(folder, 'tree'), cache: join(folder, 'cache') }
  const installed = join(import.meta.dirname, '../../../node_modules')
  for (const name of PACKAGES) {
    const from = realpathSync(join(installed, name))
    for (const path of sourcesOf(from)) {
      const copy = join(value.root, name, path.slice(from.length))
      mkdirSync(dirname(copy), { recursive: true })
      copyFileSync(path, copy)
    }
  }
  // Stamps prove something only once they are old enough, as they always are in a tree that is not being written.
  await sleep(2_100)
  const filled = spawnSync(
    process.execPath,
    [
      '--conditions=millrace-source',
      join(import.meta.dirname, 'fill-cache.ts'),
      value.root,
      value.cache,
    ],
    { encoding: 'utf8' },
  )
  if (filled.status !== 0) throw new Error(`Could not fill the cache: ${filled.stderr}`)
  return { value, close: () => rmSync(folder, { recursive: true }) }
}
