import { once } from 'node:events'
import { setTimeout } from 'node:timers/promises'
import type { EmbeddedRegistry } from '../registry/embedded-registry.ts'
import { type RegistryClient, scopeOf } from '../registry/registry-client.ts'
import { counted } from '../report/counted.ts'
import { count, duration } from '../report/render-report.ts'
import type { EditedTree } from './edited-tree.ts'
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
  /** What the packages that are invalidated have in common. */
  readonly scope: string
  /** Has {@link EDITED} files. */
  readonly edited: EditedTree
  /** Whether the pool's breaker keeps requests from the registry. */
  broken(): boolean
}

const TROUBLE = 10_000
/** ms that a breaker has to close, and between two looks at it. */
const RECOVERY = 20_000
const LOOK = 250
/** Files that are edited. */
export const EDITED = 1_000
/** ms that what is to be invalidated has to be filled, and to be asked for again. */
const PATIENCE = 3_000
const BURST = 2_000
/** Packages that are filled and asked for again: as many as the limiter lets through at once. */
const MOST_DROPPED = 50

export function scenarios({
  registry,
  traffic,
  client,
  packages,
  scope,
  edited,
  broken,
}: ScenarioSources): Scenario[] {
  const foreign = registry === undefined ? 'The registry is not the embedded one' : undefined
  const none = packages.length === 0 ? 'The registry knows no package of this tree' : undefined
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
        'One comment added to each file of a tree of its own: levels of the analysis, results computed and cut off',
      unavailable: undefined,
      async run(signal) {
        const start = performance.now()
        const { results } = await edited.edit(signal)
        const took = duration(performance.now() - start)
        return `${counted(EDITED, 'edit')}: ${count(results.recomputed)} results computed, ${count(results.cutOff)} cut off, in ${took}`
      },
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
      effect: `All packages ${scope.startsWith('@') ? 'of' : 'named'} ${tag} are dropped here, in the store, and in every process on the same Redis, and asked for again: misses, requests`,
      unavailable: undefined,
      async run(signal, tell) {
        const names = packages.filter(name => scopeOf(name) === scope).slice(0, MOST_DROPPED)
        const ask = async () => {
          const soon = AbortSignal.any([signal, AbortSignal.timeout(PATIENCE)])
          const answers = names.map(name => client.package(name, soon))
          await Promise.all([traffic.ask(names), Promise.allSettled(answers)])
        }
        // What is not there cannot be dropped.
        await Promise.race([ask(), once(signal, 'abort')])
        signal.throwIfAborted()
        const before = client.stats()
        traffic.invalidate(scope)
        await client.invalidate(scope)
        tell(`Dropped ${counted(names.length, 'package')} tagged ${tag}`)
        await Promise.race([ask(), once(signal, 'abort')])
        const { memoryMisses, storeHits } = client.stats()
        const missed = memoryMisses - before.memoryMisses
        const others = storeHits - before.storeHits
        return `${count(missed)} asked for again, of which others had ${count(others)}`
      },
    },
  ]
}

function over(duration: number, signal: AbortSignal): Promise<void> {
  return setTimeout(duration, undefined, { signal })
}
