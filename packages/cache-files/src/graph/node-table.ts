import type { Clock, Timer } from '@millrace/cache-core'
import { type AnyQuery, GraphNode } from './graph-node.ts'

/** Part of the limit that eviction leaves, so that it does not run after every revision. */
const EVICTION_TARGET = 0.9

/** Limits of a {@link NodeTable}. */
export interface NodeLimits {
  readonly maxNodes: number
  /** ms after its last use at which a node goes. */
  readonly retention: number
  /** ms between looks for such nodes. */
  readonly cleanupInterval: number
  readonly clock: Clock
}

/** The nodes of a graph, by query and key; those not used the longest go first. */
export class NodeTable {
  readonly #limits: NodeLimits
  readonly #nodes = new Map<string, GraphNode>()
  readonly #oldestInUse: () => number
  #timer: Timer | undefined

  /** @param oldestInUse when the oldest revision began that is not over: what was used since must stay */
  constructor(limits: NodeLimits, oldestInUse: () => number) {
    this.#limits = limits
    this.#oldestInUse = oldestInUse
    if (limits.retention !== Infinity && limits.cleanupInterval !== Infinity) this.#wait()
  }

  get size(): number {
    return this.#nodes.size
  }

  all(): Iterable<GraphNode> {
    return this.#nodes.values()
  }

  /** The node, made if there is none. */
  node(query: AnyQuery, key: string): GraphNode {
    const id = JSON.stringify([query.name, key])
    let node = this.#nodes.get(id)
    if (node === undefined) {
      node = new GraphNode(query, key, id)
      node.usedAt = this.#limits.clock.now()
      this.#nodes.set(id, node)
    }
    return node
  }

  /** Forgets a node. */
  drop(node: GraphNode): void {
    node.dropped = true
    this.#nodes.delete(node.id)
  }

  /** Keeps within the limit. O(1), O(n log n) where nodes must go. */
  evict(): void {
    const { maxNodes } = this.#limits
    if (this.#nodes.size <= maxNodes) return
    const before = this.#oldestInUse()
    const oldest = [...this.#nodes.values()]
      .filter(({ usedAt }) => usedAt < before)
      .sort((a, b) => a.usedAt - b.usedAt)
    const surplus = this.#nodes.size - Math.floor(maxNodes * EVICTION_TARGET)
    for (const node of oldest.slice(0, surplus)) this.drop(node)
  }

  close(): void {
    this.#timer?.cancel()
  }

  #wait(): void {
    const { clock, cleanupInterval, retention } = this.#limits
    this.#timer = clock.setTimer(() => {
      const before = Math.min(clock.now() - retention, this.#oldestInUse())
      for (const node of this.#nodes.values()) if (node.usedAt < before) this.drop(node)
      this.#wait()
    }, cleanupInterval)
  }
}
