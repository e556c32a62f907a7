import type { Store } from '@millrace/cache-core/store'
import { InvalidOptionError, UnsettledError } from '../errors.ts'
import { BestEffortStore } from '../persist/best-effort-store.ts'
import type { FileTable } from '../table/file-table.ts'
import { Evaluator } from './evaluator.ts'
import { type AnyQuery, GraphNode } from './graph-node.ts'
import type { Query, QueryContext, QueryOptions } from './query.ts'
import { Revision } from './revision.ts'
import { recordOf, type TraceRecord, traceOf } from './trace-record.ts'

/** Options of a {@link Graph}. */
export interface GraphOptions {
  /** Where files are read; relative paths begin at its root. */
  readonly files: FileTable
  /** Where results of queries with a version outlive the process. The caller made it and closes it after `close`. Default none. */
  readonly store?: Store<TraceRecord>
  /** Results held at most, an integer >= 1; beyond, those not asked for the longest go. Default 100,000. */
  readonly maxResults?: number
  /** Told of a failure of the store, at most once until it works again. Default: not told. */
  readonly onStoreError?: (error: unknown) => void
}

/** Counters of a {@link Graph}. */
export interface GraphStats {
  /** Results held, or at least their traces. */
  readonly nodes: number
  /** Looks at the world. */
  readonly revisions: number
  /** Results found to be good without computing. */
  readonly verified: number
  /** Results computed. */
  readonly computed: number
  /** Of the {@link computed}, those that came out the same, so that nothing that depends on them was computed. */
  readonly cutoffs: number
  /** Computations that threw. */
  readonly failures: number
  /** Looks begun anew because a file changed in the middle. */
  readonly conflicts: number
  /** Traces found in the store. */
  readonly storeHits: number
  /** Reads and writes of the store that failed. */
  readonly storeFailures: number
}

interface Request {
  readonly query: AnyQuery
  readonly key: string
  readonly resolve: (value: unknown) => void
  readonly reject: (error: unknown) => void
}

/** How many consistent looks are tried before a call gives up. */
const ATTEMPTS = 5
/** How long results wait for others to be written with them, ms. */
const WRITE_DELAY = 100
/** Part of `maxResults` that eviction leaves, so that it does not run after every revision. */
const EVICTION_TARGET = 0.9

/**
 * Incremental computation over files: queries ask for files and for each other, and a result is computed again only when
 * something it asked for has changed. Where a result comes out the same as before, what depends on it stays (early cutoff).
 *
 * Every call begins with a new look at the world or joins one that has not begun, so it never returns what was true before it; all
 * inputs have one state throughout a look. Results are not shared before they are whole, errors not beyond their look.
 *
 * Checking costs one step per dependency: about 3 us for a file, a fraction of that for another query.
 */
export class Graph implements AsyncDisposable {
  readonly #files: FileTable
  readonly #store: BestEffortStore<TraceRecord> | undefined
  readonly #maxResults: number
  readonly #evaluator: Evaluator
  readonly #queries = new Map<string, AnyQuery>()
  readonly #nodes = new Map<string, GraphNode>()
  #requests: Request[] = []
  #running = false
  #revision = 0
  #counts = { revisions: 0, conflicts: 0, storeHits: 0 }

