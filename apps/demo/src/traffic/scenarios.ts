import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { FileTable, Graph } from '@millrace/cache-files'
import { createSourceQueries } from '../analyse/source-queries.ts'
import type { EmbeddedRegistry } from '../registry/embedded-registry.ts'
import { type RegistryClient, scopeOf } from '../registry/registry-client.ts'
import type { LiveTraffic } from './live-traffic.ts'

/** Something that happens to a service, at the press of a button. */
export interface Scenario {
  readonly name: string
  readonly title: string
  /** What to look at. */
  readonly effect: string
  /** Why it cannot be played, if it cannot. */
  readonly unavailable: string | undefined
  /** Resolves with what there is to say at its end. May be called at any time. */
  run(): Promise<string>
}

export interface ScenarioSources {
  readonly registry: EmbeddedRegistry | undefined
  readonly traffic: LiveTraffic
  readonly client: RegistryClient
  readonly packages: readonly string[]
}

const TROUBLE = 10_000
const EDITED = 1_000

export function scenarios({ registry, traffic, client, packages }: ScenarioSources): Scenario[] {
  const foreign = registry === undefined ? 'The registry is not the embedded one' : undefined
  const scope = scopeOf(packages[0] ?? 'a')
  return [
    {
      name: 'kill-upstream',
      title: 'Kill the upstream',
      effect:
        'Connections break for ten seconds: retries, the breaker, stale answers, the error rate',
      unavailable: foreign,
      async run() {
        registry?.fail(TROUBLE)
        await over(TROUBLE)
        return 'The upstream answers again'
      },
    },
    {
      name: 'slow-upstream',
      title: 'Slow upstream',
      effect: 'Half a second more for ten seconds: pending requests, slow traces, p99',
      unavailable: foreign,
      async run() {
        registry?.slow(TROUBLE)
        await over(TROUBLE)
        return 'The upstream is quick again'
      },
    },
    {
      name: 'edit-files',
      title: `Edit ${EDITED.toLocaleString('en')} files`,
      effect:
        'A tree of as many files, one comment added to each: how much is computed, and how much cut off',
      unavailable: undefined,
      run: editFiles,
    },
    {
      name: 'burst',
      title: 'Traffic burst',
      effect: 'Two thousand look-ups at once: the limiter lets them through at its rate',
      unavailable: undefined,
      async run() {
        traffic.burst(2_000)
        return 'Asked for 2,000 packages at once'
      },
    },
    {
      name: 'hot-key',
      title: 'Hot key',
      effect: 'All asks for one package for ten seconds: the hit ratio rises',
      unavailable: packages.length === 0 ? 'No package was met' : undefined,
      async run() {
        traffic.hotKey(TROUBLE)
        await over(TROUBLE)
        return 'All packages are asked for again'
      },
    },
    {
      name: 'invalidate-tag',
      title: `Invalidate tag ${scope}`,
      effect: 'What is tagged goes here, in the store and in every process that shares it',
      unavailable: undefined,
      async run() {
        traffic.invalidate(scope)
        await client.invalidate(scope)
        return `Dropped what is tagged ${scope}`
      },
    },
  ]
}

/** Waits without holding the process. */
function over(duration: number): Promise<void> {
  return new Promise(resolve => setTimeout(resolve, duration).unref())
}

/** On a tree of its own: nobody's sources are edited. */
async function editFiles(): Promise<string> {
  const root = await mkdtemp(join(tmpdir(), 'millrace-demo-edit-'))
  try {
    const paths = Array.from({ length: EDITED }, (_, i) => join(root, `${i % 10}`, `${i}.ts`))
    await Promise.all([...Array(10).keys()].map(i => mkdir(join(root, `${i}`))))
    const write = (comment: string) =>
      Promise.all(
        paths.map((path, i) => writeFile(path, `export const value${i} = ${i}${comment}\n`)),
      )
    await write('')
    using files = new FileTable({ root })
    await using graph = new Graph({ files })
    const { facts, shape } = createSourceQueries(graph, async content => {
      const { deriveFacts } = await import('../analyse/derive-facts.ts')
      return deriveFacts(content.path, content.bytes.toString())
    })
    const all = () =>
      Promise.all(paths.flatMap(path => [graph.get(facts, path), graph.get(shape, path)]))
    await all()
    await write(' // edited')
    const before = { ...graph.stats() }
    const start = performance.now()
    await all()
    const after = graph.stats()
    const took = Math.round(performance.now() - start)
    return `${EDITED} edits: ${after.computed - before.computed} results computed, ${after.cutoffs - before.cutoffs} cut off, in ${took} ms`
  } finally {
    await rm(root, { recursive: true, force: true })
  }
}
