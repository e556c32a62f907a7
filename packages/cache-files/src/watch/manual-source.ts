import { checkList, InvalidOptionError } from '@millrace/kit'
import type { ReportedChanges, WatchSource } from './watch-source.ts'

/** Reports what the host reports: an editor, another watcher, a test. */
export class ManualSource implements WatchSource, AsyncDisposable {
  #report: (changes: ReportedChanges) => void = () => undefined
  #complete: boolean

  /** @param complete whether the host reports every change before it asks for anything. Default: false */
  constructor(complete = false) {
    this.#complete = complete
  }

  get complete(): boolean {
    return this.#complete
  }

  /**
   * What is under these paths, absolute or relative to the root, may have changed.
   *
   * @throws {InvalidOptionError}
   */
  changed(paths: readonly string[]): void {
    checkPaths('paths', paths)
    this.#report({ paths, folders: [], all: undefined })
  }

  /**
   * What is under these paths, absolute or relative to the root, and anything below them, may have changed.
   *
   * @throws {InvalidOptionError}
   */
  changedBelow(folders: readonly string[]): void {
    checkPaths('folders', folders)
    this.#report({ paths: [], folders, all: undefined })
  }

  /** Anything may have changed. */
  changedAll(): void {
    this.#report({ paths: [], folders: [], all: 'manual' })
  }

  async start(_root: string, report: (changes: ReportedChanges) => void): Promise<void> {
    this.#report = report
  }

  async settled(): Promise<void> {
    // The host reports before it asks.
  }

  async close(): Promise<void> {
    this.#complete = false
    this.#report = () => undefined
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }
}

function checkPaths(argument: string, paths: readonly string[]): void {
  for (const [index, path] of checkList(argument, paths).entries()) {
    if (typeof path !== 'string') {
      throw new InvalidOptionError(`${argument}[${index}]`, 'a string', path)
    }
  }
}