  /** @throws {InvalidOptionError} */
  constructor(options: GraphOptions) {
    const { files, store, maxResults = 100_000, onStoreError = () => undefined } = options
    if (!(Number.isInteger(maxResults) && maxResults >= 1)) {
      throw new InvalidOptionError('maxResults', 'a positive integer', maxResults)
    }
    this.#files = files
    this.#store = store && new BestEffortStore(store, WRITE_DELAY, onStoreError)
    this.#maxResults = maxResults
    this.#evaluator = new Evaluator(files, {
      node: (query, key) => this.#node(query, key),
      seek: node => this.#seek(node),
      keep: node => this.#keep(node),
    })
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
    { fingerprint, version }: QueryOptions<V> = {},
  ): Query<K, V> {
    if (typeof name !== 'string' || name === '' || this.#queries.has(name)) {
      throw new InvalidOptionError('name', 'a string that no other query of the graph has', name)
    }
    const query: Query<K, V> = { name, compute, fingerprint, version }
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
    return this.query<P, K>(
      name,
      async (context, key) => part(await context.get(source, key)),
      options,
    )
  }

  /**
   * The result of a query for the world as it is now or a little later. Not to be called from within a query: use its context.
   *
   * @throws CycleError if queries ask for each other in a circle
   * @throws UnsettledError if files keep changing
   * @throws what the query throws
   */
  get<K extends string, V>(
    query: Query<K, V>,
    key: K,
    { signal }: { signal?: AbortSignal } = {},
  ): Promise<V> {
    if (signal?.aborted) return Promise.reject(signal.reason)
    return new Promise<V>((resolve, reject) => {
      const abort = () => reject(signal!.reason)
      signal?.addEventListener('abort', abort, { once: true })
      const leave = () => signal?.removeEventListener('abort', abort)
      this.#requests.push({
        query: query as unknown as AnyQuery,
        key,
        resolve: value => {
          leave()
          resolve(value as V)
        },
        reject: error => {
          leave()
          reject(error)
        },
      })
      if (!this.#running) void this.#serve()
    })
  }

  stats(): GraphStats {
    const { verified, computed, cutoffs, failures } = this.#evaluator
    return {
      nodes: this.#nodes.size,
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

  /** Writes what waits. The store stays open. */
  close(): Promise<void> {
    return this.flush()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  /** One look after the other, each for all requests made before it begins. */
  async #serve(): Promise<void> {
    this.#running = true
    // Requests made in the same turn share a look.
    await Promise.resolve()
    while (this.#requests.length > 0) {
      const requests = this.#requests
      this.#requests = []
      await this.#answer(requests)
      this.#evict()
    }
    this.#running = false
  }

  async #answer(requests: readonly Request[]): Promise<void> {
    for (let attempt = 1; ; attempt++) {
      const revision = new Revision(++this.#revision, this.#files)
      this.#counts.revisions++
      const results = await Promise.allSettled(
        requests.map(async ({ query, key }) => {
          const node = this.#node(query, key)
          await this.#evaluator.update(node, revision)
          return node.held!.value
        }),
      )
      if (revision.conflict !== undefined) {
        this.#counts.conflicts++
        if (attempt < ATTEMPTS) continue
        const error = new UnsettledError(revision.conflict, ATTEMPTS)
        for (const { reject } of requests) reject(error)
        return
      }
      for (const [index, { resolve, reject }] of requests.entries()) {
        const result = results[index]!
        if (result.status === 'fulfilled') resolve(result.value)
        else reject(result.reason)
      }
      return
    }
  }

  #node(query: AnyQuery, key: string): GraphNode {
    const id = JSON.stringify([query.name, key])
    let node = this.#nodes.get(id)
    if (node === undefined) {
      node = new GraphNode(query, key)
      this.#nodes.set(id, node)
    }
    return node
  }

  async #seek(node: GraphNode): Promise<void> {
    const key = this.#storeKey(node)
    const record = key === undefined ? undefined : await this.#store!.get(key)
    if (record === undefined) return
    const trace = traceOf(record, this.#files.root, (name, key) => {
      const query = this.#queries.get(name)
      return query && this.#node(query, key)
    })
    if (trace === undefined) return
    this.#counts.storeHits++
    node.trace = trace
    node.fingerprint = record.fingerprint
    node.held = { value: record.value }
  }

  #keep(node: GraphNode): void {
    const key = this.#storeKey(node)
    if (key !== undefined) this.#store!.add(key, recordOf(node, this.#files.root))
  }

  #storeKey({ query, key }: GraphNode): string | undefined {
    if (this.#store === undefined || query.version === undefined) return undefined
    return JSON.stringify(['graph', query.name, query.version, key])
  }

  #evict(): void {
    if (this.#nodes.size <= this.#maxResults) return
    const oldest = [...this.#nodes].sort(([, a], [, b]) => a.checked - b.checked)
    const surplus = this.#nodes.size - Math.floor(this.#maxResults * EVICTION_TARGET)
    for (const [id, node] of oldest.slice(0, surplus)) {
      node.dropped = true
      node.held = undefined
      this.#nodes.delete(id)
    }
  }
}
