import type { Clock, Timer } from '@millrace/cache-core'
import { FileReadError } from '../errors.ts'
import type { FileTable } from '../table/file-table.ts'
import type { ReportedChanges, WatchSource } from './watch-source.ts'

/**
 * Looks at every file that the table knows, again and again: for file systems without events. It vouches for nothing, so every call
 * looks for itself all the same. A look blocks for a `stat` per file.
 */
export class PollSource implements WatchSource {
  readonly complete = false
  readonly #files: FileTable
  readonly #interval: number
  readonly #clock: Clock
  #seen = new Map<string, unknown>()
  #report: (changes: ReportedChanges) => void = () => undefined
  #timer: Timer | undefined

  /** @param interval ms between looks */
  constructor(files: FileTable, interval: number, clock: Clock) {
    this.#files = files
    this.#interval = interval
    this.#clock = clock
  }

  async start(_root: string, report: (changes: ReportedChanges) => void): Promise<void> {
    this.#report = report
    this.#look()
    this.#wait()
  }

  async settled(): Promise<void> {
    this.#look()
  }

  async close(): Promise<void> {
    this.#timer?.cancel()
    this.#report = () => undefined
  }

  #wait(): void {
    this.#timer = this.#clock.setTimer(() => {
      this.#look()
      this.#wait()
    }, this.#interval)
  }

  #look(): void {
    const before = this.#seen
    const seen = new Map<string, unknown>()
    const paths: string[] = []
    // Files that were there the last time are looked for even where the table has forgotten them since.
    for (const path of new Set([...this.#files.paths(), ...before.keys()])) {
      const state = this.#state(path)
      if (before.has(path) && before.get(path) !== state) paths.push(path)
      if (state !== undefined || !before.has(path)) seen.set(path, state)
    }
    this.#seen = seen
    if (paths.length > 0) this.#report({ paths, folders: [], all: undefined })
  }

  #state(path: string): unknown {
    try {
      return this.#files.knownSync(path)
    } catch (error) {
      if (error instanceof FileReadError) return undefined
      throw error
    }
  }
}
