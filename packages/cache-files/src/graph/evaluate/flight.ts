import { Revision } from '../inputs/revision.ts'
import type { GraphNode, Outcome, Trace } from '../trace/graph-node.ts'

/** The reason with which a flight without waiters ends. */
export class FlightAbandoned extends Error {
  constructor() {
    super('No call waits for the result any more')
  }
}

/** A wait for a flight, until it lands or the waiter leaves. */
export class Waiter {
  readonly flight: Flight
  #waiting = true

  constructor(flight: Flight) {
    this.flight = flight
    flight.waiters++
  }

  /** Ends the flight if it has no other waiter. */
  leave(): void {
    if (!this.#waiting) return
    this.#waiting = false
    if (--this.flight.waiters === 0) this.flight.abandon()
  }
}

/** A call of another graph by a query, until it has its answer. */
export interface OutsideCall {
  /** What it waits for there. */
  readonly waiters: ReadonlySet<Waiter>
  leave(reason: unknown): void
}

let looks = 0

/** A revision with what has come of it so far. */
export class Look extends Revision {
  /** Unique in the process, from 1. */
  readonly id: number = ++looks
  /** Nodes brought up to date by flights; those whose traces hold bear the look's number as `goodIn`. */
  readonly outcomes: Map<GraphNode, Outcome> = new Map()
  /** Nodes being brought up to date, and those that failed. */
  readonly flights: Map<GraphNode, Flight> = new Map()
  /**
   * Nodes whose traces were found not to hold without waiting, with how many of their dependencies did before. Only a flight can tell what
   * becomes of them.
   */
  readonly unsure: Map<GraphNode, { readonly trace: Trace; readonly held: number }> = new Map()
}

/** Flights without waiters that are being ended, those that are done with included. */
const left: Flight[] = []

/** A node being brought up to date in a revision, for as long as it has waiters. */
export class Flight {
  readonly node: GraphNode
  readonly revision: Look
  /** What it waits for: an edge of the waits-for graph in which cycles are sought. */
  readonly asked: Map<Flight, Waiter> = new Map()
  /** What its query asks other graphs for, once it does: edges to their waits-for graphs. */
  outside: Set<OutsideCall> | undefined
  readonly landed: Promise<Outcome>
  waiters = 0
  /** Whether it was begun. */
  begun = false
  /** Gives up the wait for a flight of another revision, while there is one. */
  release: (() => void) | undefined
  /** Whether it has landed, failed, or been abandoned. */
  over = false
  /** Whether it ended because its last waiter left. */
  abandoned = false
  /** Called when the last waiter leaves while its query runs. */
  stopped: (() => void) | undefined
  #controller: AbortController | undefined
  readonly #land: (outcome: Outcome) => void
  readonly #fail: (error: unknown) => void

  constructor(node: GraphNode, revision: Look) {
    this.node = node
    this.revision = revision
    const { promise, resolve, reject } = Promise.withResolvers<Outcome>()
    this.landed = promise
    this.#land = resolve
    this.#fail = reject
    // Waiters are told; without any, the failure concerns no call.
    promise.catch(() => undefined)
  }

  /** Made when it is first asked for, as most queries do not. */
  get signal(): AbortSignal {
    this.#controller ??= new AbortController()
    if (this.over) this.#controller.abort(new FlightAbandoned())
    return this.#controller.signal
  }

  land(outcome: Outcome): void {
    if (this.over) return
    this.over = true
    this.revision.outcomes.set(this.node, outcome)
    this.revision.flights.delete(this.node)
    this.#land(outcome)
  }

  /** It stays in the revision, so that the query is not run again in it. */
  fail(error: unknown): void {
    if (this.over) return
    this.#end(error)
  }

  /** Ends it, as its last waiter has left, and with it what nothing else waits for: one after the other, as it may be a long chain. */
  abandon(): void {
    left.push(this)
    if (left.length > 1) return
    try {
      for (let next = 0; next < left.length; next++) left[next]!.#abandon()
    } finally {
      left.length = 0
    }
  }

  #abandon(): void {
    if (this.over) return
    this.abandoned = true
    if (this.revision.flights.get(this.node) === this) this.revision.flights.delete(this.node)
    this.#end(new FlightAbandoned())
  }

  #end(reason: unknown): void {
    this.over = true
    this.#fail(reason)
    this.#controller?.abort(reason)
    this.stopped?.()
    this.release?.()
    for (const waiter of this.asked.values()) waiter.leave()
    this.asked.clear()
    if (this.outside !== undefined) for (const call of this.outside) call.leave(reason)
  }
}
