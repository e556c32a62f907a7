import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { MemoryStore } from '@millrace/cache-core/memory'
import { SqliteStore } from '@millrace/cache-core/sqlite'
import type { Store } from '@millrace/cache-core/store'
import type { TraceRecord } from '../graph/trace/trace-record.ts'
import type { StoredResult } from '../persist/stored-result.ts'

/** Changes with what is kept and how. Another version's folder is left alone, so that going back finds its own. */
const FORMAT = 'v1'

/** Why a {@link CacheFolder} keeps nothing. */
export interface CacheFolderProblem {
  readonly folder: string
  readonly error: unknown
}

/**
 * The folder in which results outlive the process; several processes may use it at once. One that cannot be used is as good as an empty one:
 * what is kept then lasts as long as the process, and that is said once.
 */
export class CacheFolder implements AsyncDisposable {
  readonly path: string
  readonly #onProblem: (problem: CacheFolderProblem) => void
  readonly #stores: (Store<never> & AsyncDisposable)[] = []
  #usable = true

  constructor(path: string, onProblem: (problem: CacheFolderProblem) => void = warn) {
    this.path = join(path, FORMAT)
    this.#onProblem = onProblem
    this.#attempt(() => mkdirSync(this.path, { recursive: true, mode: 0o700 }))
  }

  /** Whether what is kept outlives the process. */
  get usable(): boolean {
    return this.#usable
  }

  /**
   * A store in this folder.
   *
   * @param maxBytes kept at most
   */
  store<T extends StoredResult | TraceRecord>(name: string, maxBytes: number): Store<T> {
    const store =
      this.#attempt(() => new SqliteStore<T>({ path: join(this.path, `${name}.db`), maxBytes })) ??
      new MemoryStore<T>({ maxBytes })
    this.#stores.push(store as unknown as Store<never>)
    return store
  }

  /** Bytes that were written under a name; `undefined` if there are none. */
  read(name: string): Buffer | undefined {
    if (!this.#usable) return undefined
    try {
      return readFileSync(join(this.path, name))
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') this.#failed(error)
      return undefined
    }
  }

  /** Writes bytes under a name, whole or not at all. */
  write(name: string, bytes: Uint8Array): void {
    const path = join(this.path, name)
    const temporary = `${path}.${process.pid}.tmp`
    this.#attempt(() => {
      writeFileSync(temporary, bytes, { mode: 0o600 })
      renameSync(temporary, path)
    })
  }

  /** Closes the stores. */
  async close(): Promise<void> {
    await Promise.all(this.#stores.map(store => store.close()))
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  #attempt<T>(work: () => T): T | undefined {
    if (!this.#usable) return undefined
    try {
      return work()
    } catch (error) {
      this.#failed(error)
      return undefined
    }
  }

  #failed(error: unknown): void {
    if (this.#usable) this.#onProblem({ folder: this.path, error })
    this.#usable = false
  }
}

function warn({ folder, error }: CacheFolderProblem): void {
  const { code } = error as { code?: string }
  process.emitWarning(
    `The cache folder ${folder} cannot be used (${code ?? 'unknown reason'}); nothing is kept beyond this process`,
    { code: 'MILLRACE_FILES_CACHE_UNUSABLE' },
  )
}
