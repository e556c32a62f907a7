import {
  checkFunction,
  checkText,
  counters,
  describeStats,
  gauges,
  setAwaitedTimer,
} from '@millrace/kit'
import { type CallOptions, callSignal, checkIterable } from '../call-options.ts'
import { ContextEndedError, GraphClosedError, NestedGetError } from '../errors.ts'
import { resultFingerprint } from '../persist/stored-result.ts'
import { DeclaredQueries } from './declared-queries.ts'
import { Evaluator } from './evaluate/evaluator.ts'
import { Look } from './evaluate/flight.ts'
import { type QueryRun, runningQuery } from './evaluate/query-run.ts'
import { rejected } from './evaluate/rejected.ts'
import { GraphRequest, RequestBatch } from './evaluate/request-batch.ts'
import { type GraphOptions, type GraphSettings, graphSettings } from './graph-options.ts'
import type { GraphStats } from './graph-stats.ts'
import { DurableInputs } from './inputs/durable-inputs.ts'
import { underKey } from './inputs/input-kinds.ts'
import type { GraphOption } from './inputs/world.ts'
import { checkKey, type Query, type QueryContext, type QueryOptions } from './query.ts'
import type { AnyQuery, GraphNode, Part } from './trace/graph-node.ts'
import { KeptResults } from './trace/kept-results.ts'
import { NodeTable } from './trace/node-table.ts'

/** Looks that run at once before a call waits to share one. */
const CROWD = 4
/** ms for which it then waits at most, as what runs may never end. */
const CROWD_DELAY = 50

/**
 * Incremental computation over files: queries ask for files and for each other, and a result is computed again only when
 * something it asked for has changed. Where a result comes out the same as before, what depends on it stays (early cutoff).
 *
 * Every call begins with a new look at the world or joins one that has not begun, so it never returns what was true before it. All inputs
 * of an answer had their states at one moment: what a look read is looked at once more before it answers, and the look is taken anew, up to
 * five times, where something moved. Results are not shared before they are whole, errors not beyond their look.
 *
 * A query that never returns stops only the calls that wait for it, until its `timeout`; it is aborted when the last of them leaves.
 *
 * Checking costs a look-up per dependency, and for a file two `stat`s, or none where a watcher vouches for it.
 */
export class Graph implements AsyncDisposable {
  readonly #settings: GraphSettings
  readonly #nodes: NodeTable
  readonly #results: KeptResults
  readonly #durable: DurableInputs
  readonly #evaluator: Evaluator
  readonly #queries: DeclaredQueries
  /** Replaced as a whole, as looks that run keep theirs. */
  #options: ReadonlyMap<string, GraphOption> = new Map()
  readonly #running = new Set<RequestBatch>()
  readonly #expected = { vouched: 0 }
  #requests: GraphRequest[] = []
  #scheduled = false
  #closed = false
  #counts = { revisions: 0, conflicts: 0 }

