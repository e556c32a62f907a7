import { statSync } from 'node:fs'
import type { Store } from '@millrace/cache-core/store'
import {
  type FileContent,
  FileTable,
  Graph,
  ParseCache,
  type TraceRecord,
} from '@millrace/cache-files'
import type { CacheStore } from '../wiring/forgiving-store.ts'
import type { Telemetry } from '../wiring/telemetry.ts'
import { deriveFacts, factsVersion } from './derive-facts.ts'
import type { FileFacts } from './facts.ts'
import { createSourceQueries, type SourceQueries } from './source-queries.ts'

export interface SourceCachesOptions {
  /** The tree, absolute. */
  readonly root: string
  /** Results of queries. */
  readonly store: Store<TraceRecord>
  /** What was known of the files of a tree, by its folder. */
  readonly tables: CacheStore<string>
  readonly telemetry: Telemetry
  onStoreError(error: unknown): void
}

const mebibyte = 1024 * 1024

/** The levels of one process over a tree: bytes with their hashes, facts by those, and results that know what they depend on. */
export class SourceCaches implements AsyncDisposable {
  readonly files: FileTable
  readonly facts: ParseCache<FileFacts>
  readonly graph: Graph
  readonly queries: SourceQueries
  /** Paths whose facts were computed by this process, and not found to hold. */
  readonly computed = new Set<string>()
  readonly #root: string
  readonly #tables: CacheStore<string>

  constructor({ root, store, tables, telemetry, onStoreError }: SourceCachesOptions) {
    this.#root = root
    this.#tables = tables
    // Each file is read once in a run, so contents need not be held for long.
    this.files = new FileTable({ root, maxBytes: 8 * mebibyte, racyWindow: racyWindow(root) })
    this.facts = new ParseCache<FileFacts>({
      files: this.files,
      id: factsVersion,
      parse: (text, { path }) => deriveFacts(path, text),
      // Copies of a file are parsed once; what else decides is whether it is TypeScript, JSX or a declaration.
      variant: path => /(?:\.d)?\.[cm]?[jt]sx?$/.exec(path)?.[0] ?? '',
      maxEntries: 100_000,
      maxBytes: 64 * mebibyte,
      weigher: ({ imports, exports }) => 200 + 40 * (imports.length + exports.length),
    })
    this.graph = new Graph({ files: this.files, store, onStoreError })
    this.queries = createSourceQueries(this.graph, content => this.#factsOf(content, telemetry))
  }

  /** Takes over what the last run knew of the files. */
  async load(): Promise<void> {
    const table = await this.#tables.get(this.#root)
    if (table !== undefined) this.files.load(Buffer.from(table.value, 'base64'))
  }

  /** Keeps what the next run may use. */
  async save(): Promise<void> {
    if (this.files.stats().unsaved === 0) return
    await this.#tables.set(this.#root, this.files.dump().toString('base64'))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.save()
    await this.graph.close()
    this.facts.close()
    this.files.close()
  }

  #factsOf(content: FileContent, { tracer, timings }: Telemetry): Promise<FileFacts> {
    const { path } = content
    this.computed.add(path)
    return tracer.span('source file', { attributes: { 'file.path': path } }, async () => {
      const derive = async () => (await this.facts.of(content)).value
      return await timings.facts.time(() => tracer.span('facts', derive))
    })
  }
}

/** File times move in steps: of up to 10 ms where they have nanoseconds, else of up to 2 s. In ms, with reserve. */
function racyWindow(root: string): number {
  const { ctimeNs } = statSync(root, { bigint: true })
  return ctimeNs % 1_000_000n === 0n ? 2_000 : 50
}
