import { randomUUID } from 'node:crypto'
import { readdirSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { MemoryStore } from '@millrace/cache-core/memory'
import { type SqliteProblem, SqliteStore } from '@millrace/cache-core/sqlite'
import type { Store } from '@millrace/cache-core/store'
import { tell, wallClock } from '@millrace/kit'
import { makeFolder } from '@millrace/kit/make-folder'
import { CacheFileError, FileReadError } from '../errors.ts'
import type { TraceRecord } from '../graph/trace/trace-record.ts'
import type { StoredResult } from '../persist/stored-result.ts'
import { readFileSync } from '../table/read/read-file.ts'

/** Changes with what is kept and how. Another version's folder is left alone, so that going back finds its own. */
const FORMAT = 'v1'
/** Ending of files that are being written. */
const TEMPORARY = '.tmp'
/** ms after which one was left by a process that died. */
const LEFT_BEHIND = 3_600_000
/** Bytes of what {@link CacheFolder.read} takes for its own. */
const LARGEST = 2 ** 30

/** Why a {@link CacheFolder} keeps nothing, or not everything. */
export interface CacheFolderProblem {
  readonly folder: string
  readonly error: unknown
}

/**
 * The folder in which results outlive the process; several processes may use it at once. One that cannot be used is as good as an empty one:
 * what is kept then lasts as long as the process. Trouble is told once, that of a folder that goes, fills up or is taken away later included.
 */
export class CacheFolder implements AsyncDisposable {
  readonly path: string
  readonly #onProblem: (problem: CacheFolderProblem) => void
  readonly #stores: (Store<never> & AsyncDisposable)[] = []
  #usable = true
  #told = false

  constructor(path: string, onProblem: (problem: CacheFolderProblem) => void = warn) {
    this.path = join(path, FORMAT)
    this.#onProblem = onProblem
    this.#attempt(() => makeFolder(this.path, 0o700))
  }

  /**
   * A store in this folder.
   *
   * @param maxBytes kept at most
   */
  store<T extends StoredResult | TraceRecord>(name: string, maxBytes: number): Store<T> {
    const path = join(this.path, `${name}.db`)
    const onProblem = (problem: SqliteProblem): void => this.report(new CacheFileError(problem))
    const store =
      this.#attempt(() => new SqliteStore<T>({ path, maxBytes, onProblem })) ??
      new MemoryStore<T>({ maxBytes })
    this.#stores.push(store as unknown as Store<never>)
    return store
  }

  /** Bytes that were written under a name; `undefined` if there are none. */
  read(name: string): Buffer | undefined {
    if (!this.#usable) return undefined
    try {
      return readFileSync(join(this.path, name), LARGEST).bytes
    } catch (error) {
      if (!(error instanceof FileReadError && error.reason === 'missing')) this.report(error)
      return undefined
    }
  }

  /** Writes bytes under a name, whole or not at all: whether it did. What was there before stays where it did not. */
  write(name: string, bytes: Uint8Array): boolean {
    if (!this.#usable) return false
    const path = join(this.path, name)
    const temporary = `${path}.${randomUUID()}${TEMPORARY}`
    try {
      // It may have been removed since.
      makeFolder(this.path, 0o700)
      this.#removeLeftBehind()
      writeFileSync(temporary, bytes, { mode: 0o600 })
      renameSync(temporary, path)
      return true
    } catch (error) {
      this.report(error)
      remove(temporary)
      return false
    }
  }

  /** Says what is wrong, the first time. */
  report(error: unknown): void {
    if (this.#told) return
    this.#told = true
    tell(this.#onProblem, { folder: this.path, error })
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
      this.#usable = false
      this.report(error)
      return undefined
    }
  }

  /** Removes what processes left that ended while they wrote: each would leave another one. */
  #removeLeftBehind(): void {
    const before = wallClock.now() - LEFT_BEHIND
    for (const name of readdirSync(this.path)) {
      const path = join(this.path, name)
      const { mtimeMs } = statSync(path, { throwIfNoEntry: false }) ?? { mtimeMs: Infinity }
      if (name.endsWith(TEMPORARY) && mtimeMs < before) remove(path)
    }
  }
}

function remove(path: string): void {
  try {
    rmSync(path, { force: true })
  } catch {
    // A folder that is gone or cannot be written: the next process tries again.
  }
}

function warn({ folder, error }: CacheFolderProblem): void {
  const { code } = error as { code?: string }
  process.emitWarning(
    `The cache folder ${folder} cannot be used (${code ?? 'unknown reason'}); what it lacks is made anew by each process`,
    { code: 'MILLRACE_FILES_CACHE_UNUSABLE' },
  )
}
