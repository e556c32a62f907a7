import { extname } from 'node:path'
import { Cache, type Clock } from '@millrace/cache-core'
import type { MemoryPressureFactory } from '@millrace/cache-core/size'
import {
  asGiven,
  checkClock,
  checkFunction,
  checkMethods,
  checkPositiveOrInfinity,
  checkText,
  counters,
  describeStats,
  gauges,
  monotonicClock,
  type OptionRules,
  optional,
  type Resolved,
  required,
  resolveOptions,
  traceOperation,
  withDefault,
} from '@millrace/kit'
import { type CallOptions, callSignal } from '../call-options.ts'
import { ParseTimeoutError } from '../errors.ts'
import type { FileTable } from '../table/file-table.ts'
import type { FileContent } from '../table/read/file-content.ts'
import { boundedWork } from '../time/bounded-work.ts'
import { resultKey, variantOf } from '../value/result-key.ts'
import { type ParseMessage, parseChannels } from './parse-channels.ts'

/** What a parser is told about the source besides its text. */
export interface ParseSource {
  /** What `variant` returned for the file, such as `.ts`. */
  readonly variant: string
  /** SHA-256 of the file's bytes, in hex. */
  readonly hash: string
  /** The first file found with these bytes: for messages only, as the result serves all others too. */
  readonly path: string
  /** Aborts when no call waits for the result any more, or the time is over. */
  readonly signal: AbortSignal
}

/** Options of a {@link ParseCache}. */
export interface ParseCacheOptions<T> {
  /** Where files are read. */
  readonly files: FileTable
  /** Name and version of the parser with whatever options matter, such as `acorn@8.19 module`: tells its results apart; see `parserId`. */
  readonly id: string
  /**
   * Makes the result from the text, which is all of the file, a byte order mark included. It must depend on the text and the variant only, and
   * the result must never be changed, as it is shared. What it throws reaches the callers that wait and is not remembered.
   */
  readonly parse: (text: string, source: ParseSource) => T | Promise<T>
  /** What else than its bytes decides how a file is parsed. Default: its extension. */
  readonly variant?: ((path: string) => string) | undefined
  /** Results held at most, >= 1. Default: 10,000. */
  readonly maxEntries?: number | undefined
  /** Weight of results held at most, in the unit of `weigher`, > 0. Default: 500 MiB. */
  readonly maxBytes?: number | undefined
  /** Memory a result takes, in bytes. Default: ten times its source, which is about what an ESTree takes. */
  readonly weigher?: ((value: T, sourceBytes: number) => number) | undefined
  /** ms a parser that returns a promise may take, > 0; Infinity for no limit. Default: 60,000. */
  readonly timeout?: number | undefined
  /**
   * Gives results up when memory gets scarce: `memoryPressure()` of `@millrace/cache-core/size`. The cache then holds a timer until
   * `close`. Default: does not.
   */
  readonly memoryPressure?: MemoryPressureFactory | undefined
  /** Source of time for `timeout`. Default: the monotonic clock. */
  readonly clock?: Clock | undefined
}

/** A result and the bytes it was made from. */
export interface Parsed<T> {
  readonly value: T
  /** Hash of the bytes that were parsed, which are those that were on disk during the call. */
  readonly hash: string
  /** Absolute path. */
  readonly path: string
}

/** Counters of a {@link ParseCache}. */
export interface ParseCacheStats {
  /** Results held. */
  readonly entries: number
  /** Weight of the results held. */
  readonly bytes: number
  /** Calls answered with a result that was there, or that another call was waiting for. */
  readonly hits: number
  /** Calls that made a new result. */
  readonly parses: number
  /** Calls whose parser threw, or took too long. */
  readonly failures: number
  /** Time spent in parsers, ms. */
  readonly parseTime: number
}

interface Held<T> {
  readonly value: T
  readonly weight: number
}

type Settings<T> = Resolved<ParseCacheOptions<T>, 'memoryPressure'>

