import type { DurableInputs } from '../inputs/durable-inputs.ts'
import { RevisionConflict } from '../inputs/revision-conflict.ts'
import { checkKey } from '../query.ts'
import type { AnyQuery, GraphNode, Outcome, Trace } from '../trace/graph-node.ts'
import type { KeptResults } from '../trace/kept-results.ts'
import { borrow } from './borrow.ts'
import { Flight, FlightAbandoned, type Look, Waiter } from './flight.ts'
import type { QueryEnvironment } from './query-environment.ts'
import { QueryRun } from './query-run.ts'
import { QueryTimers } from './query-timers.ts'
import { StartQueue } from './start-queue.ts'
import { assertNoCycle, waitPath } from './wait-path.ts'

/** What an {@link Evaluator} needs of the graph around it. */
export interface EvaluatorEnvironment
  extends Omit<QueryEnvironment, 'ask' | 'ready' | 'timers' | 'calling' | 'isDurable'> {
  readonly results: KeptResults
  readonly durable: DurableInputs
  /** @throws {InvalidOptionError} if the query is not the graph's own */
  node(query: AnyQuery, key: string): GraphNode
}

/** A call from outside, which may leave before its answer. */
export interface Asker {
  /** What it waits for. */
  readonly waiters: Set<Waiter>
  readonly gone: boolean
  /** The flight of the query of another graph that called. */
  readonly caller: Flight | undefined
}

/** How deep flights may start each other before one waits for the stack to unwind: a chain of files may be thousands long. */
const DEPTH = 50
/** How deep traces are verified on one stack. */
const VERIFY_DEPTH = 1_000

/** Brings nodes up to date within revisions: verifies their traces and computes those that do not hold. */
export class Evaluator {
  readonly #environment: EvaluatorEnvironment
  readonly #results: KeptResults
  readonly #durable: DurableInputs
  readonly #queries: QueryEnvironment
  /** The computation of a node that runs, in whichever revision. */
  readonly #computing = new Map<GraphNode, Flight>()
  readonly #starts = new StartQueue<Flight>(flight => this.#start(flight))
  /** Flights starting on the present stack. */
  #depth = 0
  verified = 0
  computed = 0
  cutoffs = 0
  failures = 0

