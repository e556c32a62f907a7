import { scheduler } from 'node:timers/promises'
import type { Clock } from '@millrace/cache-core'
import {
  checkClock,
  checkFunction,
  checkInteger,
  checkPositiveOrInfinity,
  checkSignal,
  monotonicClock,
  type OptionRules,
  optional,
  type Resolved,
  resolveOptions,
  setAwaitedTimer,
  tell,
  withDefault,
} from '@millrace/kit'
import { checkIterable } from '../call-options.ts'

/** Options of {@link warm}. */
export interface WarmOptions {
  /** Loads that run at once, an integer >= 1. Default: 4. */
  readonly workers?: number | undefined
  /** ms after which no more is begun, and what runs is left, > 0. Default: Infinity. */
  readonly timeLimit?: number | undefined
  /** Bytes of memory in use from which on no more is begun, > 0. Default: Infinity. */
  readonly memoryLimit?: number | undefined
  /** Memory in use, in bytes. Default: that of the process. */
  readonly memory?: (() => number) | undefined
  /** Ends it; what runs is left. */
  readonly signal?: AbortSignal | undefined
  /** Told after each load. Default: not told. */
  readonly onProgress?: ((progress: FileWarmProgress) => void) | undefined
  /** Source of time. Default: the monotonic clock. */
  readonly clock?: Clock | undefined
}

/** How far a {@link warm} has come. */
export interface FileWarmProgress {
  /** What was loaded just now. */
  readonly path: string
  /** Why it could not be, if it could not. */
  readonly error: unknown
  readonly warmed: number
  readonly failed: number
  /** ms since the beginning. */
  readonly elapsed: number
}

/**
 * Why a {@link warm} ended:
 * - `done`: everything was loaded
 * - `time`, `memory`: a limit was reached
 * - `aborted`: its signal was
 */
export type WarmEnd = 'done' | 'time' | 'memory' | 'aborted'

/** What a {@link warm} came to. */
export interface FileWarmReport {
  readonly warmed: number
  readonly failed: number
  readonly stopped: WarmEnd
  /** ms. */
  readonly elapsed: number
  /** Bytes of memory in use at the end. */
  readonly memory: number
}

type Settings = Resolved<WarmOptions, 'signal'>

const OPTIONS: OptionRules<WarmOptions, Settings> = {
  workers: withDefault(4, checkInteger, 1),
  timeLimit: withDefault(Infinity, checkPositiveOrInfinity),
  memoryLimit: withDefault(Infinity, checkPositiveOrInfinity),
  memory: withDefault(process.memoryUsage.rss, checkFunction<() => number>),
  signal: optional(checkSignal),
  onProgress: withDefault(() => undefined, checkFunction<Settings['onProgress']>),
  clock: withDefault(monotonicClock, checkClock<Clock>),
}

/** ms of work after which other work gets its turn. */
const SLICE = 8

/**
 * Loads what will be asked for before it is, within limits. What fails is left to those who ask for it. A source of paths is asked for the
 * next one only when a worker is free: `files.lastOrder`, `dependencyOrder`, `changedFiles`, `changedByGit`.
 *
 * @throws {InvalidOptionError}
 */
export async function warm(
  paths: Iterable<string> | AsyncIterable<string>,
  load: (path: string, options: { readonly signal: AbortSignal }) => unknown,
  options: WarmOptions = {},
): Promise<FileWarmReport> {
  const settings = resolveOptions('', options, OPTIONS)
  checkIterable('paths', paths)
  checkFunction('load', load)
  const run = new Warming(paths, load, settings)
  try {
    await Promise.all(Array.from({ length: settings.workers }, () => run.work()))
    return run.report()
  } catch (error) {
    run.stop('aborted')
    throw error
  } finally {
    run.end()
  }
}