export const PARSE_CACHE_RULES: OptionRules<ParseCacheOptions<unknown>, Settings<unknown>> = {
  files: required(checkMethods<FileTable>, 'a FileTable', ['read']),
  id: required(checkText),
  parse: required(checkFunction<Settings<unknown>['parse']>),
  variant: withDefault(extname, checkFunction<Settings<unknown>['variant']>),
  // Checked by the cache that they are for.
  maxEntries: withDefault(10_000, asGiven<number>),
  maxBytes: withDefault(500 * 2 ** 20, asGiven<number>),
  weigher: withDefault(
    (_, sourceBytes) => 10 * sourceBytes,
    checkFunction<Settings<unknown>['weigher']>,
  ),
  timeout: withDefault(60_000, checkPositiveOrInfinity),
  memoryPressure: optional(checkFunction<MemoryPressureFactory>, '`memoryPressure()`'),
  clock: withDefault(monotonicClock, checkClock<Clock>),
}

/**
 * Parsed files by content: a result is found again under any path, after a touch, a checkout back and forth, or a rename, and is
 * never that of other bytes than those on disk. In memory only, because reading a stored syntax tree takes longer than parsing the
 * source with a fast parser.
 */
export class ParseCache<T> implements Disposable {
  readonly id: string
  readonly #settings: Settings<T>
  readonly #results: Cache<string, Held<T>>
  #calls = 0
  #parses = 0
  #failures = 0
  #parseTime = 0

  /** @throws {InvalidOptionError} */
  constructor(options: ParseCacheOptions<T>) {
    const rules = PARSE_CACHE_RULES as OptionRules<ParseCacheOptions<T>, Settings<T>>
    const settings = resolveOptions('', options, rules)
    const { maxEntries, maxBytes, memoryPressure } = settings
    this.#settings = settings
    this.id = settings.id
    this.#results = new Cache({
      maxEntries,
      maxBytes,
      weigher: held => held.weight,
      ...(memoryPressure && { memoryPressure }),
    })
  }

  /**
   * The result for the file as it is now. Calls for the same bytes share one run of the parser.
   *
   * @throws {FileReadError} if the file cannot be read
   * @throws {ParseTimeoutError}
   * @throws what the parser throws
   */
  async get(path: string, options?: CallOptions): Promise<Parsed<T>> {
    return this.of(await this.#settings.files.read(path, options), options)
  }

  /** The result for a content that was read already. */
  async of(content: FileContent, options?: CallOptions): Promise<Parsed<T>> {
    const signal = callSignal(options)
    this.#calls++
    const variant = variantOf(this.#settings.variant, content.path)
    const { hash, path } = content
    const key = resultKey(hash, this.id, variant)
    const held =
      this.#results.get(key) ??
      (await this.#results.getOrLoad(
        key,
        load => this.#run(content, variant, load.signal),
        signal && { signal },
      ))
    return { value: held.value, hash, path }
  }

  /** Forgets all results. */
  clear(): void {
    this.#results.clear()
  }

  stats(): ParseCacheStats {
    return {
      entries: this.#results.size,
      bytes: this.#results.stats().bytes,
      hits: this.#calls - this.#parses,
      parses: this.#parses,
      failures: this.#failures,
      parseTime: this.#parseTime,
    }
  }

  /** Drops all results and ends the timer of `memoryPressure`. */
  close(): void {
    this.clear()
    this.#results[Symbol.dispose]()
  }

  [Symbol.dispose](): void {
    this.close()
  }

  async #run(content: FileContent, variant: string, signal: AbortSignal): Promise<Held<T>> {
    const { bytes, path } = content
    this.#parses++
    const begun = performance.now()
    const message: ParseMessage = { parser: this.id, path, bytes: bytes.length }
    const parse = () => this.#bounded(content, variant, signal)
    try {
      const value = parseChannels.hasSubscribers
        ? await traceOperation(parseChannels, message, parse)
        : await parse()
      return { value, weight: this.#settings.weigher(value, bytes.length) }
    } catch (error) {
      this.#failures++
      throw error
    } finally {
      this.#parseTime += performance.now() - begun
    }
  }

  #bounded(content: FileContent, variant: string, signal: AbortSignal): Promise<T> {
    const { bytes, hash, path } = content
    const { timeout } = this.#settings
    return boundedWork(
      inner => this.#settings.parse(bytes.toString('utf8'), { variant, hash, path, signal: inner }),
      {
        timeout,
        clock: this.#settings.clock,
        signal,
        expired: () => new ParseTimeoutError(this.id, path, timeout),
      },
    )
  }
}

describeStats<ParseCacheStats>(ParseCache.prototype, {
  ...gauges('entries', 'bytes'),
  ...counters('hits', 'parses', 'failures'),
  parseTime: 'milliseconds',
})