  /** @throws {InvalidOptionError} */
  constructor(options: GraphOptions) {
    const settings = graphSettings(options)
    const { files, clock } = settings
    this.#settings = settings
    this.#queries = new DeclaredQueries(settings.timeout)
    const durable = new DurableInputs(files, settings.durable)
    this.#durable = durable
    this.#nodes = new NodeTable({ ...settings, dropped: node => this.#results.forget(node) }, () =>
      this.#oldestInUse(),
    )
    this.#results = new KeptResults({
      ...settings,
      root: files.root,
      durable,
      peek: (query, key) => this.#nodes.peek(query, key),
      find: (name, key) => {
        const query = this.#queries.find(name)
        return query && this.#nodes.node(query, key)
      },
    })
    this.#evaluator = new Evaluator({
      owner: this,
      clock,
      results: this.#results,
      durable,
      node: (query, key) => this.#nodes.node(query, key),
      resolve: path => files.resolve(path),
    })
    for (const [name, value] of Object.entries(settings.options)) this.setOption(name, value)
  }

  /** Whether `close` was called. */
  get closed(): boolean {
    return this.#closed
  }

  /**
   * Declares a query. `compute` must depend on nothing but its key and what it asks its context for.
   *
   * @param name unique in the graph
   * @throws {InvalidOptionError} if there is one of this name
   */
  query<V, K extends string = string>(
    name: string,
    compute: (context: QueryContext, key: K) => V | Promise<V>,
    options: QueryOptions<V> = {},
  ): Query<K, V> {
    return this.#declare(name, compute, options, undefined)
  }

  /**
   * A query for part of another one's result: what asks for it depends on that part only. For example the exports of a file, while
   * its syntax tree changes with every edit.
   */
  select<V, P, K extends string = string>(
    source: Query<K, V>,
    name: string,
    part: (value: V) => P,
    options: QueryOptions<P> = {},
  ): Query<K, P> {
    checkFunction('part', part)
    this.#queries.assertOwn(source)
    return this.#declare<P, K>(
      name,
      async (context, key) => part(await context.get(source, key)),
      options,
      { source: source as unknown as AnyQuery, of: part },
    )
  }

  /**
   * The result of a query for the world as it is now or a little later. Not to be called from within a query: use its context. A query of
   * another graph may call it; the call ends with that query where that is cancelled.
   *
   * @throws {NestedGetError} if a query of this graph calls it, itself or through queries of other graphs
   * @throws {ContextEndedError} if a query calls it whose time is over, or for which no call waits any more
   * @throws {CycleError} if queries ask for each other in a circle
   * @throws {UnsettledError} if files keep changing
   * @throws {QueryTimeoutError}
   * @throws {ResultError} if the result cannot be compared, or does not survive the codec
   * @throws {GraphClosedError}
   * @throws what the query throws
   */
  get<K extends string, V>(query: Query<K, V>, key: K, options?: CallOptions): Promise<V> {
    let signal: AbortSignal | undefined
    try {
      this.#queries.assertOwn(query)
      checkKey(key)
      signal = callSignal(options)
    } catch (error) {
      return Promise.reject(error)
    }
    const run = runningQuery()
    const caller = run?.ended ? undefined : run
    const refusal = this.#refusal(run, query.name)
    if (refusal !== undefined) return run ? rejected(refusal) : Promise.reject(refusal)
    if (signal?.aborted) return Promise.reject(signal.reason)
    const { promise, resolve, reject } = Promise.withResolvers<V>()
    // A query that is cancelled, or fails, need not wait for the end of its calls, which are told to it all the same.
    if (caller !== undefined) promise.catch(() => undefined)
    const node = this.#nodes.node(query as unknown as AnyQuery, key)
    const request = new GraphRequest(node, value => resolve(value as V), reject, caller)
    this.#requests.push(request)
    this.#schedule()
    if (signal === undefined) return promise
    const abort = (): void => request.leave(signal.reason)
    signal.addEventListener('abort', abort, { once: true })
    return promise.finally(() => signal.removeEventListener('abort', abort))
  }

  /**
   * Sets an option. `undefined` unsets it. Looks that asked for it and have not answered are taken anew, as where a file changes.
   *
   * @throws {InvalidOptionError} for a name that is no text
   * @throws {ResultError} for a value that cannot be told from another one
   */
  setOption(name: string, value: unknown): void {
    checkText('name', name)
    const options = new Map(this.#options)
    if (value === undefined) options.delete(name)
    else {
      const own = resultFingerprint(`option ${name}`, value)
      options.set(name, { value, fingerprint: underKey(own, this.#settings.environmentKey) })
    }
    this.#options = options
  }

  /** Says that anything in durable folders may have changed, whatever their markers say. */
  invalidateDurable(): void {
    this.#durable.invalidate()
  }

  /**
   * Looks up in the store, together, what calls of these keys would look up one by one: for a warm start.
   *
   * @returns how many traces were found
   */
  async preload<V, K extends string>(
    query: Query<K, V>,
    keys: Iterable<NoInfer<K>>,
  ): Promise<number> {
    this.#queries.assertOwn(query)
    this.#durable.check()
    const nodes = this.#nodes
    return await this.#results.seekMany(
      Iterator.from(checkIterable('keys', keys)).map(key =>
        nodes.node(query as unknown as AnyQuery, checkKey(key)),
      ),
    )
  }

  /** Results whose value is no longer what it was, as a value that is shared was changed. O(size of the values held). */
  *changedValues(): Generator<{ readonly query: string; readonly key: string }> {
    for (const { query, key } of this.#changed()) yield { query: query.name, key }
  }

  /** Forgets the values that {@link changedValues} names, so that they are computed anew. Returns how many. */
  forgetChangedValues(): number {
    const changed = [...this.#changed()]
    for (const node of changed) {
      this.#results.forget(node)
      this.#nodes.drop(node)
    }
    return changed.length
  }

  stats(): GraphStats {
    const { verified, computed, cutoffs, failures } = this.#evaluator
    const { size, storeHits, storeFailures } = this.#results
    return {
      nodes: this.#nodes.size,
      results: size,
      ...this.#counts,
      verified,
      computed,
      cutoffs,
      failures,
      storeHits,
      storeFailures,
    }
  }

  /** Resolves when the results so far are in the store, or the store has failed. */
  flush(): Promise<void> {
    return this.#results.flush()
  }

  /** Ends all calls with a `GraphClosedError`, and writes what waits. The store stays open. */
  async close(): Promise<void> {
    this.#closed = true
    for (const request of this.#requests) request.leave(new GraphClosedError())
    for (const batch of this.#running) batch.close()
    this.#nodes.close()
    await this.flush()
    this.#results.close()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  /** Why a call that comes from a run, or from outside of every query, is not taken. */
  #refusal(run: QueryRun | undefined, asked: string): Error | undefined {
    if (this.#closed) return new GraphClosedError()
    if (run?.cancelled) return new ContextEndedError(run.name)
    if (run === undefined || run.ended) return undefined
    const nested = run.owner === this ? run.name : this.#evaluator.waitingFor(run.flight)
    return nested === undefined ? undefined : new NestedGetError(nested, asked)
  }

  /** Requests made in the same turn share a look; where many looks run, also those of the next few ms. */
  #schedule(): void {
    if (this.#scheduled) return
    this.#scheduled = true
    if (this.#running.size < CROWD) queueMicrotask(() => this.#start())
    else setAwaitedTimer(this.#settings.clock, () => this.#start(), CROWD_DELAY)
  }

  #start(): void {
    this.#scheduled = false
    const requests = this.#requests.filter(({ gone }) => !gone)
    this.#requests = []
    if (requests.length === 0) return
    const { files, clock } = this.#settings
    const environment = {
      files,
      clock,
      evaluator: this.#evaluator,
      begin: () => this.#begin(),
      conflicted: () => this.#counts.conflicts++,
    }
    const batch = new RequestBatch(environment, requests)
    this.#running.add(batch)
    void batch.run().then(() => {
      this.#running.delete(batch)
      this.#nodes.evict()
    })
  }

  #begin(): Look {
    this.#counts.revisions++
    this.#durable.check()
    const { files, clock, environmentKey } = this.#settings
    const options = this.#options
    const durable = this.#durable
    const expected = this.#expected
    const currentOptions = () => this.#options
    const world = { files, durable, options, currentOptions, environmentKey, expected }
    return new Look(world, clock.now())
  }

  #declare<V, K extends string>(
    name: string,
    compute: (context: QueryContext, key: K) => V | Promise<V>,
    options: QueryOptions<V>,
    part: Part | undefined,
  ): Query<K, V> {
    const query = this.#queries.declare(name, compute, options, part)
    this.#nodes.declare(query as unknown as AnyQuery)
    this.#results.declare(query as unknown as AnyQuery)
    return query
  }

  *#changed(): Generator<GraphNode> {
    for (const node of this.#nodes.all()) if (this.#results.isChanged(node)) yield node
  }

  #oldestInUse(): number {
    let oldest = Infinity
    for (const { startedAt } of this.#running) oldest = Math.min(oldest, startedAt)
    return oldest
  }
}

describeStats<GraphStats>(Graph.prototype, {
  ...gauges('nodes', 'results'),
  ...counters('revisions', 'verified', 'computed', 'cutoffs', 'failures', 'conflicts'),
  ...counters('storeHits', 'storeFailures'),
})