class Warming {
  readonly #paths: PathSource
  readonly #load: (path: string, options: { readonly signal: AbortSignal }) => unknown
  readonly #settings: Settings
  readonly #begun: number
  readonly #stopping = new AbortController()
  readonly #stopped = Promise.withResolvers<void>()
  readonly #release: () => void
  #sliceBegan: number
  #warmed = 0
  #failed = 0
  #end: WarmEnd = 'done'

  constructor(
    paths: Iterable<string> | AsyncIterable<string>,
    load: (path: string, options: { readonly signal: AbortSignal }) => unknown,
    settings: Settings,
  ) {
    const { clock, signal, timeLimit } = settings
    this.#settings = settings
    this.#paths = oneByOne(paths)
    this.#load = load
    this.#begun = clock.now()
    this.#sliceBegan = this.#begun
    const timer =
      timeLimit === Infinity
        ? undefined
        : setAwaitedTimer(clock, () => this.stop('time'), timeLimit)
    const abort = (): void => this.stop('aborted')
    if (signal?.aborted) abort()
    signal?.addEventListener('abort', abort, { once: true })
    this.#release = () => {
      timer?.cancel()
      signal?.removeEventListener('abort', abort)
    }
  }

  async work(): Promise<void> {
    while (!this.#stopping.signal.aborted) {
      if (this.#settings.memory() >= this.#settings.memoryLimit) {
        this.stop('memory')
        return
      }
      const path = await Promise.race([this.#paths.next(), this.#stopped.promise])
      if (path === undefined) return
      const [outcome] = await Promise.race([
        Promise.allSettled([this.#begin(path)]),
        this.#stopped.promise.then(() => [undefined] as const),
      ])
      if (outcome !== undefined) this.#note(path, outcome)
      if (this.#settings.clock.now() - this.#sliceBegan > SLICE) {
        await scheduler.yield()
        this.#sliceBegan = this.#settings.clock.now()
      }
    }
  }

  report(): FileWarmReport {
    return {
      warmed: this.#warmed,
      failed: this.#failed,
      stopped: this.#end,
      elapsed: this.#settings.clock.now() - this.#begun,
      memory: this.#settings.memory(),
    }
  }

  /** Ends its timer, and the source of paths where that can be. */
  end(): void {
    this.#release()
    this.#paths.leave()
  }

  async #begin(path: string): Promise<unknown> {
    return this.#load(path, { signal: this.#stopping.signal })
  }

  #note(path: string, outcome: PromiseSettledResult<unknown>): void {
    const failed = outcome.status === 'rejected'
    if (failed) this.#failed++
    else this.#warmed++
    tell(this.#settings.onProgress, {
      path,
      error: failed ? outcome.reason : undefined,
      warmed: this.#warmed,
      failed: this.#failed,
      elapsed: this.#settings.clock.now() - this.#begun,
    })
  }

  /** Begins no more, and leaves what runs. */
  stop(why: WarmEnd): void {
    if (this.#stopping.signal.aborted) return
    this.#end = why
    this.#stopping.abort(
      this.#settings.signal?.aborted
        ? this.#settings.signal.reason
        : new Error('Warming has ended'),
    )
    this.#stopped.resolve()
  }
}

interface PathSource {
  /** The next path, or `undefined` at the end. */
  next(): Promise<string | undefined>
  /** No more is asked for. */
  leave(): void
}

/** Takes from a source for several workers, one call at a time. */
function oneByOne(paths: Iterable<string> | AsyncIterable<string>): PathSource {
  const iterator =
    Symbol.asyncIterator in paths ? paths[Symbol.asyncIterator]() : paths[Symbol.iterator]()
  let last: Promise<string | undefined> = Promise.resolve('')
  return {
    next() {
      last = last.then(async before => {
        if (before === undefined) return undefined
        const { done, value } = await iterator.next()
        return done ? undefined : value
      })
      return last
    },
    leave() {
      tell(() => iterator.return?.(), undefined)
    },
  }
}
