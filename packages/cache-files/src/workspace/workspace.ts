import { MemoryStore } from '@millrace/cache-core/memory'
import type { Store } from '@millrace/cache-core/store'
import type { DependenciesOf } from '@millrace/cache-core/warm'
import {
  checkFunction,
  checkOneOf,
  checkOptions,
  checkPath,
  checkPositive,
  defined,
  InvalidOptionError,
  type OptionNames,
} from '@millrace/kit'
import { FACTS_RULES, Facts, type FactsOptions } from '../facts/facts.ts'
import { Graph } from '../graph/graph.ts'
import { GRAPH_RULES, type GraphOptions } from '../graph/graph-options.ts'
import type { TraceRecord } from '../graph/trace/trace-record.ts'
import { PARSE_CACHE_RULES, ParseCache, type ParseCacheOptions } from '../parse/parse-cache.ts'
import type { StoredResult } from '../persist/stored-result.ts'
import { FileTable } from '../table/file-table.ts'
import { FILE_TABLE_RULES, type FileTableOptions } from '../table/file-table-options.ts'
import { type FileWarmReport, type WarmOptions, warm } from '../warm/warm.ts'
import { changedFiles, dependencyOrder } from '../warm/warm-orders.ts'
import { WATCHER_OPTIONS, Watcher, type WatcherOptions } from '../watch/watcher.ts'
import { CacheFolder, type CacheFolderProblem } from './cache-folder.ts'
import { type FilePreset, type FilePresetName, filePresets } from './presets.ts'
import { inspect, type WorkspaceValidationReport } from './validate.ts'

/** Options of a {@link Workspace}. */
export interface WorkspaceOptions {
  /** Folder of the files. Default: the process's own. */
  readonly root?: string | undefined
  /** Options of all levels to start from. Default: `interactive`. */
  readonly preset?: FilePresetName | undefined
  /** Folder in which results outlive the process. Default: none. */
  readonly cacheFolder?: string | undefined
  /** Bytes kept there at most, > 0. Default: 256 MiB. */
  readonly maxCacheBytes?: number | undefined
  /**
   * Told once if the folder cannot be used, or no longer. Default: a process warning with the code MILLRACE_FILES_CACHE_UNUSABLE.
   */
  readonly onCacheProblem?: ((problem: CacheFolderProblem) => void) | undefined
  /** Options of the watcher, or `true` for its defaults. Default: not watched, each call looks. */
  readonly watch?: boolean | Omit<WatcherOptions, 'files'> | undefined
  /** Options of the table that differ from the preset's. Default: none. */
  readonly files?: Omit<FileTableOptions, 'root'> | undefined
  /** Options of the graph that differ from the preset's. Default: none. */
  readonly graph?: Omit<GraphOptions, 'files' | 'store'> | undefined
}

/** Options of {@link Workspace.warm}. */
export interface WorkspaceWarmOptions extends WarmOptions {
  /** What to warm, in order. Default: the files of the last run in the order in which it asked for them, by the preset only those that changed. */
  readonly paths?: Iterable<string> | AsyncIterable<string> | undefined
  /** Given, what the paths depend on is warmed too, nearest first. Default: the paths alone. */
  readonly dependenciesOf?: DependenciesOf<string> | undefined
  /** Steps along dependencies, >= 0. Default: the preset's. */
  readonly depth?: number | undefined
}

const OPTIONS: OptionNames<WorkspaceOptions> = {
  root: true,
  preset: true,
  cacheFolder: true,
  maxCacheBytes: true,
  onCacheProblem: true,
  watch: true,
  files: true,
  graph: true,
}

/** Under which the table is kept. */
const SNAPSHOT = 'files.snapshot'

/**
 * The four levels over one tree, made to go together: contents, parsed trees and facts, incremental results, and a watcher that tells all of
 * them of a change at once. Each tick of the watcher is one revision for all levels; results are found by content or verified by their
 * trace, so a level that is behind costs work and is never believed.
 */
export class Workspace implements AsyncDisposable {
  readonly files: FileTable
  readonly graph: Graph
  readonly watcher: Watcher | undefined
  readonly #preset: FilePreset
  readonly #folder: CacheFolder | undefined
  readonly #maxCacheBytes: number
  readonly #parses: ParseCache<never>[] = []
  readonly #facts: Facts<never>[] = []
  #factsStore: Store<StoredResult> | undefined
  /** Whether the table could not be written the last time. */
  #unwritten = false
  readonly #onStoreError = (error: unknown): void => this.#folder?.report(error)

