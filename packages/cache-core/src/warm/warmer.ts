import { setImmediate as nextTurn } from 'node:timers/promises'
import {
  type Clock,
  checkClock,
  checkFunction,
  checkInteger,
  checkOptions,
  checkPositive,
  checkPositiveOrInfinity,
  checkSignal,
  monotonicClock,
  type OptionNames,
  type OptionRules,
  optional,
  type Resolved,
  required,
  resolveOptions,
  setAwaitedTimer,
  withDefault,
} from '@millrace/kit'
import { iteratorOf } from '../iterate/iterator-of.ts'
import { letGo } from '../iterate/let-go.ts'
import { tellListener } from '../tell-listener.ts'
import { DependenciesError } from './dependencies-error.ts'

/** Options of a {@link Warmer}. */
export interface WarmerOptions<K> {
  /** Brings a key into the cache: `(key, { signal }) => cache.getOrLoad(key, load, { signal })`. */
  readonly load: (key: K, context: { readonly signal: AbortSignal }) => unknown
  /** Whether a key is there already and need not be loaded: `key => cache.has(key)`. Default: none is. */
  readonly has?: ((key: K) => boolean | PromiseLike<boolean>) | undefined
  /** Loads at once, at least 1. Default: 4. */
  readonly workers?: number | undefined
  /** ms after which it ends, loads in progress included, above 0. Default: Infinity. */
  readonly timeLimit?: number | undefined
  /** Bytes in use at which it begins no further load, above 0. Default: Infinity. */
  readonly memoryLimit?: number | undefined
  /** Bytes in use now. Default: those of the heap and of buffers outside it, of this process. */
  readonly memory?: (() => number) | undefined
  /** How many loads callers wait for now: so many workers rest, all of them if need be. Default: 0. */
  readonly traffic?: (() => number) | undefined
  /** ms between two looks at the traffic while all workers rest, above 0. Default: 10. */
  readonly pause?: number | undefined
  /** Told when a key is done. What it throws, or rejects with, is a `ListenerError` that is a warning of the process. Default: none. */
  readonly onProgress?: ((progress: WarmProgress<K>) => void) | undefined
  /** Source of time. Default: `monotonicClock`. */
  readonly clock?: Clock | undefined
}

/** A key is done. */
export interface WarmProgress<K> extends WarmCounts {
  readonly key: K
  /** - `warmed`: it was loaded - `skipped`: it was there - `failed`: its load, or `dependenciesOf`, failed with `error` */
  readonly outcome: 'warmed' | 'skipped' | 'failed'
  readonly error: unknown
}

/** Keys that are done. */
export interface WarmCounts {
  readonly warmed: number
  readonly skipped: number
  readonly failed: number
}

/** What a warming came to. */
export interface WarmReport extends WarmCounts {
  /** - `done`: there are no more keys - `time`, `memory`: a limit was met - `aborted`: by its signal */
  readonly stopped: 'done' | 'time' | 'memory' | 'aborted'
  /** ms that it took. */
  readonly elapsed: number
}

type Settings<K> = Resolved<WarmerOptions<K>, 'has' | 'traffic' | 'onProgress'>

const OPTIONS: OptionRules<WarmerOptions<unknown>, Settings<unknown>> = {
  load: required(checkFunction<Settings<unknown>['load']>),
  has: optional(checkFunction<NonNullable<Settings<unknown>['has']>>),
  workers: withDefault(4, checkInteger, 1),
  timeLimit: withDefault(Infinity, checkPositiveOrInfinity),
  memoryLimit: withDefault(Infinity, checkPositiveOrInfinity),
  memory: withDefault(memoryInUse, checkFunction<() => number>),
  traffic: optional(checkFunction<() => number>),
  pause: withDefault(10, checkPositive),
  onProgress: optional(checkFunction<NonNullable<Settings<unknown>['onProgress']>>),
  clock: withDefault(monotonicClock, checkClock<Clock>),
}
const WARM_OPTIONS: OptionNames<{ signal?: AbortSignal | undefined }> = { signal: true }

/**
 * Fills a cache before its entries are asked for, by a bounded number of workers, until a limit of time or memory is met. Real traffic
 * comes first: each load begins in a turn of the event loop of its own, and workers rest while callers wait for loads of theirs.
 */
export class Warmer<K> {
  readonly #settings: Settings<K>

  /** @throws {InvalidOptionError} */
  constructor(options: WarmerOptions<K>) {
    this.#settings = resolveOptions('', options as WarmerOptions<unknown>, OPTIONS) as Settings<K>
  }

  /**
   * Warms the keys in their order. A key that fails is counted and does not end it, nor does one whose dependencies cannot be had, which is
   * counted as failed besides; what else the source of the keys throws ends it, as a rejection. What `memory`, `traffic` or `onProgress` throws is a `ListenerError`; without an answer of `memory` no further load begins. O(keys).
   *
   * @param options `signal` ends it, loads in progress included
   */
  async warm(
    keys: Iterable<K> | AsyncIterable<K>,
    options: { readonly signal?: AbortSignal | undefined } = {},
  ): Promise<WarmReport> {
    const { signal } = checkOptions('', options, WARM_OPTIONS)
    if (signal !== undefined) checkSignal('signal', signal)
    return new Warming(this.#settings, keys, signal).run()
  }
}

/** One call of {@link Warmer.warm}. */
class Warming<K> {
  readonly #settings: Settings<K>
  readonly #keys: Iterator<K> | AsyncIterator<K>
  readonly #signal: AbortSignal | undefined
  readonly #clock: Clock
  readonly #controller = new AbortController()
  readonly #over = Promise.withResolvers<void>()
  readonly #counts = { warmed: 0, skipped: 0, failed: 0 }
  /** End the rests of workers. */
  readonly #resters = new Set<() => void>()
  #stopped: WarmReport['stopped'] | undefined
  /** The next key, which one worker at a time asks for. */
  #next: Promise<IteratorResult<K>> = Promise.resolve({ done: false, value: undefined as K })

