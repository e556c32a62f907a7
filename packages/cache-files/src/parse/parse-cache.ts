import { extname } from 'node:path'
import { Cache } from '@millrace/cache-core'
import { InvalidOptionError } from '../errors.ts'
import type { FileContent, FileTable } from '../table/file-table.ts'
import { tracedParse } from './parse-channels.ts'

/** What a parser is told about the source besides its text. */
export interface ParseSource {
  /** What `variant` returned for the file, such as `.ts`. */
  readonly variant: string
  /** SHA-256 of the file's bytes, in hex. */
  readonly hash: string
  /** The first file found with these bytes: for messages only, as the result serves all others too. */
  readonly path: string
}

/** Options of a {@link ParseCache}. */
export interface ParseCacheOptions<T> {
  /** Where files are read. */
  readonly files: FileTable
  /** Name and version of the parser with whatever options matter, such as `acorn@8.19 module`: tells its results apart. */
  readonly id: string
  /**
   * Makes the result from the text. It must depend on the text and the variant only, and the result must never be changed, as it
   * is shared. What it throws reaches the callers that wait and is not remembered.
   */
  readonly parse: (text: string, source: ParseSource) => T | Promise<T>
  /** What else than its bytes decides how a file is parsed. Default its extension. */
  readonly variant?: (path: string) => string
  /** Results held at most. Default 10,000. */
  readonly maxEntries?: number
  /** Weight of results held at most, in the unit of `weigher`, > 0. Default 500 MiB. */
  readonly maxBytes?: number
  /** Memory a result takes, in bytes. Default ten times its source, which is about what an ESTree takes. */
  readonly weigher?: (value: T, sourceBytes: number) => number
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
  /** Calls whose parser threw. */
  readonly failures: number
  /** Time spent in parsers, ms. */
  readonly parseTime: number
}

interface Held<T> {
  readonly value: T
  readonly weight: number
}

/**
 * Parsed files by content: a result is found again under any path, after a touch, a checkout back and forth, or a rename, and is
 * never that of other bytes than those on disk. In memory only, because reading a stored syntax tree takes as long as parsing
 * (47 kB of JavaScript: oxc-parser 0.5 ms, `v8.deserialize` of its tree 2.3 ms).
 */
export class ParseCache<T> {
  readonly id: string
  readonly #files: FileTable
  readonly #parse: ParseCacheOptions<T>['parse']
  readonly #variant: (path: string) => string
  readonly #weigher: (value: T, sourceBytes: number) => number
  readonly #results: Cache<string, Held<T>>
  #calls = 0
  #parses = 0
  #failures = 0
  #parseTime = 0

  /** @throws {InvalidOptionError} */
  constructor(options: ParseCacheOptions<T>) {
    const {
      files,
      id,
      parse,
      variant = extname,
      maxEntries = 10_000,
      maxBytes = 500 * 1024 * 1024,
      weigher = (_, sourceBytes) => 10 * sourceBytes,
    } = options
    if (typeof id !== 'string' || id === '') {
      throw new InvalidOptionError('id', 'a string that names the parser', id)
    }
    if (typeof parse !== 'function') throw new InvalidOptionError('parse', 'a function', parse)
    this.id = id
    this.#files = files
    this.#parse = parse
    this.#variant = variant
    this.#weigher = weigher
    this.#results = new Cache({ maxEntries, maxBytes, weigher: held => held.weight })
  }

  /**
   * The result for the file as it is now. Calls for the same bytes share one run of the parser.
   *
   * @throws FileReadError if the file cannot be read
   * @throws what the parser throws
   */
  async get(path: string, options: { signal?: AbortSignal } = {}): Promise<Parsed<T>> {
    return this.of(await this.#files.read(path, options), options)
  }

  /** The result for a content that was read already. */
  async of(content: FileContent, options: { signal?: AbortSignal } = {}): Promise<Parsed<T>> {
    this.#calls++
    const variant = this.#variant(content.path)
    const { hash, path } = content
    // A hash has a fixed length, so no variant can make two keys one.
    const key = hash + variant
    const held =
      this.#results.get(key) ??
      (await this.#results.getOrLoad(key, () => this.#run(content, variant), options))
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

  async #run({ bytes, hash, path }: FileContent, variant: string): Promise<Held<T>> {
    this.#parses++
    const begun = performance.now()
    try {
      const text = bytes.toString('utf8')
      const message = { parser: this.id, path, bytes: bytes.length }
      const value = await tracedParse(message, async () =>
        this.#parse(text, { variant, hash, path }),
      )
      return { value, weight: this.#weigher(value, bytes.length) }
    } catch (error) {
      this.#failures++
      throw error
    } finally {
      this.#parseTime += performance.now() - begun
    }
  }
}
