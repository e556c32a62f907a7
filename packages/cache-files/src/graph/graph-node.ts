import type { InputKind } from './inputs.ts'
import type { Query } from './query.ts'

/** What a result was computed from, with the fingerprint that was seen. */
export type Dependency =
  | { readonly node: GraphNode; readonly fingerprint: string }
  | {
      readonly node: undefined
      readonly kind: InputKind
      readonly name: string
      readonly fingerprint: string
    }

/** Any query, whatever its types. */
export type AnyQuery = Query<string, unknown>

/**
 * The result of one query for one key with its trace: what it was computed from. The result is good whenever every dependency,
 * asked in the recorded order, has the recorded fingerprint (a "verifying trace"; Mokhov, Mitchell, Peyton Jones, "Build Systems
 * à la Carte", section 4.2.2). A trace never lies: fingerprints come from what was read, not from a later look.
 */
export class GraphNode {
  readonly query: AnyQuery
  readonly key: string
  /** Undefined until the first result, in this process or found in the store. */
  trace: readonly Dependency[] | undefined
  fingerprint = ''
  /** The result; it may be dropped to save memory while the trace stays. */
  held: { readonly value: unknown } | undefined
  /** Revision for which the trace was last found good. */
  checked = 0
  /** The check or computation under way. */
  flight: { readonly revision: number; readonly done: Promise<void> } | undefined
  /** What the flight waits for: an edge of the waits-for graph in which cycles are sought. */
  readonly waiting: Set<GraphNode> = new Set()
  /** Whether the graph has forgotten it, while dependents still hold it. */
  dropped = false
  /** Whether the store was asked for it. */
  sought = false

  constructor(query: AnyQuery, key: string) {
    this.query = query
    this.key = key
  }

  get label(): string {
    return `${this.query.name}(${this.key})`
  }
}

/** The way by which `from` waits for `to`, ends included, or `undefined`. O(edges of flights). */
export function waitPath(from: GraphNode, to: GraphNode): GraphNode[] | undefined {
  if (from.waiting.size === 0 && from !== to) return undefined
  const cameFrom = new Map<GraphNode, GraphNode | undefined>([[from, undefined]])
  // A Map is walked in insertion order, new entries included, which makes this breadth first.
  for (const [node] of cameFrom) {
    if (node === to) {
      const path: GraphNode[] = []
      for (let step: GraphNode | undefined = node; step !== undefined; step = cameFrom.get(step)) {
        path.unshift(step)
      }
      return path
    }
    for (const next of node.waiting) if (!cameFrom.has(next)) cameFrom.set(next, node)
  }
  return undefined
}
