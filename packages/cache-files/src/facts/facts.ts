import { extname } from 'node:path'
import { Cache } from '@millrace/cache-core'
import type { Store } from '@millrace/cache-core/store'
import {
  checkFunction,
  checkInteger,
  checkMethods,
  checkPositiveOrInfinity,
  checkText,
  counters,
  describeStats,
  gauges,
  type OptionRules,
  type Resolved,
  required,
  resolveOptions,
  withDefault,
} from '@millrace/kit'
import { type CallOptions, callSignal, checkIterable } from '../call-options.ts'
import { FileReadError, ParseTimeoutError } from '../errors.ts'
import { BestEffortStore } from '../persist/best-effort-store.ts'
import { KEEPING_RULES, type KeepingOptions, STORE_METHODS } from '../persist/keeping-options.ts'
import {
  encodeResult,
  hasFingerprint,
  resultFingerprint,
  type StoredResult,
  storedResult,
  unpackResult,
} from '../persist/stored-result.ts'
import type { FileTable } from '../table/file-table.ts'
import type { FileContent } from '../table/read/file-content.ts'
import { boundedWork } from '../time/bounded-work.ts'
import { resultKey, variantOf } from '../value/result-key.ts'

/** Options of {@link Facts}. */
export interface FactsOptions<T> extends KeepingOptions {
  /** Where files are read. */
  readonly files: FileTable
  /** Where facts outlive the process, such as a `SqliteStore`. The caller made it and closes it after `close`. */
  readonly store: Store<StoredResult>
  /**
   * Name and version of the extractor with whatever options matter, such as `imports@3`; see `parserId`. A new one makes all facts anew.
   */
  readonly id: string
  /**
   * Derives the facts from a content. They must depend on its bytes and the variant only, survive the codec, and never be changed, as
   * they are shared. What it throws reaches the callers that wait and is not remembered.
   */
  readonly extract: (content: FileContent, variant: string, signal: AbortSignal) => T | Promise<T>
  /** What else than its bytes decides about the facts of a file. Default: its extension. */
  readonly variant?: ((path: string) => string) | undefined
  /** Facts held in memory at most, 1 to 16,777,216. Default: 10,000. */
  readonly maxEntries?: number | undefined
  /** ms an extractor that returns a promise may take, > 0; Infinity for no limit. Default: 60,000. */
  readonly timeout?: number | undefined
}

/** Facts and the bytes they were derived from. */
export interface Derived<T> {
  readonly value: T
  /** Hash of the bytes, which are those that were on disk during the call. */
  readonly hash: string
  /** Absolute path. */
  readonly path: string
}

/** Counters of {@link Facts}. */
export interface FactsStats {
  /** Facts held in memory. */
  readonly entries: number
  /** Calls answered from memory, or by a call that was under way. */
  readonly hits: number
  /** Facts found in the store. */
  readonly storeHits: number
  /** Facts derived. */
  readonly extractions: number
  /** Calls whose extractor threw. */
  readonly failures: number
  /** Reads and writes of the store that failed. */
  readonly storeFailures: number
  /** Facts that wait to be written. */
  readonly pendingWrites: number
}

/** Facts with what they are told from others by. */
interface HeldFacts<T> {
  readonly value: T
  readonly fingerprint: string
}

export const FACTS_RULES: OptionRules<FactsOptions<unknown>> = {
  ...KEEPING_RULES,
  files: required(checkMethods<FileTable>, 'a FileTable', ['read']),
  store: required(checkMethods<Store<StoredResult>>, 'a Store', STORE_METHODS),
  id: required(checkText),
  extract: required(checkFunction<FactsOptions<unknown>['extract']>),
  variant: withDefault(extname, checkFunction<(path: string) => string>),
  maxEntries: withDefault(10_000, checkInteger, 1, 2 ** 24),
  timeout: withDefault(60_000, checkPositiveOrInfinity),
}

/**
 * Small summaries of files (imports, exports, symbols), derived once per content and kept across processes. They are found by
 * content, so no edit, checkout or clock can make an old one pass for new. Worth it for what takes longer to derive than to look
 * up in the store.
 */
export class Facts<T> implements AsyncDisposable {
  readonly id: string
  readonly #settings: Resolved<FactsOptions<T>>
  readonly #store: BestEffortStore<StoredResult>
  readonly #held: Cache<string, HeldFacts<T>>
  readonly #print = (value: unknown): string => resultFingerprint(this.id, value)
  #counts = { calls: 0, storeHits: 0, extractions: 0, failures: 0 }

