import { once } from 'node:events'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { FileTable, Graph } from '@millrace/cache-files'
import { createSourceQueries } from '../analyse/source-queries.ts'
import type { EmbeddedRegistry } from '../registry/embedded-registry.ts'
import { type RegistryClient, scopeOf } from '../registry/registry-client.ts'
import { counted } from '../report/counted.ts'
import { count, duration } from '../report/render-report.ts'
import type { LiveTraffic } from './live-traffic.ts'

/** Something that happens to a service, at the press of a button. */
export interface Scenario {
  readonly name: string
  readonly title: string
  /** What to look at. */
  readonly effect: string
  /** Why it cannot be played, if it cannot. */
  readonly unavailable: string | undefined
  /**
   * Resolves with what there is to say at its end. May be called at any time, and ends early when `signal` aborts.
   *
   * @param tell for what there is to say before that
   */
  readonly run: (signal: AbortSignal, tell: (text: string) => void) => Promise<string>
}

export interface ScenarioSources {
  readonly registry: EmbeddedRegistry | undefined
  readonly traffic: LiveTraffic
  readonly client: RegistryClient
  readonly packages: readonly string[]
  /** Whether the pool's breaker keeps requests from the registry. */
  broken(): boolean
}

const TROUBLE = 10_000
/** ms that a breaker has to close, and between two looks at it. */
const RECOVERY = 20_000
const LOOK = 250
const EDITED = 1_000
const BURST = 2_000

export function scenarios({
  registry,
  traffic,
  client,
  packages,
  broken,
}: ScenarioSources): Scenario[] {
  const foreign = registry === undefined ? 'The registry is not the embedded one' : undefined
  const none = packages.length === 0 ? 'The registry knows no package of this tree' : undefined
  // The largest one with an owner; names without one are tagged by their first letter.
  const scope = scopeOf(packages.find(name => name.startsWith('@')) ?? packages[0] ?? 'a')
  const tag = scope.startsWith('@') ? scope : `“${scope}…”`
  return [
    {
      name: 'kill-upstream',
      title: 'Kill the upstream',
      effect:
        'Connections break for ten seconds: retries, the breaker, stale answers, the error rate',
      unavailable: foreign,
      async run(signal, tell) {
        registry?.fail(TROUBLE)
        await over(TROUBLE, signal)
        const answers = 'The upstream answers again'
        if (!broken()) return answers
        tell(answers)
        const end = performance.now() + RECOVERY
        while (broken() && performance.now() < end) await over(LOOK, signal)
        return broken() ? 'The breaker waits for a look-up' : 'The breaker has closed'
      },
    },
    {
      name: 'slow-upstream',
      title: 'Slow upstream',
      effect:
        'Answers take half a second longer, for ten seconds: pending requests, slow traces, p99',
      unavailable: foreign,
      async run(signal) {
        registry?.slow(TROUBLE)
        await over(TROUBLE, signal)
        return 'The upstream is quick again'
      },
    },
    {
      name: 'edit-files',
      title: `Edit ${EDITED.toLocaleString('en')} files`,
      effect:
        'One comment added to each file of a tree: how much is computed, and how much cut off',
      unavailable: undefined,
      run: editFiles,
    },
    {
      name: 'burst',
      title: 'Traffic burst',
      effect:
        '2,000 look-ups at once: the limiter lets them through at its rate, and its waits grow',
      unavailable: none,
      async run(signal) {
        const start = performance.now()
        // An end does not wait for what the upstream still owes.
        await Promise.race([traffic.burst(BURST), once(signal, 'abort')])
        signal.throwIfAborted()
        return `${counted(BURST, 'look-up')} let through in ${duration(performance.now() - start)}`
      },
    },
    {
      name: 'hot-key',
      title: 'Hot key',
      effect: 'Every look-up is for one package, for ten seconds: the hit ratio rises',
      unavailable: none,
      async run(signal) {
        traffic.hotKey(TROUBLE)
        await over(TROUBLE, signal)
        return 'All packages are asked for again'
      },
    },
    {
      name: 'invalidate-tag',
      title: `Invalidate tag ${tag}`,
      effect: `All packages ${scope.startsWith('@') ? 'of' : 'named'} ${tag} are dropped here, in the store, and in every process on the same Redis`,
      unavailable: undefined,
      async run() {
        traffic.invalidate(scope)
        await client.invalidate(scope)
        return `Dropped what is tagged ${tag}`
      },
    },
  ]
}

function over(duration: number, signal: AbortSignal): Promise<void> {
  return setTimeout(duration, undefined, { signal })
}

/** On a tree of its own: nobody's sources are edited. */
async function editFiles(signal: AbortSignal): Promise<string> {
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
      Promise.all(
        paths.flatMap(path => [
          graph.get(facts, path, { signal }),
          graph.get(shape, path, { signal }),
        ]),
      )
    await all()
    await write(' // edited')
    signal.throwIfAborted()
    const before = { ...graph.stats() }
    const start = performance.now()
    await all()
    const after = graph.stats()
    const took = duration(performance.now() - start)
    return `${counted(EDITED, 'edit')}: ${count(after.computed - before.computed)} results computed, ${count(after.cutoffs - before.cutoffs)} cut off, in ${took}`
  } finally {
    await rm(root, { recursive: true, force: true })
  }
}
