import { Cache } from '@millrace/cache-core'
import { memoryPressure } from '@millrace/cache-core/size'
import {
  checkFunction,
  checkOptions,
  checkPositiveOrInfinity,
  checkText,
  describeStats,
  InvalidOptionError,
  type OptionNames,
} from '@millrace/kit'
import { GraphClosedError, NestedGetError, ResultError } from '../errors.ts'
import { BestEffortStore } from '../persist/best-effort-store.ts'
import { packResult, resultFingerprint, unpackResult } from '../persist/stored-result.ts'
import { DurableInputs } from './durable-inputs.ts'
import { Evaluator } from './evaluator.ts'
import { Look } from './flight.ts'
import type { AnyQuery, GraphNode, Trace } from './graph-node.ts'
import { type GraphOptions, type GraphSettings, graphSettings } from './graph-options.ts'
import { NodeTable } from './node-table.ts'
import type { Query, QueryContext, QueryOptions } from './query.ts'
import { type RunResult, runningQuery } from './query-run.ts'
import { type BatchEnvironment, GraphRequest, RequestBatch } from './request-batch.ts'
import type { GraphOption } from './revision.ts'
import { recordOf, type TraceRecord, traceOf } from './trace-record.ts'

/** Counters of a {@link Graph}. */
export interface GraphStats {
  /** Traces held. */
  readonly nodes: number
  /** Values held. */
  readonly results: number
  /** Looks at the world. */
  readonly revisions: number
  /** Results found to be good without computing. */
  readonly verified: number
  /** Results computed. */
  readonly computed: number
  /** Of the {@link computed}, those that came out the same, so that nothing that depends on them was computed. */
  readonly cutoffs: number
  /** Queries that threw, or took too long. */
  readonly failures: number
  /** Looks begun anew because a file changed in the middle. */
  readonly conflicts: number
  /** Traces found in the store. */
  readonly storeHits: number
  /** Reads and writes of the store that failed. */
  readonly storeFailures: number
}

const QUERY_OPTIONS: OptionNames<QueryOptions<unknown>> = {
  fingerprint: true,
  version: true,
  timeout: true,
}

interface HeldValue {
  readonly trace: Trace
  readonly held: { readonly value: unknown }
}

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
 * A query that never returns stops only those who wait for it, until its `timeout`; it is aborted when the last of them leaves.
 *
 * Checking costs two steps per dependency: about 3 us for a file, a fraction of that for another query, and no `stat` where a watcher
 * vouches for the files.
 */
export class Graph implements AsyncDisposable {
  readonly #settings: GraphSettings
  readonly #store: BestEffortStore<TraceRecord> | undefined
  readonly #nodes: NodeTable
  readonly #values: Cache<string, HeldValue>
  readonly #durable: DurableInputs
  readonly #evaluator: Evaluator
  readonly #environment: BatchEnvironment
  readonly #queries = new Map<string, AnyQuery>()
  /** Replaced as a whole, as looks that run keep theirs. */
  #options: ReadonlyMap<string, GraphOption> = new Map()
  readonly #running = new Set<RequestBatch>()
  #requests: GraphRequest[] = []
  #scheduled = false
  #closed = false
  #counts = { revisions: 0, conflicts: 0, storeHits: 0 }

