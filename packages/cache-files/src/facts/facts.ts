import { extname } from 'node:path'
import { Cache } from '@millrace/cache-core'
import type { Store } from '@millrace/cache-core/store'
import { InvalidOptionError } from '../errors.ts'
import { BestEffortStore } from '../persist/best-effort-store.ts'
import type { FileContent, FileTable } from '../table/file-table.ts'

/** Options of {@link Facts}. */
export interface FactsOptions<T> {
  /** Where files are read. */
  readonly files: FileTable
  /** Where facts outlive the process, such as a `SqliteStore`. The caller made it and closes it after `close`. */
  readonly store: Store<T>
  /** Name and version of the extractor with whatever options matter, such as `imports@3`. A new one makes all facts anew. */
  readonly id: string
  /**
   * Derives the facts from a content. They must depend on its bytes and the variant only, survive the store's codec, and never
   * be changed, as they are shared. What it throws reaches the callers that wait and is not remembered.
   */
  readonly extract: (content: FileContent, variant: string) => T | Promise<T>
  /** What else than its bytes decides about the facts of a file. Default its extension. */
  readonly variant?: (path: string) => string
  /** Facts held in memory at most. Default 10,000. */
  readonly maxEntries?: number
  /** ms for which new facts wait for others to be written with them, > 0. Default 100. */
  readonly writeDelay?: number
  /** Told of a failure of the store, at most once until it works again: facts are derived anew meanwhile. Default: not told. */
  readonly onStoreError?: (error: unknown) => void
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

/**
 * Small summaries of files (imports, exports, symbols), derived once per content and kept across processes. They are found by
 * content, so no edit, checkout or clock can make an old one pass for new. Worth it for what takes longer to derive than to look
 * up, about 20 us in SQLite.
 */
export class Facts<T> implements AsyncDisposable {
  readonly id: string
  readonly #files: FileTable
  readonly #store: BestEffortStore<T>
  readonly #extract: FactsOptions<T>['extract']
  readonly #variant: (path: string) => string
  readonly #held: Cache<string, { readonly value: T }>
  #counts = { calls: 0, storeHits: 0, extractions: 0, failures: 0 }

  /** @throws {InvalidOptionError} */
  constructor(options: FactsOptions<T>) {
    const {
      files,
      store,
      id,
      extract,
      variant = extname,
      maxEntries = 10_000,
      writeDelay = 100,
      onStoreError = () => undefined,
    } = options
    if (typeof id !== 'string' || id === '') {
      throw new InvalidOptionError('id', 'a string that names the extractor', id)
    }
    if (typeof extract !== 'function') {
      throw new InvalidOptionError('extract', 'a function', extract)
    }
    if (!(writeDelay > 0)) throw new InvalidOptionError('writeDelay', 'a number > 0', writeDelay)
    this.id = id
    this.#files = files
    this.#store = new BestEffortStore(store, writeDelay, onStoreError)
    this.#extract = extract
    this.#variant = variant
    this.#held = new Cache({ maxEntries })
  }

  /**
   * The facts of the file as it is now. Calls for the same bytes share one derivation.
   *
   * @throws FileReadError if the file cannot be read
   * @throws what the extractor throws
   */
  async get(path: string, options: { signal?: AbortSignal } = {}): Promise<Derived<T>> {
    return this.of(await this.#files.read(path, options), options)
  }

  /** The facts of a content that was read already. */
  async of(content: FileContent, options: { signal?: AbortSignal } = {}): Promise<Derived<T>> {
    this.#counts.calls++
    const { hash, path } = content
    const variant = this.#variant(path)
    const key = this.#key(hash, variant)
    const held =
      this.#held.get(key) ??
      (await this.#held.getOrLoad(key, () => this.#load(key, content, variant), options))
    return { value: held.value, hash, path }
  }

  /**
   * Looks many files up in the store at once, so that `get` finds them in memory: for a warm start. Files that cannot be read
   * are left to `get`.
   */
  async preload(paths: Iterable<string>): Promise<void> {
    const keys = new Set<string>()
    for (const path of paths) {
      try {
        const key = this.#key(this.#files.hashSync(path), this.#variant(path))
        if (!this.#held.has(key)) keys.add(key)
      } catch {
        // `get` reports it to whoever wants this file.
      }
    }
    const wanted = [...keys]
    for (const [index, value] of (await this.#store.getMany(wanted)).entries()) {
      if (value === undefined) continue
      this.#counts.storeHits++
      this.#held.set(wanted[index]!, { value })
    }
  }

  /** Resolves when all facts derived so far are in the store, or the store has failed. */
  flush(): Promise<void> {
    return this.#store.flush()
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

  /** A hash has a fixed length, and JSON keeps its parts apart whatever is in them. */
  #key(hash: string, variant: string): string {
    return JSON.stringify([hash, this.id, variant])
  }

  async #load(key: string, content: FileContent, variant: string): Promise<{ value: T }> {
    const stored = await this.#store.get(key)
    if (stored !== undefined) {
      this.#counts.storeHits++
      return { value: stored }
    }
    this.#counts.extractions++
    try {
      const value = await this.#extract(content, variant)
      this.#store.add(key, value)
      return { value }
    } catch (error) {
      this.#counts.failures++
      throw error
    }
  }
}