  constructor(
    settings: Settings<K>,
    keys: Iterable<K> | AsyncIterable<K>,
    signal: AbortSignal | undefined,
  ) {
    this.#settings = settings
    this.#keys = iteratorOf('keys', keys)
    this.#signal = signal
    this.#clock = settings.clock
  }

  async run(): Promise<WarmReport> {
    const { workers, timeLimit } = this.#settings
    const started = this.#clock.now()
    const abort = (): void => this.#stop('aborted')
    if (this.#signal?.aborted) abort()
    this.#signal?.addEventListener('abort', abort)
    const timer =
      timeLimit === Infinity
        ? undefined
        : setAwaitedTimer(this.#clock, () => this.#stop('time'), timeLimit)
    try {
      const work = Array.from({ length: workers }, (_, rank) => this.#work(rank))
      // A load that does not heed its signal is left to itself.
      await Promise.race([Promise.all(work), this.#over.promise])
    } finally {
      this.#stop('done')
      timer?.cancel()
      this.#signal?.removeEventListener('abort', abort)
    }
    return { ...this.#counts, stopped: this.#stopped!, elapsed: this.#clock.now() - started }
  }

  async #work(rank: number): Promise<void> {
    while (this.#stopped === undefined) {
      await nextTurn()
      if (rank < this.#resting()) {
        await this.#rest()
        continue
      }
      const key = await this.#take()
      if (key === undefined || this.#stopped !== undefined) return
      await this.#warm(key.value)
    }
  }

  /** How many of the workers leave the room to callers. */
  #resting(): number {
    const { traffic } = this.#settings
    return traffic === undefined ? 0 : Math.max(0, measured('traffic', traffic) ?? 0)
  }

  #rest(): Promise<void> {
    return new Promise(resolve => {
      const end = (): void => {
        timer.cancel()
        this.#resters.delete(end)
        resolve()
      }
      const timer = setAwaitedTimer(this.#clock, end, this.#settings.pause)
      this.#resters.add(end)
    })
  }

  /** The next key, unless there is none or no memory for it. */
  async #take(): Promise<{ readonly value: K } | undefined> {
    const { memoryLimit, memory } = this.#settings
    if (memoryLimit !== Infinity && !((measured('memory', memory) ?? Infinity) < memoryLimit)) {
      this.#stop('memory', false)
      return undefined
    }
    const before = this.#next
    this.#next = before.then(last => (last?.done ? last : this.#ask()))
    const result = await this.#next
    if (Object(result) !== result) throw new TypeError('An iterator gave no result object')
    return result.done ? undefined : { value: result.value }
  }

  /** What the source of the keys gives next. A key whose dependencies it does not know is a failure of that key. */
  async #ask(): Promise<IteratorResult<K>> {
    for (;;) {
      try {
        return await this.#keys.next()
      } catch (error) {
        if (!(error instanceof DependenciesError)) throw error
        this.#note(error.key as K, 'failed', error)
      }
      // There may be many in a row.
      await nextTurn()
      if (this.#stopped !== undefined) return { done: true, value: undefined }
    }
  }

  async #warm(key: K): Promise<void> {
    const { load, has } = this.#settings
    const { signal } = this.#controller
    let outcome: WarmProgress<K>['outcome'] = 'skipped'
    let failure: unknown
    try {
      if (!(await has?.(key))) {
        outcome = 'warmed'
        await load(key, { signal })
      }
    } catch (error) {
      outcome = 'failed'
      failure = error
    }
    this.#note(key, outcome, failure)
  }

  #note(key: K, outcome: WarmProgress<K>['outcome'], error: unknown): void {
    // What ends after the report was made is in none.
    if (this.#stopped !== undefined && this.#controller.signal.aborted) return
    this.#counts[outcome]++
    const { onProgress } = this.#settings
    if (onProgress === undefined) return
    const progress = { key, outcome, error, ...this.#counts }
    tellListener('onProgress', () => onProgress(progress))
  }

  /** @param now whether loads in progress end, too */
  #stop(why: WarmReport['stopped'], now = true): void {
    this.#stopped ??= why
    if (!now) return
    this.#controller.abort()
    this.#over.resolve()
    for (const end of this.#resters) end()
    letGo(this.#keys)
  }
}

/** What a function of the user's answers; `undefined` if it throws, which the process is warned of. */
function measured(name: string, measure: () => number): number | undefined {
  let answer: number | undefined
  tellListener(name, () => {
    answer = measure()
  })
  return answer
}

function memoryInUse(): number {
  const { heapUsed, external } = process.memoryUsage()
  return heapUsed + external
}
