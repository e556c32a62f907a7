import {
  checkMethods,
  checkOptions,
  counters,
  describeStats,
  type OptionNames,
} from '@millrace/kit'
import type { Graph } from '../graph/graph.ts'
import type { Query } from '../graph/query.ts'
import { fingerprintOf } from '../value/fingerprint.ts'
import type { Watcher } from './watcher.ts'

/** Options of a {@link ResultStream}. */
export interface ResultStreamOptions<K extends string, V> {
  /** Computes the results. */
  readonly graph: Graph
  /** Says when to ask again. */
  readonly watcher: Watcher
  readonly query: Query<K, V>
  readonly key: K
}

/** A result, or why there is none, as of a revision of the watcher. */
export type StreamedResult<V> = PromiseSettledResult<V> & { readonly revision: number }

/** Counters of a {@link ResultStream}. */
export interface ResultStreamStats {
  /** Present readers. */
  readonly consumers: number
  /** Calls of the graph, for all readers together. */
  readonly asked: number
  /** Results that differed from the one before. */
  readonly changes: number
}

const OPTIONS: OptionNames<ResultStreamOptions<string, unknown>> = {
  graph: true,
  watcher: true,
  query: true,
  key: true,
}

/**
 * The results of one query as files change, for any number of readers: each tick asks the graph once for all of them. A reader gets the
 * present result first and then each that differs; a slow reader gets the newest, so that nothing queues up.
 */
export class ResultStream<V, K extends string = string>
  implements AsyncIterable<StreamedResult<V>>, Disposable
{
  readonly #graph: Graph
  readonly #watcher: Watcher
  readonly #query: Query<K, V>
  readonly #key: K
  readonly #readers = new Set<ResultReader<V>>()
  #latest: StreamedResult<V> | undefined
  #running: AbortController | undefined
  #closed = false
  #counts = { asked: 0, changes: 0 }

  /** @throws {InvalidOptionError} */
  constructor(options: ResultStreamOptions<K, V>) {
    checkOptions('', options, OPTIONS as OptionNames<ResultStreamOptions<K, V>>)
    this.#graph = checkMethods('graph', options.graph, 'a Graph', ['get'])
    this.#watcher = checkMethods('watcher', options.watcher, 'a Watcher', ['settled'])
    this.#query = options.query
    this.#key = options.key
  }

  [Symbol.asyncIterator](): AsyncIterator<StreamedResult<V>, undefined> {
    const reader = new ResultReader<V>(() => this.#leave(reader))
    if (this.#closed) {
      reader.end()
      return reader
    }
    this.#readers.add(reader)
    if (this.#running === undefined) void this.#run()
    else if (this.#latest !== undefined) reader.put(this.#latest)
    return reader
  }

  stats(): ResultStreamStats {
    return { consumers: this.#readers.size, ...this.#counts }
  }

  /** Ends all iterations. */
  close(): void {
    this.#closed = true
    for (const reader of [...this.#readers]) reader.end()
  }

  [Symbol.dispose](): void {
    this.close()
  }

  /** Runs while there are readers. Never rejects: what goes wrong is a result. */
  async #run(): Promise<void> {
    const controller = new AbortController()
    this.#running = controller
    const ticks = this.#watcher[Symbol.asyncIterator]()
    controller.signal.addEventListener('abort', () => void ticks.return?.(), { once: true })
    await this.#ask(controller.signal)
    for (;;) {
      const { done } = await ticks.next()
      if (done || controller.signal.aborted) break
      await this.#ask(controller.signal)
    }
    if (this.#running !== controller) return
    this.#running = undefined
    this.#latest = undefined
    for (const reader of [...this.#readers]) reader.end()
  }

  async #ask(signal: AbortSignal): Promise<void> {
    this.#counts.asked++
    const { revision } = this.#watcher
    const [outcome] = await Promise.allSettled([
      this.#graph.get(this.#query, this.#key, { signal }),
    ])
    if (signal.aborted || this.#isSame(this.#latest, outcome)) return
    this.#counts.changes++
    const result = { ...outcome, revision }
    this.#latest = result
    for (const reader of this.#readers) reader.put(result)
  }

  /**
   * Whether a result is the one before: the same value, as the graph returns where nothing had to be computed, or one that is not told from
   * it. An error is never kept, and is told from others in the same way.
   */
  #isSame(before: PromiseSettledResult<V> | undefined, after: PromiseSettledResult<V>): boolean {
    if (before?.status === 'fulfilled' && after.status === 'fulfilled') {
      return areEqual(before.value, after.value, this.#query.fingerprint ?? fingerprintOf)
    }
    return (
      before?.status === 'rejected' &&
      after.status === 'rejected' &&
      areEqual(before.reason, after.reason, fingerprintOf)
    )
  }

  #leave(reader: ResultReader<V>): void {
    this.#readers.delete(reader)
    if (this.#readers.size > 0) return
    const running = this.#running
    this.#running = undefined
    this.#latest = undefined
    running?.abort(new Error('No consumer reads the results'))
  }
}

describeStats<ResultStreamStats>(ResultStream.prototype, {
  consumers: 'gauge',
  ...counters('asked', 'changes'),
})

function areEqual<T>(before: T, after: T, fingerprint: (value: T) => string): boolean {
  if (Object.is(before, after)) return true
  try {
    return fingerprint(before) === fingerprint(after)
  } catch {
    // What cannot be compared is another one.
    return false
  }
}

/** A reader of results; of those it did not take only the newest stays. */
class ResultReader<V> implements AsyncIterator<StreamedResult<V>, undefined> {
  readonly #leave: () => void
  #newest: StreamedResult<V> | undefined
  #ended = false
  #waiting: ((result: IteratorResult<StreamedResult<V>, undefined>) => void)[] = []

  constructor(leave: () => void) {
    this.#leave = leave
  }

  put(result: StreamedResult<V>): void {
    const waiting = this.#waiting.shift()
    if (waiting === undefined) this.#newest = result
    else waiting({ done: false, value: result })
  }

  async next(): Promise<IteratorResult<StreamedResult<V>, undefined>> {
    const value = this.#newest
    this.#newest = undefined
    if (value !== undefined) return { done: false, value }
    if (this.#ended) return { done: true, value: undefined }
    return new Promise(resolve => this.#waiting.push(resolve))
  }

  async return(): Promise<IteratorResult<StreamedResult<V>, undefined>> {
    this.end()
    return { done: true, value: undefined }
  }

  end(): void {
    if (this.#ended) return
    this.#ended = true
    this.#leave()
    for (const resolve of this.#waiting.splice(0)) resolve({ done: true, value: undefined })
  }
}
