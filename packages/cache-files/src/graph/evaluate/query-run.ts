import { AsyncLocalStorage } from 'node:async_hooks'
import { setImmediate as immediate } from 'node:timers/promises'
import { checkList, checkText, isThenable } from '@millrace/kit'
import { ContextEndedError, FileReadError } from '../../errors.ts'
import type { PathKind } from '../../table/paths/path-kind.ts'
import type { FileContent } from '../../table/read/file-content.ts'
import { globName } from '../inputs/glob.ts'
import { type InputKind, listFingerprint, namesFingerprint } from '../inputs/input-kinds.ts'
import type { Query, QueryContext } from '../query.ts'
import type { Dependency, GraphNode, HeldValue, Outcome, Part } from '../trace/graph-node.ts'
import type { ComputedResult } from '../trace/kept-results.ts'
import { type Flight, FlightAbandoned, type OutsideCall } from './flight.ts'
import { OpenAnswers } from './open-answers.ts'
import type { QueryEnvironment } from './query-environment.ts'
import { QueryTime } from './query-time.ts'
import { rejected } from './rejected.ts'

/** Answers without waiting that a query gets in one turn of the event loop. */
const ANSWERS_PER_TURN = 1_000
/** Keys for which `getMany` waits at once: of thousands, what each holds while it waits would survive the collections of young garbage. */
const KEYS_AT_ONCE = 64

const running = new AsyncLocalStorage<QueryRun>()
let runs = 0

/** The run of a query, of whichever graph, from which this code comes; it may have ended. */
export function runningQuery(): QueryRun | undefined {
  return running.getStore()
}

/** One computation of a node: the context handed to the query, which writes down what is asked for, in order. */
export class QueryRun implements QueryContext {
  readonly #flight: Flight
  readonly #environment: QueryEnvironment
  /** In order of asking; a hole until the answer is there. As long as for the run before, until it ends. */
  readonly #trace: (Dependency | undefined)[]
  #length = 0
  /** What the run before asked for. */
  readonly #before: readonly Dependency[] | undefined
  readonly #id = ++runs
  /** Places in the trace of inputs, by kind and name; those of nodes stand in the nodes. */
  readonly #asked = new Map<string, number>()
  #open: OpenAnswers | undefined
  /** Answers given without waiting. */
  #answered = 0
  readonly #time: QueryTime
  #durable = true
  ended = false

  constructor(flight: Flight, environment: QueryEnvironment) {
    this.#flight = flight
    this.#before = flight.node.trace?.dependencies
    this.#trace = new Array(this.#before?.length ?? 0)
    this.#environment = environment
    this.#time = new QueryTime(flight.node.query, environment.clock, environment.timers)
  }

  get flight(): Flight {
    return this.#flight
  }

  get owner(): object {
    return this.#environment.owner
  }

  /** Whether nobody waits for the result any more, or its time is over: what it begins would be for nobody. */
  get cancelled(): boolean {
    return this.#flight.abandoned || this.#time.expired
  }

  get name(): string {
    return this.#flight.node.query.name
  }

  get signal(): AbortSignal {
    return this.#flight.signal
  }

