import { Cache } from '@millrace/cache-core'
import type { MemoryPressureFactory } from '@millrace/cache-core/size'
import type { Codec, Store } from '@millrace/cache-core/store'
import { ResultError } from '../../errors.ts'
import { type BestEffortOptions, BestEffortStore } from '../../persist/best-effort-store.ts'
import {
  type EncodedResult,
  encodeResult,
  hasFingerprint,
  resultFingerprint,
  type StoredResult,
  storedResult,
  unpackResult,
} from '../../persist/stored-result.ts'
import { underKey } from '../inputs/input-kinds.ts'
import type { AnyQuery, Dependency, GraphNode, HeldValue, Outcome, Trace } from './graph-node.ts'
import { partFingerprint, partOf, partSource, storedSource } from './stored-parts.ts'
import { recordOf, type TraceRecord, traceOf } from './trace-record.ts'

/** Where and how {@link KeptResults} keeps. */
export interface ResultKeeping extends BestEffortOptions {
  /** Absolute: paths below it are stored relative to it. */
  readonly root: string
  readonly durable: { readonly identity: string }
  readonly store: Store<TraceRecord> | undefined
  readonly codec: Codec<unknown>
  /** Secret under which fingerprints are kept; empty for none. */
  readonly environmentKey: string
  /** Values held in memory. */
  readonly maxResults: number
  readonly memoryPressure: MemoryPressureFactory | undefined
  /** The node of a query by its name, made if there is none; `undefined` if there is no such query. */
  find(query: string, key: string): GraphNode | undefined
  /** The node of a query, if there is one. */
  peek(query: AnyQuery, key: string): GraphNode | undefined
}

/** A value as it came from the query or, not decoded yet, from the store. */
interface KeptValue extends Outcome {
  held: HeldValue | undefined
  record: StoredResult | undefined
}

/** What a query came to. */
export interface ComputedResult {
  readonly value: unknown
  readonly dependencies: readonly Dependency[]
  readonly durable: boolean
}

/**
 * Results of a graph: values in memory for as long as there is room, and, of queries with a version, records in a store. A part of another
 * query's result has no record of its own: its fingerprint lies in that of the source, and its value is taken from there.
 */
export class KeptResults {
  readonly #keeping: ResultKeeping
  readonly #store: BestEffortStore<TraceRecord> | undefined
  readonly #values: Cache<number, KeptValue>
  /** The stored parts of each query. */
  readonly #parts = new Map<AnyQuery, AnyQuery[]>()
  readonly #seeking = new Map<GraphNode, Promise<void>>()
  /** Traces found in the store. */
  storeHits = 0