  /** @throws {InvalidOptionError} */
  constructor(options: FactsOptions<T>) {
    const settings = resolveOptions('', options, FACTS_RULES as OptionRules<FactsOptions<T>>)
    const { maxEntries } = settings
    this.#settings = settings
    this.id = settings.id
    this.#store = new BestEffortStore(settings.store, settings)
    this.#held = new Cache({ maxEntries })
  }

  /**
   * The facts of the file as it is now. Calls for the same bytes share one derivation.
   *
   * @throws {FileReadError} if the file cannot be read
   * @throws {ParseTimeoutError}
   * @throws {ResultError} if the facts do not survive the codec
   * @throws what the extractor throws
   */
  async get(path: string, options?: CallOptions): Promise<Derived<T>> {
    return this.of(await this.#settings.files.read(path, options), options)
  }

  /** The facts of a content that was read already. */
  async of(content: FileContent, options?: CallOptions): Promise<Derived<T>> {
    const signal = callSignal(options)
    this.#counts.calls++
    const { hash, path } = content
    const variant = variantOf(this.#settings.variant, path)
    const key = resultKey(hash, this.id, variant)
    const held =
      this.#held.get(key) ??
      (await this.#held.getOrLoad(
        key,
        load => this.#load(key, content, variant, load.signal),
        signal && { signal },
      ))
    return { value: held.value, hash, path }
  }

  /**
   * Looks many files up in the store at once, so that `get` finds them in memory: for a warm start, in the order of `files.lastOrder`. Files
   * that cannot be read are left to `get`.
   *
   * @returns how many facts were found
   * @throws {InvalidOptionError}
   */
  async preload(paths: Iterable<string>): Promise<number> {
    const keys = new Set<string>()
    for (const path of checkIterable('paths', paths)) {
      const key = this.#keyOf(path)
      if (key !== undefined && !this.#held.has(key)) keys.add(key)
    }
    const wanted = [...keys]
    let found = 0
    for (const [index, record] of (await this.#store.getMany(wanted)).entries()) {
      const kept = record && this.#unpacked(record)
      if (kept === undefined) continue
      this.#counts.storeHits++
      found++
      this.#held.set(wanted[index]!, kept)
    }
    return found
  }

  /** Resolves when all facts derived so far are in the store, or the store has failed. */
  flush(): Promise<void> {
    return this.#store.flush()
  }

  /** How many facts are no longer what they were, as a value that is shared was changed. O(size of the facts held). */
  changedValues(): number {
    return this.#changed().length
  }

  /** Forgets the facts that {@link changedValues} counts. Returns how many. */
  forgetChangedValues(): number {
    const changed = this.#changed()
    for (const key of changed) this.#held.delete(key)
    return changed.length
  }

  stats(): FactsStats {
    const { calls, ...counts } = this.#counts
    return {
      entries: this.#held.size,
      hits: calls - counts.extractions - counts.storeHits,
      ...counts,
      storeFailures: this.#store.failures,
      pendingWrites: this.#store.pending,
    }
  }

  /** Writes what waits. The store stays open. */
  close(): Promise<void> {
    return this.flush()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  #unpacked(record: StoredResult): HeldFacts<T> | undefined {
    const kept = unpackResult(this.#settings.codec, record, this.#print)
    return kept && { value: kept.value as T, fingerprint: record.fingerprint }
  }

  #changed(): string[] {
    return [...this.#held.entries()]
      .filter(([, { value, fingerprint }]) => !hasFingerprint(value, fingerprint, this.#print))
      .map(([key]) => key)
  }

  #keyOf(path: string): string | undefined {
    try {
      return resultKey(
        this.#settings.files.hashSync(path),
        this.id,
        variantOf(this.#settings.variant, path),
      )
    } catch (error) {
      if (error instanceof FileReadError) return undefined
      throw error
    }
  }

  async #load(
    key: string,
    content: FileContent,
    variant: string,
    signal: AbortSignal,
  ): Promise<HeldFacts<T>> {
    const record = await this.#store.get(key)
    const kept = record && this.#unpacked(record)
    if (kept !== undefined) {
      this.#counts.storeHits++
      return kept
    }
    this.#counts.extractions++
    try {
      const { timeout } = this.#settings
      const value = await boundedWork(inner => this.#settings.extract(content, variant, inner), {
        timeout,
        clock: this.#settings.clock,
        signal,
        expired: () => new ParseTimeoutError(this.id, content.path, timeout),
      })
      const result = encodeResult(this.id, this.#settings.codec, value)
      this.#store.add(key, () => storedResult(result))
      return { value, fingerprint: result.fingerprint }
    } catch (error) {
      this.#counts.failures++
      throw error
    }
  }
}

describeStats<FactsStats>(Facts.prototype, {
  ...gauges('entries', 'pendingWrites'),
  ...counters('hits', 'storeHits', 'extractions', 'failures', 'storeFailures'),
})
