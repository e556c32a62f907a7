import type { ChangeAllReason, ReportedChanges } from './watch-source.ts'

/** Changes that wait to be passed on, each path once. Too many become "anything may have changed", so that memory is bounded. */
export class PendingChanges {
  readonly #limit: number
  readonly #paths = new Set<string>()
  readonly #folders = new Set<string>()
  #all: ChangeAllReason | undefined

  /** @param limit paths held at most */
  constructor(limit: number) {
    this.#limit = limit
  }

  get isEmpty(): boolean {
    return this.#all === undefined && this.#paths.size === 0 && this.#folders.size === 0
  }

  path(path: string): void {
    if (this.#all === undefined) this.#paths.add(path)
    this.#bound()
  }

  folder(path: string): void {
    if (this.#all === undefined) this.#folders.add(path)
    this.#bound()
  }

  all(reason: ChangeAllReason): void {
    this.#all ??= reason
    this.#paths.clear()
    this.#folders.clear()
  }

  add({ paths, folders, all }: ReportedChanges): void {
    if (all !== undefined) this.all(all)
    for (const path of paths) this.path(path)
    for (const folder of folders) this.folder(folder)
  }

  /** What waits, which then waits no more. */
  take(): ReportedChanges {
    const changes = { paths: [...this.#paths], folders: [...this.#folders], all: this.#all }
    this.#paths.clear()
    this.#folders.clear()
    this.#all = undefined
    return changes
  }

  #bound(): void {
    if (this.#paths.size + this.#folders.size > this.#limit) this.all('overflow')
  }
}