  constructor(environment: EvaluatorEnvironment) {
    const { owner, clock, results, durable } = environment
    this.#environment = environment
    this.#results = results
    this.#durable = durable
    this.#queries = {
      owner,
      clock,
      resolve: path => environment.resolve(path),
      isDurable: (kind, name) => durable.covers(kind, name),
      timers: new QueryTimers(clock),
      calling: new Set(),
      node: (asked, key) => {
        return environment.node(asked as AnyQuery, checkKey(key))
      },
      ready: (asker, node) => this.ready(node, asker.revision),
      ask: (asker, node) => this.#valued(asker, node),
    }
  }

  /** What a node comes to in a revision, with its value, if that can be told without waiting. */
  ready(node: GraphNode, revision: Look): Outcome | undefined {
    const outcome = revision.outcomes.get(node)
    if (outcome?.held !== undefined) return outcome
    const trace = outcome?.trace ?? this.#goodTrace(node, revision, 0)
    return trace && this.#results.outcome(node, trace)
  }

  /** Name of a query of this graph that waits, through other graphs, for a flight of one of them. */
  waitingFor(flight: Flight): string | undefined {
    for (const caller of this.#queries.calling) {
      if (waitPath(caller, flight) !== undefined) return caller.node.query.name
    }
    return undefined
  }

  /** The value of a node in a revision, for a call that may leave. */
  async demand(node: GraphNode, revision: Look, asker: Asker): Promise<unknown> {
    for (;;) {
      const outcome = this.ready(node, revision)
      if (outcome !== undefined) return outcome.held!.value
      if (asker.gone) throw new FlightAbandoned()
      const flight = this.#flight(node, revision)
      const waiter = new Waiter(flight)
      asker.waiters.add(waiter)
      try {
        if (asker.caller !== undefined) assertNoCycle(asker.caller, flight)
        this.#begin(flight)
        const { held } = await flight.landed
        if (held !== undefined) return held.value
      } finally {
        waiter.leave()
        asker.waiters.delete(waiter)
      }
    }
  }

  /** A node with its value, for a flight of the same revision. */
  async #valued(asker: Flight, node: GraphNode): Promise<Outcome> {
    for (;;) {
      const outcome = this.ready(node, asker.revision)
      if (outcome !== undefined) return outcome
      const landed = await this.#wait(asker, this.#flight(node, asker.revision))
      if (landed.held !== undefined) return landed
    }
  }

  /** The trace of a node without an outcome if it holds in a revision, as far as that can be told without waiting. */
  #goodTrace(node: GraphNode, revision: Look, depth: number): Trace | undefined {
    if (node.goodIn === revision.id) return node.trace
    if (revision.flights.has(node)) return undefined
    return this.#verify(node, revision, depth)
  }

  /**
   * Verifies a node's trace on this stack; `undefined` if it does not hold, or cannot be told. Traces that lead in a circle end at the
   * depth's limit. Each node is looked at once per revision, so that a change at the end of a chain is found in time linear in its length.
   * Benchmark case: files "edit to answer in 10,000 files".
   */
  #verify(node: GraphNode, revision: Look, depth: number): Trace | undefined {
    const { trace } = node
    if (trace === undefined || depth > VERIFY_DEPTH || revision.unsure.has(node)) return undefined
    const known = trace.durable && node.durableEpoch === revision.durableEpoch
    const held = known ? trace.dependencies.length : this.#held(trace, revision, depth)
    if (held === trace.dependencies.length) return this.#good(node, revision, trace)
    revision.unsure.set(node, { trace, held })
    return undefined
  }

  /** How many dependencies in a trace, from the first one on, are the same, as far as that can be told without waiting. */
  #held({ dependencies }: Trace, revision: Look, depth: number): number {
    for (let index = 0; index < dependencies.length; index++) {
      const dependency = dependencies[index]!
      if (dependency.node === undefined) {
        if (!revision.holds(dependency)) return index
        continue
      }
      const source = this.#live(dependency.node)
      const trace =
        revision.outcomes.get(source)?.trace ?? this.#goodTrace(source, revision, depth + 1)
      if (trace?.fingerprint !== dependency.fingerprint) return index
    }
    return dependencies.length
  }

  #good(node: GraphNode, revision: Look, trace: Trace): Trace {
    this.verified++
    node.usedAt = revision.startedAt
    // Another revision may have computed the node anew while this one waited.
    if (node.trace !== trace) return trace
    node.goodIn = revision.id
    if (trace.durable) node.durableEpoch = revision.durableEpoch
    return trace
  }

  /** The flight of a node in a revision, a new one if there is none. */
  #flight(node: GraphNode, revision: Look): Flight {
    let flight = revision.flights.get(node)
    if (flight === undefined) {
      flight = new Flight(node, revision)
      revision.flights.set(node, flight)
    }
    return flight
  }

  /** Begins a flight, if that was not done, once it is noted who waits for it: its query may ask other graphs at once. */
  #begin(flight: Flight): void {
    if (flight.begun) return
    flight.begun = true
    this.#starts.add(flight)
  }

  #start(flight: Flight): void {
    this.#depth++
    void this.#fly(flight)
    this.#depth--
  }

  /** Never rejects: what fails is told to those who wait. */
  async #fly(flight: Flight): Promise<void> {
    try {
      // Left before it was begun.
      if (flight.over) throw new FlightAbandoned()
      if (this.#depth > DEPTH) await undefined
      const outcome = await this.#outcome(flight)
      flight.land(outcome)
    } catch (error) {
      if (!(error instanceof RevisionConflict || error instanceof FlightAbandoned)) this.failures++
      flight.fail(error)
    } finally {
      this.#starts.ended()
    }
  }

  async #outcome(flight: Flight): Promise<Outcome> {
    const { node, revision } = flight
    const good = node.goodIn === revision.id ? node.trace : undefined
    const known = revision.outcomes.get(node)?.trace ?? good
    if (known !== undefined) return (await this.#restored(node, known)) ?? this.#compute(flight)
    if (!node.sought) {
      const seeking = this.#results.seek(node)
      if (seeking !== undefined) await seeking
    }
    let trace = node.trace && (await this.#holding(flight))
    const other = trace === undefined ? this.#computing.get(node) : undefined
    if (other !== undefined && (await borrow(flight, other))) trace = await this.#holding(flight)
    if (flight.over) throw new FlightAbandoned()
    if (trace === undefined) return this.#compute(flight)
    return { trace: this.#good(node, revision, trace), held: undefined }
  }

  async #restored(node: GraphNode, trace: Trace): Promise<Outcome | undefined> {
    return this.#results.outcome(node, trace) ?? (await this.#results.restore(node, trace))
  }

  /** The node's trace if everything in it is the same, asked in the order in which it was asked for then. */
  async #holding(flight: Flight): Promise<Trace | undefined> {
    const { node, revision } = flight
    const { trace } = node
    if (trace === undefined) return undefined
    if (trace.durable && node.durableEpoch === revision.durableEpoch) return trace
    const { dependencies } = trace
    const unsure = revision.unsure.get(node)
    const held = unsure?.trace === trace ? unsure.held : 0
    // By index, as an iterator of an async function makes an object per step. Benchmark case: files "edit to answer in 10,000 files".
    for (let index = held; index < dependencies.length; index++) {
      const dependency = dependencies[index]!
      if (flight.over) return undefined
      if (dependency.node === undefined) {
        if (!revision.holds(dependency)) return undefined
        continue
      }
      const source = this.#live(dependency.node)
      let found = revision.outcomes.get(source)?.trace ?? this.#goodTrace(source, revision, 0)
      if (found === undefined) {
        try {
          found = (await this.#wait(flight, this.#flight(source, revision))).trace
        } catch {
          // Whether the failure still matters is for the query to find out.
          return undefined
        }
      }
      if (found.fingerprint !== dependency.fingerprint) return undefined
    }
    return trace
  }

  async #compute(flight: Flight): Promise<Outcome> {
    if (flight.over) throw new FlightAbandoned()
    const { node, revision } = flight
    this.computed++
    this.#computing.set(node, flight)
    const run = new QueryRun(flight, this.#queries)
    flight.stopped = () => {
      run.stop()
      if (this.#computing.get(node) === flight) this.#computing.delete(node)
    }
    try {
      const result = await run.run()
      // A query may have caught the conflict.
      if (revision.conflict !== undefined) throw new RevisionConflict(revision.conflict)
      if (flight.over) throw new FlightAbandoned()
      const before = node.trace?.fingerprint
      const trace = this.#results.keep(node, result)
      if (trace.fingerprint === before) this.cutoffs++
      node.usedAt = revision.startedAt
      node.goodIn = revision.id
      if (trace.durable) node.durableEpoch = revision.durableEpoch
      return { trace, held: { value: result.value } }
    } finally {
      flight.stopped()
      flight.stopped = undefined
    }
  }

  /** Waits for another flight of the same revision, unless that one waits for this. */
  async #wait(asker: Flight, target: Flight): Promise<Outcome> {
    if (asker.over) throw new FlightAbandoned()
    assertNoCycle(asker, target)
    let waiter = asker.asked.get(target)
    if (waiter === undefined) {
      waiter = new Waiter(target)
      asker.asked.set(target, waiter)
    }
    try {
      this.#begin(target)
      return await target.landed
    } finally {
      waiter.leave()
      asker.asked.delete(target)
    }
  }

  #live(node: GraphNode): GraphNode {
    return node.dropped ? this.#environment.node(node.query, node.key) : node
  }
}