  /** @throws {InvalidOptionError} */
  constructor(options: GraphOptions) {
    const settings = graphSettings(options)
    const { files, store, clock } = settings
    this.#settings = settings
    this.#store = store && new BestEffortStore(store, settings)
    this.#durable = new DurableInputs(files, settings.durable)
    this.#nodes = new NodeTable(settings, () => this.#oldestInUse())
    const pressure = options.memoryPressure
    this.#values = new Cache({
      maxEntries: settings.maxResults,
      ...(pressure && { memoryPressure: memoryPressure(pressure) }),
    })
    this.#evaluator = this.#createEvaluator()
    this.#environment = {
      files,
      clock,
      evaluator: this.#evaluator,
      begin: () => this.#begin(),
      conflicted: () => this.#counts.conflicts++,
    }
    for (const [name, value] of Object.entries(options.options ?? {})) this.setOption(name, value)
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
    checkOptions('options', options, QUERY_OPTIONS as OptionNames<QueryOptions<V>>)
    if (typeof name !== 'string' || name === '' || this.#queries.has(name)) {
      throw new InvalidOptionError('name', 'a string that no other query of the graph has', name)
    }
    const { fingerprint, version, timeout = this.#settings.timeout } = options
    if (fingerprint !== undefined) checkFunction('fingerprint', fingerprint)
    if (version !== undefined) checkText('version', version)
    const query: Query<K, V> = {
      name,
      compute: checkFunction('compute', compute),
      fingerprint,
      version,
      timeout: checkPositiveOrInfinity('timeout', timeout),
    }
    this.#queries.set(name, query as unknown as AnyQuery)
    return query
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
    return this.query<P, K>(
      name,
      async (context, key) => part(await context.get(source, key)),
      options,
    )
  }

  /**
   * The result of a query for the world as it is now or a little later. Not to be called from within a query: use its context.
   *
   * @throws {NestedGetError} if a query of this graph calls it
   * @throws {CycleError} if queries ask for each other in a circle
   * @throws {UnsettledError} if files keep changing
   * @throws {QueryTimeoutError}
   * @throws {ResultError} if the result cannot be compared, or does not survive the codec
   * @throws {GraphClosedError}
   * @throws what the query throws
   */
  get<K extends string, V>(
    query: Query<K, V>,
    key: K,
    { signal }: { readonly signal?: AbortSignal | undefined } = {},
  ): Promise<V> {
    if (this.#queries.get(query?.name) !== (query as unknown as AnyQuery)) {
      return Promise.reject(new InvalidOptionError('query', 'a query of this graph', query))
    }
    if (this.#closed) return Promise.reject(new GraphClosedError())
    const nested = runningQuery(this)
    if (nested !== undefined) return Promise.reject(new NestedGetError(nested, query.name))
    if (signal?.aborted) return Promise.reject(signal.reason)
    const { promise, resolve, reject } = Promise.withResolvers<V>()
    const node = this.#nodes.node(query as unknown as AnyQuery, key)
    const request = new GraphRequest(node, value => resolve(value as V), reject)
    this.#requests.push(request)
    this.#schedule()
    if (signal === undefined) return promise
    const abort = (): void => request.leave(signal.reason)
    signal.addEventListener('abort', abort, { once: true })
    return promise.finally(() => signal.removeEventListener('abort', abort))
  }

  /** Sets an option for the looks that begin from now on. `undefined` unsets it. */
  setOption(name: string, value: unknown): void {
    const options = new Map(this.#options)
    if (value === undefined) options.delete(name)
    else options.set(name, { value, fingerprint: resultFingerprint(`option ${name}`, value) })
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
    const wanted: { readonly node: GraphNode; readonly key: string }[] = []
    for (const key of keys) {
      const node = this.#nodes.node(query as unknown as AnyQuery, key)
      const storeKey = node.sought ? undefined : this.#storeKey(node)
      if (storeKey !== undefined) wanted.push({ node, key: storeKey })
    }
    const records = (await this.#store?.getMany(wanted.map(({ key }) => key))) ?? []
    let found = 0
    for (const [index, record] of records.entries()) {
      const { node } = wanted[index]!
      if (record !== undefined && !node.sought && this.#take(node, record)) found++
      node.sought = true
    }
    return found
  }

  /** Results whose value is no longer what it was: somebody changed a value that is shared. O(size of the values held). */
  *changedValues(): Generator<{ readonly query: string; readonly key: string }> {
    for (const { node } of this.#changed()) yield { query: node.query.name, key: node.key }
  }

  /** Forgets the values that {@link changedValues} names, so that they are computed anew. Returns how many. */
  forgetChangedValues(): number {
    const changed = [...this.#changed()]
    for (const { node } of changed) {
      this.#values.delete(node.id)
      this.#nodes.drop(node)
    }
    return changed.length
  }

  stats(): GraphStats {
    const { verified, computed, cutoffs, failures } = this.#evaluator
    return {
      nodes: this.#nodes.size,
      results: this.#values.size,
      ...this.#counts,
      verified,
      computed,
      cutoffs,
      failures,
      storeFailures: this.#store?.failures ?? 0,
    }
  }

  /** Resolves when the results so far are in the store, or the store has failed. */
  async flush(): Promise<void> {
    await this.#store?.flush()
  }

  /** Ends all calls with a `GraphClosedError`, and writes what waits. The store stays open. */
  async close(): Promise<void> {
    this.#closed = true
    for (const request of this.#requests) request.leave(new GraphClosedError())
    for (const batch of this.#running) batch.close()
    this.#nodes.close()
    await this.flush()
    this.#values[Symbol.dispose]()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  /** Requests made in the same turn share a look; where many looks run, also those of the next few ms. */
  #schedule(): void {
    if (this.#scheduled) return
    this.#scheduled = true
    if (this.#running.size < CROWD) queueMicrotask(() => this.#start())
    else this.#settings.clock.setTimer(() => this.#start(), CROWD_DELAY)
  }

  #start(): void {
    this.#scheduled = false
    const requests = this.#requests.filter(({ gone }) => !gone)
    this.#requests = []
    if (requests.length === 0) return
    const batch = new RequestBatch(this.#environment, requests)
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
    return new Look({ files, durable, options, environmentKey }, clock.now())
  }

  #createEvaluator(): Evaluator {
    const { files, clock } = this.#settings
    const durable = this.#durable
    return new Evaluator(
      {
        get durableEpoch() {
          return durable.epoch
        },
        node: (query, key) => this.#nodes.node(query, key),
        seek: node => this.#seek(node),
        value: (node, trace) => this.#value(node, trace),
        restore: (node, trace) => this.#restore(node, trace),
        keep: (node, result) => this.#keep(node, result),
      },
      {
        owner: this,
        clock,
        resolve: path => files.resolve(path),
        isDurable: (kind, name) => durable.covers(kind, name),
      },
    )
  }

  #value(node: GraphNode, trace: Trace): { readonly value: unknown } | undefined {
    const kept = this.#values.get(node.id)
    return kept?.trace === trace ? kept.held : undefined
  }

  #seek(node: GraphNode): Promise<void> | undefined {
    const key = this.#storeKey(node)
    return key === undefined
      ? undefined
      : this.#store!.get(key).then(record => {
          if (record !== undefined) this.#take(node, record)
        })
  }

  /** Takes over a record of the store. Its value stays there until it is asked for. */
  #take(node: GraphNode, record: TraceRecord): boolean {
    const trace = traceOf(record, this.#settings.files.root, (name, key) => {
      const query = this.#queries.get(name)
      return query && this.#nodes.node(query, key)
    })
    if (trace === undefined) return false
    this.#counts.storeHits++
    node.trace = trace
    return true
  }

  async #restore(node: GraphNode, trace: Trace): Promise<{ readonly value: unknown } | undefined> {
    const key = this.#storeKey(node)
    const record = key === undefined ? undefined : await this.#store!.get(key)
    // Another process may have stored what came of other inputs.
    if (record?.fingerprint !== trace.fingerprint) return undefined
    const held = unpackResult(this.#settings.codec, record)
    if (held !== undefined) this.#values.set(node.id, { trace, held })
    return held
  }

  #keep(node: GraphNode, { value, dependencies, durable }: RunResult): Trace {
    const { query } = node
    const print = (result: unknown): string => fingerprintBy(query, result)
    const trace: Trace = { fingerprint: print(value), dependencies, durable }
    const key = this.#storeKey(node)
    if (key !== undefined) {
      const result = { value, fingerprint: trace.fingerprint }
      const stored = packResult(query.name, this.#settings.codec, result, print)
      this.#store!.add(key, recordOf(stored, trace, this.#settings.files.root))
    }
    node.trace = trace
    this.#values.set(node.id, { trace, held: { value } })
    return trace
  }

  #storeKey({ query, key }: GraphNode): string | undefined {
    if (this.#store === undefined || query.version === undefined) return undefined
    return JSON.stringify(['graph', query.name, query.version, key])
  }

  *#changed(): Generator<{ readonly node: GraphNode }> {
    for (const node of this.#nodes.all()) {
      const kept = this.#values.peek(node.id)
      if (kept === undefined || kept.trace !== node.trace) continue
      if (fingerprintBy(node.query, kept.held.value) !== kept.trace.fingerprint) yield { node }
    }
  }

  #oldestInUse(): number {
    let oldest = Infinity
    for (const { startedAt } of this.#running) oldest = Math.min(oldest, startedAt)
    return oldest
  }
}

describeStats<GraphStats>(Graph.prototype, {
  nodes: 'gauge',
  results: 'gauge',
  revisions: 'counter',
  verified: 'counter',
  computed: 'counter',
  cutoffs: 'counter',
  failures: 'counter',
  conflicts: 'counter',
  storeHits: 'counter',
  storeFailures: 'counter',
})

/** @throws {ResultError} */
function fingerprintBy({ name, fingerprint }: AnyQuery, value: unknown): string {
  if (fingerprint === undefined) return resultFingerprint(name, value)
  const print = fingerprint(value)
  if (typeof print !== 'string') throw new ResultError(name, 'incomparable')
  return print
}
