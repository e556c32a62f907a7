import type { Clock } from '@millrace/cache-core'
import type { InputKind } from '../inputs/input-kinds.ts'
import type { Query } from '../query.ts'
import type { GraphNode, Outcome } from '../trace/graph-node.ts'
import type { Flight } from './flight.ts'
import type { QueryTimers } from './query-timers.ts'

/** What a `QueryRun` needs of the graph. */
export interface QueryEnvironment {
  /** The graph, which a query must not ask but through its context. */
  readonly owner: object
  readonly clock: Clock
  readonly timers: QueryTimers
  /** Flights of the graph whose queries wait for other graphs. */
  readonly calling: Set<Flight>
  /** Absolute form of a path. */
  resolve(path: string): string
  /** Whether an input is looked at once per epoch only. */
  isDurable(kind: InputKind, name: string): boolean
  /** Brings another query up to date, for the flight that asks. */
  ask(asker: Flight, node: GraphNode): Promise<Outcome>
  /** What {@link ask} comes to, if that can be told without waiting. */
  ready(asker: Flight, node: GraphNode): Outcome | undefined
  /** The node of a query of the graph. */
  node(query: Query<string, unknown>, key: string): GraphNode
}