  /**
   * Runs the query. A result also waits for what was asked for and not waited for, as that is part of its trace.
   *
   * @throws {QueryTimeoutError}
   * @throws what the query throws
   */
  async run(): Promise<ComputedResult> {
    const { query, key } = this.#flight.node
    const { part } = query
    try {
      const whole = part && (await this.#sourceOf(part, key))
      const result = running.run(this, () =>
        whole ? part!.of(whole.value as never) : query.compute(this, key),
      )
      const pending = isThenable(result) || this.#open !== undefined
      const value = pending ? await this.#time.bound(this.#whole(result)) : result
      this.#trace.length = this.#length
      return { value, dependencies: this.#trace as Dependency[], durable: this.#durable }
    } finally {
      this.stop()
    }
  }

  /** Notes a call of another graph, which ends with the query if that is cancelled. Returns what to call when it is over. */
  calls(call: OutsideCall): () => void {
    const flight = this.#flight
    const { calling } = this.#environment
    flight.outside ??= new Set()
    const { outside } = flight
    outside.add(call)
    calling.add(flight)
    return () => {
      outside.delete(call)
      if (outside.size === 0) calling.delete(flight)
    }
  }

  /** From now on nothing can be asked for. */
  stop(): void {
    this.ended = true
    this.#time.stop()
  }

  get<K extends string, V>(query: Query<K, V>, key: K): Promise<V> {
    const answer = this.#ask(query as unknown as Query<string, unknown>, key)
    return (answer instanceof Promise ? answer : this.#soon(answer.value)) as Promise<V>
  }

  async getMany<K extends string, V>(
    query: Query<K, V>,
    keys: readonly NoInfer<K>[],
  ): Promise<V[]> {
    const { length } = checkList('keys', keys)
    const values: unknown[] = new Array(length)
    let next = 0
    // A promise only for what is not at hand. Benchmark case: files "edit to answer in 10,000 files".
    const take = async (): Promise<void> => {
      while (next < length) {
        const at = next++
        const answer = this.#ask(query as unknown as Query<string, unknown>, keys[at]!)
        values[at] = answer instanceof Promise ? await answer : answer.value
      }
    }
    const takers: Promise<void>[] = []
    while (next < length && takers.length < KEYS_AT_ONCE) takers.push(take())
    try {
      await Promise.all(takers)
    } finally {
      next = length
    }
    return this.#soon(values as V[])
  }

  read(path: string): Promise<FileContent> {
    const full = this.#environment.resolve(path)
    const index = this.#reserve(`file:${full}`)
    try {
      const content = this.#flight.revision.readNow(full)
      if (content !== undefined) {
        this.#fill(index, 'file', full, content.hash)
        return this.#soon(content)
      }
    } catch (error) {
      return this.#unreadable(index, full, error)
    }
    return this.#tracked(this.#readSoon(index, full))
  }

  async #readSoon(index: number, path: string): Promise<FileContent> {
    try {
      const content = await this.#flight.revision.read(path)
      this.#fill(index, 'file', path, content.hash)
      return content
    } catch (error) {
      return await this.#unreadable(index, path, error)
    }
  }

  kind(path: string): PathKind {
    return this.#look('kind', this.#environment.resolve(path)) as PathKind
  }

  list(path: string): readonly string[] | undefined {
    const full = this.#environment.resolve(path)
    return this.#listed(
      'list',
      full,
      () => this.#flight.revision.surroundings.list(full),
      listFingerprint,
    ).names
  }

  glob(pattern: string): readonly string[] {
    const { revision } = this.#flight
    const name = globName(checkText('pattern', pattern))
    return this.#listed('glob', name, () => revision.surroundings.glob(name), namesFingerprint)
  }

  realPath(path: string): string | undefined {
    return this.#look('realPath', this.#environment.resolve(path)) || undefined
  }

  env(name: string): string | undefined {
    this.#look('env', checkText('name', name))
    return this.#flight.revision.surroundings.env(name)
  }

  option(name: string): unknown {
    this.#look('option', checkText('name', name))
    return this.#flight.revision.surroundings.option(name)
  }

  untracked(): void {
    this.#fill(this.#reserve('untracked'), 'untracked', '', 'always')
  }

  /** A result in its box if it is at hand, or else the promise of one. Without closures, whose variables would cost each call. */
  #ask(query: Query<string, unknown>, key: string): HeldValue | Promise<unknown> {
    let node: GraphNode
    try {
      node = this.#askedBefore(query, key) ?? this.#environment.node(query, key)
    } catch (error) {
      return this.#failed(this.#reserve('refused'), 'refused', error)
    }
    const index = this.#reserveNode(node)
    try {
      const outcome = this.#environment.ready(this.#flight, node)
      if (outcome !== undefined) return this.#found(index, node, outcome)
    } catch (error) {
      return this.#failed(index, query.name, error)
    }
    return this.#tracked(this.#await(index, node))
  }