  constructor(keeping: ResultKeeping) {
    const { store, maxResults, memoryPressure } = keeping
    this.#keeping = keeping
    this.#store = store && new BestEffortStore(store, keeping)
    this.#values = new Cache({
      maxEntries: maxResults,
      ...(memoryPressure && { memoryPressure }),
    })
  }

  /** Values in memory. */
  get size(): number {
    return this.#values.size
  }

  /** Reads and writes of the store that failed. */
  get storeFailures(): number {
    return this.#store?.failures ?? 0
  }

  /** Makes a query known. */
  declare(query: AnyQuery): void {
    const source = storedSource(query)
    if (source === undefined) return
    const parts = this.#parts.get(source)
    if (parts === undefined) this.#parts.set(source, [query])
    else parts.push(query)
  }

  /** A trace with its value, if that is in memory. */
  outcome(node: GraphNode, trace: Trace): Outcome | undefined {
    const kept = this.#values.get(node.id)
    if (kept?.trace !== trace) return this.#partOutcome(node, trace)
    if (kept.record === undefined) return kept
    const held = this.#unpacked(node, kept.record)
    if (held === undefined) {
      this.#values.delete(node.id)
      return undefined
    }
    // In its place, as another one would have to be found a place for. Benchmark case: files "warm start of an analysis".
    kept.held = held
    kept.record = undefined
    return kept
  }

  /** Fills in a node's trace from the store, if it is there; `undefined` if it cannot be. Call it once per node. */
  seek(node: GraphNode): Promise<void> | undefined {
    node.sought = true
    const source = this.#recorded(node)
    const key = source && this.#storeKey(source)
    if (key === undefined) return undefined
    if (source !== node && source!.sought) return this.#seeking.get(source!)
    source!.sought = true
    const seeking = this.#store!.get(key).then(record => {
      this.#seeking.delete(source!)
      if (record !== undefined) this.#take(source!, record)
    })
    this.#seeking.set(source!, seeking)
    return seeking
  }

  /** {@link seek} for many nodes together. Returns how many records were found. */
  async seekMany(nodes: Iterable<GraphNode>): Promise<number> {
    const wanted: { readonly node: GraphNode; readonly key: string }[] = []
    for (const asked of nodes) {
      const node = this.#recorded(asked)
      const key = node === undefined || node.sought ? undefined : this.#storeKey(node)
      if (key !== undefined) wanted.push({ node: node!, key })
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

  /** A trace with its value from the store. */
  async restore(node: GraphNode, trace: Trace): Promise<Outcome | undefined> {
    const source = partSource(node, trace.dependencies)
    if (source !== undefined) {
      if (source.trace !== undefined) await this.restore(source, source.trace)
      return this.#partOutcome(node, trace)
    }
    const key = this.#storeKey(node)
    const record = key === undefined ? undefined : await this.#store!.get(key)
    // Another process may have stored what came of other inputs.
    if (record?.fingerprint !== trace.fingerprint) return undefined
    const held = this.#unpacked(node, record)
    return held && this.#hold(node, trace, held)
  }

  /**
   * Keeps a new result, and returns its trace, which is the node's from then on.
   *
   * @throws {ResultError}
   */
  keep(node: GraphNode, { value, dependencies, durable }: ComputedResult): Trace {
    const { query } = node
    const source = partSource(node, dependencies)
    const key = source === undefined ? this.#storeKey(node) : undefined
    let trace: Trace
    if (key === undefined) {
      trace = { fingerprint: this.#keyed(fingerprintBy(query, value)), dependencies, durable }
      node.trace = trace
      if (source !== undefined) this.#rewrite(source)
    } else {
      const { encoded, ...result } = this.#encoded(node, value)
      const fingerprint = this.#keyed(result.fingerprint)
      trace = { fingerprint, dependencies, durable }
      node.trace = trace
      this.#store!.add(key, () =>
        this.#recordOf(node, trace, storedResult({ fingerprint, encoded })),
      )
    }
    this.#hold(node, trace, { value })
    return trace
  }

  /** Whether the value held of a node is no longer what it was, as a value that is shared was changed. */
  isChanged(node: GraphNode): boolean {
    const kept = this.#values.peek(node.id)
    if (kept?.held === undefined || kept.trace !== node.trace) return false
    return !hasFingerprint(kept.held.value, kept.trace.fingerprint, this.#print(node))
  }

  /** Forgets the value held of a node. */
  forget(node: GraphNode): void {
    this.#values.delete(node.id)
  }

  /** Resolves when the results so far are in the store, or the store has failed. */
  async flush(): Promise<void> {
    await this.#store?.flush()
  }

  /** Drops the values. */
  close(): void {
    this.#values[Symbol.dispose]()
  }

  #unpacked(node: GraphNode, record: StoredResult): HeldValue | undefined {
    return unpackResult(this.#keeping.codec, record, this.#print(node))
  }

  /** The fingerprints of a node's results. */
  #print({ query }: GraphNode): (value: unknown) => string {
    return value => this.#keyed(fingerprintBy(query, value))
  }

  /** As others that depend on the result store it: results that are not stored may be made of a variable. */
  #keyed(fingerprint: string): string {
    return underKey(fingerprint, this.#keeping.environmentKey)
  }

  #hold(node: GraphNode, trace: Trace, held: HeldValue): KeptValue {
    const kept = { trace, held, record: undefined }
    this.#values.set(node.id, kept)
    return kept
  }

  /** The value of a part, if that of its source is in memory. */
  #partOutcome(node: GraphNode, trace: Trace): Outcome | undefined {
    const source = partSource(node, trace.dependencies)
    if (source?.trace?.fingerprint !== trace.dependencies[0]?.fingerprint) return undefined
    const whole = source?.trace && this.outcome(source, source.trace)?.held
    const held = whole && partOf(node.query.part!, whole.value)
    return held && this.#hold(node, trace, held)
  }

  /** The node in whose record what is stored of a node lies. */
  #recorded(node: GraphNode): GraphNode | undefined {
    const source = storedSource(node.query)
    return source === undefined ? node : this.#keeping.find(source.name, node.key)
  }

  #storeKey({ query, key }: GraphNode): string | undefined {
    const { version } = query
    if (this.#store === undefined || version === undefined) return undefined
    if (storedSource(query) !== undefined) return undefined
    return JSON.stringify(['graph', query.name, version, key])
  }

  /**
   * Writes a record once more, as it has got a part. One that waits to be written gets it by itself; one whose value is no longer what it was,
   * as a user changed it, stays as it is.
   */
  #rewrite(node: GraphNode): void {
    const key = this.#storeKey(node)
    const kept = this.#values.peek(node.id)
    if (key === undefined || kept?.held === undefined || kept.trace !== node.trace) return
    if (this.#store!.isPending(key)) return
    const { trace, held } = kept
    const encoded = this.#encodedAgain(node, held.value)
    if (encoded === undefined) return
    const stored = storedResult({ fingerprint: trace.fingerprint, encoded })
    this.#store!.add(key, () => this.#recordOf(node, trace, stored))
  }

  /** `undefined` if it is not what it was. Now, not when it is written: it may be changed meanwhile. */
  #encodedAgain(node: GraphNode, value: unknown): Uint8Array | undefined {
    try {
      const { fingerprint, encoded } = this.#encoded(node, value)
      return this.#keyed(fingerprint) === node.trace?.fingerprint ? encoded : undefined
    } catch {
      // What cannot even be encoded any more is another one.
      return undefined
    }
  }

  /** @throws {ResultError} */
  #encoded({ query }: GraphNode, value: unknown): EncodedResult {
    const own = query.fingerprint && ((result: unknown) => fingerprintBy(query, result))
    return encodeResult(query.name, this.#keeping.codec, value, own)
  }

  #recordOf(node: GraphNode, trace: Trace, stored: StoredResult): TraceRecord {
    const parts: string[][] = []
    for (const query of this.#parts.get(node.query) ?? []) {
      const part = this.#keeping.peek(query, node.key)?.trace
      if (part?.dependencies[0]?.fingerprint !== trace.fingerprint) continue
      parts.push([query.name, query.version!, part.fingerprint])
    }
    return recordOf(stored, { trace, key: node.key, parts }, this.#keeping)
  }

  /** Takes over a record of the store. Its value is decoded when it is asked for. */
  #take(node: GraphNode, record: TraceRecord): boolean {
    const { find } = this.#keeping
    const trace = traceOf(record, this.#keeping)
    if (trace === undefined) return false
    this.storeHits++
    node.trace = trace
    const { fingerprint: whole, value } = record
    this.#values.set(node.id, { trace, held: undefined, record: { fingerprint: whole, value } })
    for (const query of this.#parts.get(node.query) ?? []) {
      const fingerprint = partFingerprint(record, query)
      const part = fingerprint === undefined ? undefined : find(query.name, node.key)
      if (fingerprint === undefined || part === undefined || part.trace !== undefined) continue
      part.sought = true
      part.trace = {
        fingerprint,
        dependencies: [{ node, fingerprint: trace.fingerprint }],
        durable: trace.durable,
      }
    }
    return true
  }
}

/** @throws {ResultError} */
function fingerprintBy({ name, fingerprint }: AnyQuery, value: unknown): string {
  if (fingerprint === undefined) return resultFingerprint(name, value)
  const print = fingerprint(value)
  if (typeof print !== 'string') throw new ResultError(name, 'incomparable')
  return print
}