  /** @throws {InvalidOptionError} */
  constructor(options: WorkspaceOptions = {}) {
    const {
      root,
      preset = 'interactive',
      cacheFolder,
      watch = false,
    } = checkOptions('', options, OPTIONS)
    this.#preset = filePresets[checkOneOf('preset', preset, ['heavy', 'interactive', 'ci'])]
    this.#maxCacheBytes = checkPositive('maxCacheBytes', options.maxCacheBytes ?? 256 * 2 ** 20)
    checkOthers('files', options.files, FILE_TABLE_RULES, ['root'])
    checkOthers('graph', options.graph, GRAPH_RULES, ['files', 'store'])
    if (options.onCacheProblem !== undefined) {
      checkFunction('onCacheProblem', options.onCacheProblem)
    }
    if (typeof watch !== 'boolean') checkOthers('watch', watch, WATCHER_OPTIONS, ['files'])
    this.files = new FileTable({ ...this.#preset.files, ...defined(options.files ?? {}), root })
    if (cacheFolder !== undefined) {
      this.#folder = new CacheFolder(checkPath('cacheFolder', cacheFolder), options.onCacheProblem)
      const snapshot = this.#folder.read(SNAPSHOT)
      if (snapshot !== undefined) this.files.load(snapshot)
    }
    const store = this.#folder?.store<TraceRecord>('graph', this.#maxCacheBytes)
    try {
      const { files } = this
      const kept = { ...this.#preset.graph, onStoreError: this.#onStoreError }
      this.graph = new Graph({ ...kept, ...defined(options.graph ?? {}), files, store })
      if (watch !== false) this.watcher = new Watcher({ ...(watch === true ? {} : watch), files })
    } catch (error) {
      // An option that was refused must not leave a file open.
      void this.#folder?.close()
      throw error
    }
  }

  /** The state of the world that all levels know of. Grows by one with each tick of the watcher; 0 without one, as each call looks. */
  get revision(): number {
    return this.watcher?.revision ?? 0
  }

  /** A cache of parsed trees over these files, with the preset's limits where nothing else is said. Closed with the workspace. */
  parseCache<T>(options: Omit<ParseCacheOptions<T>, 'files'>): ParseCache<T> {
    checkOthers('options', options, PARSE_CACHE_RULES, ['files'])
    const cache = new ParseCache<T>({
      ...this.#preset.parse,
      ...defined(options),
      files: this.files,
    })
    this.#parses.push(cache as unknown as ParseCache<never>)
    return cache
  }

  /** Facts about these files, kept in the cache folder if there is one. Closed with the workspace. */
  facts<T>(options: Omit<FactsOptions<T>, 'files' | 'store'>): Facts<T> {
    checkOthers('options', options, FACTS_RULES, ['files', 'store'])
    this.#factsStore ??=
      this.#folder?.store<StoredResult>('facts', this.#maxCacheBytes) ?? new MemoryStore()
    const store = this.#factsStore
    const facts = new Facts<T>({
      retention: this.#preset.graph.retention,
      onStoreError: this.#onStoreError,
      ...defined(options),
      files: this.files,
      store,
    })
    this.#facts.push(facts as unknown as Facts<never>)
    return facts
  }

  /** Resolves when every change made before the call is known to all levels. */
  settled(): Promise<void> {
    return this.files.settled()
  }

  /** Loads what will be asked for, within the preset's limits where nothing else is said. */
  warm(
    load: (path: string, options: { readonly signal: AbortSignal }) => unknown,
    { paths, dependenciesOf, depth, ...options }: WorkspaceWarmOptions = {},
  ): Promise<FileWarmReport> {
    if (dependenciesOf !== undefined) checkFunction('dependenciesOf', dependenciesOf)
    const { workers, timeLimit, memoryLimit, changedOnly, depth: usualDepth } = this.#preset.warm
    const roots = paths ?? (changedOnly ? changedFiles(this.files) : this.files.lastOrder)
    const order = dependenciesOf
      ? dependencyOrder(roots, dependenciesOf, depth ?? usualDepth)
      : roots
    return warm(order, load, { workers, timeLimit, memoryLimit, ...options })
  }

  /** Compares all levels with each other and with the disk. Reads every file that is known. Nothing is changed. */
  async validate(): Promise<WorkspaceValidationReport> {
    await this.settled()
    return inspect(this.#levels(), false)
  }

  /** {@link validate}, and forgets what was found wrong, so that it is made anew. */
  async repair(): Promise<WorkspaceValidationReport> {
    await this.settled()
    return inspect(this.#levels(), true)
  }

  /** Writes what the next process may use. */
  async save(): Promise<void> {
    if (this.#folder !== undefined && (this.#unwritten || this.files.stats().unsaved > 0)) {
      this.#unwritten = !this.#folder.write(SNAPSHOT, this.files.dump())
    }
    await Promise.all([this.graph.flush(), ...this.#facts.map(facts => facts.flush())])
  }

  /** Ends watching, writes what the next process may use, and closes all levels. */
  async close(): Promise<void> {
    try {
      await this.watcher?.close()
    } finally {
      await this.save()
      await this.graph.close()
      for (const cache of this.#parses) cache.close()
      this.files.close()
      await this.#folder?.close()
    }
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  #levels(): Parameters<typeof inspect>[0] {
    return { files: this.files, graph: this.graph, facts: this.#facts }
  }
}

/** Options of a level, without those that the workspace gives it. */
function checkOthers(
  path: string,
  options: object | undefined,
  names: OptionNames<object>,
  own: readonly string[],
): void {
  if (options === undefined) return
  checkOptions(path, options, names)
  const given = own.find(name => Object.hasOwn(options, name))
  if (given === undefined) return
  const value = (options as Record<string, unknown>)[given]
  throw new InvalidOptionError(`${path}.${given}`, "left out: it is the workspace's", value)
}