  /**
   * The node, if the run before asked for it at the same place, as most do: found without a table. Benchmark case: files "edit to answer in
   * 10,000 files".
   */
  #askedBefore(query: Query<string, unknown>, key: string): GraphNode | undefined {
    const node = this.#before?.[this.#length]?.node
    const same = node !== undefined && node.query === query && node.key === key
    return same && !node.dropped ? node : undefined
  }

  async #await(index: number, node: GraphNode): Promise<unknown> {
    this.#time.pause()
    try {
      return this.#found(index, node, await this.#environment.ask(this.#flight, node)).value
    } catch (error) {
      return await this.#failed(index, node.query.name, error)
    } finally {
      this.#time.resume()
    }
  }

  /**
   * What a part is taken from: without the promises of a context, as it is known what is asked for. Benchmark case: files "cold run of an
   * analysis".
   */
  async #sourceOf({ source }: Part, key: string): Promise<HeldValue> {
    const node = this.#environment.node(source, key)
    const index = this.#reserveNode(node)
    const outcome =
      this.#environment.ready(this.#flight, node) ??
      (await this.#environment.ask(this.#flight, node))
    this.#assertOpen()
    return this.#found(index, node, outcome)
  }

  /** Looks at an input whose fingerprint says all of it, or is not for the query. */
  #look(kind: InputKind, name: string): string {
    const index = this.#reserve(`${kind}:${name}`)
    const fingerprint = this.#flight.revision.fingerprint(kind, name)
    this.#fill(index, kind, name, fingerprint)
    return fingerprint
  }

  /** The place in the trace of something that is asked for now, the same one if it was asked for before. */
  #reserve(id: string): number {
    this.#assertOpen()
    const known = this.#asked.get(id)
    if (known !== undefined) return known
    this.#asked.set(id, this.#length)
    return this.#length++
  }

  /** {@link #reserve} for a node: another place if another run asked for it in between, which makes the trace longer, not wrong. */
  #reserveNode(node: GraphNode): number {
    this.#assertOpen()
    if (node.askedBy === this.#id) return node.askedAt
    node.askedBy = this.#id
    node.askedAt = this.#length++
    return node.askedAt
  }

  #assertOpen(): void {
    if (this.#flight.abandoned) throw new FlightAbandoned()
    if (this.ended) throw new ContextEndedError(this.name)
  }

  #fill(index: number, kind: InputKind, name: string, fingerprint: string): void {
    this.#trace[index] = { node: undefined, kind, name, fingerprint, known: undefined }
    this.#durable &&= this.#environment.isDurable(kind, name)
  }

  /** An answer that need not be waited for. Now and then it is, so that a query that asks without end can be timed out. */
  #soon<T>(answer: T): Promise<T> {
    if (++this.#answered % ANSWERS_PER_TURN !== 0) return Promise.resolve(answer)
    return immediate(answer)
  }

  #found(index: number, node: GraphNode, { trace, held }: Outcome): HeldValue {
    this.#durable &&= trace.durable
    this.#trace[index] = node.seenAs(trace.fingerprint)
    return held!
  }

  /** A query may succeed next time without any input having changed. */
  #failed(index: number, name: string, error: unknown): Promise<never> {
    this.#fill(index, 'untracked', name, 'failed')
    return rejected(error)
  }

  /** What folders have; a query may go on without what cannot be told. */
  #listed<T>(kind: InputKind, name: string, look: () => T, print: (found: T) => string): T {
    const index = this.#reserve(`${kind}:${name}`)
    try {
      const found = look()
      this.#fill(index, kind, name, print(found))
      return found
    } catch (error) {
      this.#fill(index, 'untracked', name, 'failed')
      throw error
    }
  }

  #unreadable(index: number, path: string, error: unknown): Promise<never> {
    const known = error instanceof FileReadError && error.reason !== 'failed'
    if (known) this.#fill(index, 'file', path, `error ${error.reason}`)
    else this.#fill(index, 'untracked', path, 'failed')
    return rejected(error)
  }

  #tracked<T>(work: Promise<T>): Promise<T> {
    this.#open ??= new OpenAnswers()
    return this.#open.add(work)
  }

  async #whole<T>(result: T | PromiseLike<T>): Promise<T> {
    const value = await result
    if (this.#open !== undefined) await this.#open.settled()
    return value
  }
}
