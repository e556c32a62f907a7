import { type Levels, levelsOf } from '../analyse/levels.ts'
import type { PresentTree, TreeNow } from '../analyse/present-tree.ts'
import type { SlowTrace } from '../report/slow-traces.ts'
import type { EditedTree } from '../traffic/edited-tree.ts'
import { BUDGET, type LiveTraffic } from '../traffic/live-traffic.ts'
import type { Stage } from '../traffic/stage.ts'
import type { Services } from '../wiring/services.ts'

/** What the page shows beyond the dashboard, at one moment. */
export interface LiveState {
  /** The tree as it is now. */
  readonly tree: TreeNow
  /** Names of the scenarios that are played. */
  readonly playing: readonly string[]
  /** What half and twice the size would give; none while there were too few look-ups to tell. */
  readonly advice: readonly { readonly size: number; readonly hitRate: number }[]
  /** Entries of the traffic's cache by what is left of their lives: under 1, 2, 3, 4 and 5 s. */
  readonly lifetimes: readonly number[]
  /** Bytes that the traffic's cache holds, and may hold. */
  readonly bytes: number
  readonly budget: number
  /** Why entries went, by reason. */
  readonly removals: Readonly<Record<string, number>>
  /** Stale values that were served as there was no other. */
  readonly staleServed: number
  /** Of the analysed tree, since the start. */
  readonly levels: Levels
  /** Of the last edit of a thousand files. */
  readonly editedLevels: Levels
  /** Messages of other processes about invalidations: each is sent at least once. */
  readonly received: number
  readonly traces: readonly TraceRows[]
}

interface TraceRows {
  readonly id: string
  /** ms since 1970. */
  readonly began: number
  readonly duration: number
  readonly rows: readonly {
    readonly name: string
    readonly depth: number
    /** ms after the trace's beginning. */
    readonly offset: number
    readonly duration: number
    readonly failed: boolean
  }[]
}

const TRACES = 5
/** Look-ups before anything is advised. */
const FEWEST = 50
const LIFE = 5_000

export function liveState(
  { telemetry, sources, client }: Services,
  tree: PresentTree,
  { cache }: LiveTraffic,
  edited: EditedTree,
  stage: Stage,
): LiveState {
  const { reads, estimates } = cache.advise()
  const { bytes, removals, staleServed } = cache.stats()
  const [present] = estimates
  const lifetimes = [0, 0, 0, 0, 0]
  for (const key of cache.keys()) {
    const entry = cache.explain(key)
    if (entry.state !== 'fresh') continue
    const left = Math.min(LIFE - 1, Math.max(0, entry.expiresIn))
    lifetimes[Math.floor((left / LIFE) * lifetimes.length)]!++
  }
  return {
    tree: tree.now,
    playing: stage.states.filter(({ running }) => running).map(({ name }) => name),
    advice: estimates
      .filter(({ policy }) => reads >= FEWEST && policy === present?.policy)
      .map(({ size, hitRate }) => ({ size, hitRate }))
      .sort((a, b) => a.size - b.size),
    lifetimes,
    bytes,
    budget: BUDGET,
    removals,
    staleServed,
    levels: levelsOf(sources),
    editedLevels: edited.levels,
    received: client.stats().received,
    traces: telemetry.slow.traces.slice(0, TRACES).map(rowsOf),
  }
}

/** Children below their parents, in order of start. */
function rowsOf({ began, duration, spans }: SlowTrace): TraceRows {
  const ids = new Set(spans.map(({ spanId }) => spanId))
  const children = Map.groupBy(
    spans.toSorted((a, b) => a.start - b.start),
    ({ parentSpanId }) => (parentSpanId !== undefined && ids.has(parentSpanId) ? parentSpanId : ''),
  )
  const start = spans.at(-1)!.start
  const rows: TraceRows['rows'][number][] = []
  const add = (parent: string, depth: number): void => {
    for (const span of children.get(parent) ?? []) {
      const { name, failed } = span
      rows.push({
        name,
        depth,
        offset: span.start - start,
        duration: span.end - span.start,
        failed,
      })
      add(span.spanId, depth + 1)
    }
  }
  add('', 0)
  return { id: spans.at(-1)!.traceId, began, duration, rows: rows.slice(0, 40) }
}
