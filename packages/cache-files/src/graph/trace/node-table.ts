import type { Clock, Timer } from '@millrace/cache-core'
import { InvalidOptionError } from '@millrace/kit'
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
  /** Told of each node that goes. */
  readonly dropped: (node: GraphNode) => void
}

/** The nodes of a graph, by query and key; those not used the longest go first. */
export class NodeTable {
  readonly #limits: NodeLimits
  readonly #nodes = new Map<AnyQuery, Map<string, GraphNode>>()
  #size = 0
  #nextId = 0
  readonly #oldestInUse: () => number
  #timer: Timer | undefined

  /** @param oldestInUse when the oldest revision began that is not over: what was used since must stay */
  constructor(limits: NodeLimits, oldestInUse: () => number) {
    this.#limits = limits
    this.#oldestInUse = oldestInUse
    if (limits.retention !== Infinity && limits.cleanupInterval !== Infinity) this.#wait()
  }

  get size(): number {
    return this.#size
  }

  *all(): Generator<GraphNode, void> {
    for (const nodes of this.#nodes.values()) yield* nodes.values()
  }

  /** The node, if there is one. */
  peek(query: AnyQuery, key: string): GraphNode | undefined {
    return this.#nodes.get(query)?.get(key)
  }

  /** Makes a query known. */
  declare(query: AnyQuery): void {
    this.#nodes.set(query, new Map())
  }

  /**
   * The node, made if there is none.
   *
   * @throws {InvalidOptionError} if the query was not declared
   */
  node(query: AnyQuery, key: string): GraphNode {
    const nodes = this.#nodes.get(query)
    if (nodes === undefined) {
      throw new InvalidOptionError('query', 'a query of this graph', query)
    }
    let node = nodes.get(key)
    if (node === undefined) {
      node = new GraphNode(query, key, this.#nextId++)
      node.usedAt = this.#limits.clock.now()
      nodes.set(key, node)
      this.#size++
    }
    return node
  }

  /** Forgets a node. */
  drop(node: GraphNode): void {
    if (node.dropped) return
    node.dropped = true
    this.#nodes.get(node.query)?.delete(node.key)
    this.#size--
    this.#limits.dropped(node)
  }

  /** Keeps within the limit. O(1), O(n log n) where nodes must go. */
  evict(): void {
    const { maxNodes } = this.#limits
    if (this.#size <= maxNodes) return
    const before = this.#oldestInUse()
    const oldest = [...this.all()]
      .filter(({ usedAt }) => usedAt < before)
      .sort((a, b) => a.usedAt - b.usedAt)
    const surplus = this.#size - Math.floor(maxNodes * EVICTION_TARGET)
    for (const node of oldest.slice(0, surplus)) this.drop(node)
  }

  close(): void {
    this.#timer?.cancel()
  }

  #wait(): void {
    const { clock, cleanupInterval, retention } = this.#limits
    this.#timer = clock.setTimer(() => {
      const before = Math.min(clock.now() - retention, this.#oldestInUse())
      for (const node of this.all()) if (node.usedAt < before) this.drop(node)
      this.#wait()
    }, cleanupInterval)
  }
}
