import type { InputDependency } from '../inputs/input-dependency.ts'
import type { Query } from '../query.ts'

/** What a result was computed from, with the fingerprint that was seen. */
export type Dependency = NodeDependency | InputDependency

/** Another result. */
export interface NodeDependency {
  readonly node: GraphNode
  readonly fingerprint: string
}

/** A query of a graph, whatever its types. */
export interface AnyQuery extends Query<string, unknown> {
  /** Set where its results are parts of another query's. */
  readonly part: Part | undefined
}

/** A part of the results of a query. */
export interface Part {
  readonly source: AnyQuery
  readonly of: (value: never) => unknown
}

/**
 * The trace of a result: what it was computed from. The result is good whenever every dependency, asked in the recorded order, has the
 * recorded fingerprint (a "verifying trace"; Mokhov, Mitchell, Peyton Jones, "Build Systems à la Carte", section 4.2.2). A trace never
 * lies: fingerprints come from what was read, not from a later look, so it may be kept whatever happens around it.
 */
export interface Trace {
  readonly fingerprint: string
  readonly dependencies: readonly Dependency[]
  /** Whether all it rests on, through other results too, lies in durable folders. */
  readonly durable: boolean
}

/** A value, in a box as it may be `undefined`. */
export interface HeldValue {
  readonly value: unknown
}

/** What a node came to in a look. */
export interface Outcome {
  readonly trace: Trace
  /** The value, if it is at hand. */
  readonly held: HeldValue | undefined
}

/** One query for one key, with the trace of its last result. Values are held elsewhere, so that a trace may outlive its value. */
export class GraphNode {
  readonly query: AnyQuery
  readonly key: string
  /** Unique in the graph. */
  readonly id: number
  #trace: Trace | undefined
  /** What the traces that rest on its last result share. */
  #dependency: NodeDependency | undefined
  /** Number of the look in which the trace was found to hold: cheaper than a table per look of the nodes that do. */
  goodIn = 0
  /** Number of the run that asked for it last, and the place in that run's trace. */
  askedBy = 0
  askedAt = 0
  /** When a revision last used it, on the graph's clock. */
  usedAt = 0
  /** The durable epoch for which a durable trace was last found good. */
  durableEpoch = -1
  /** Whether the store was asked for it. */
  sought = false
  /** Whether the graph has forgotten it, while traces of others still name it. */
  dropped = false

  constructor(query: AnyQuery, key: string, id: number) {
    this.query = query
    this.key = key
    this.id = id
  }

  /** Undefined until the first result, in this process or found in the store. */
  get trace(): Trace | undefined {
    return this.#trace
  }

  /** Of a new trace it is not known in which looks it holds. */
  set trace(trace: Trace | undefined) {
    this.#trace = trace
    this.goodIn = 0
  }

  /** It as a dependency: one object for all that ask for it while it comes to the same. */
  seenAs(fingerprint: string): NodeDependency {
    if (this.#dependency?.fingerprint !== fingerprint)
      this.#dependency = { node: this, fingerprint }
    return this.#dependency
  }

  get label(): string {
    return `${this.query.name}(${this.key})`
  }
}
