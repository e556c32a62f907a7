import { LocalWindow, type LocalWindowOptions } from './local-window.ts'

/** So many windows are entered again at once, so that calls are not kept waiting behind them. */
const WINDOWS_AT_ONCE = 64

/** What this process knows of windows, of as many keys as are kept. */
export class LocalWindows {
  readonly #windows = new Map<string, LocalWindow>()
  readonly #options: LocalWindowOptions
  readonly #maxKeys: number

  constructor(options: LocalWindowOptions, maxKeys: number) {
    this.#options = options
    this.#maxKeys = maxKeys
  }

  get(key: string): LocalWindow | undefined {
    return this.#windows.get(key)
  }

  values(): IterableIterator<LocalWindow> {
    return this.#windows.values()
  }

  /** That of a key, which is made where there is none. */
  of(key: string): LocalWindow {
    const known = this.#windows.get(key)
    if (known !== undefined) return known
    if (this.#windows.size >= this.#maxKeys) this.#evict()
    const local = new LocalWindow(key, this.#options)
    this.#windows.set(key, local)
    return local
  }

  delete(key: string): void {
    this.#windows.delete(key)
  }

  /** Enters what the store's clock may have had expire, before others get it. */
  async restore(): Promise<void> {
    const now = this.#options.clock.now()
    const locals = [...this.#windows.values()].filter(({ recent }) => !recent.empty(now))
    for (let at = 0; at < locals.length; at += WINDOWS_AT_ONCE) {
      const some = locals.slice(at, at + WINDOWS_AT_ONCE)
      // What Redis cannot be told now is found missing by the next call.
      await Promise.allSettled(some.map(local => local.restore()))
    }
  }

  /** Forgets the key that was new first, of those that nothing waits for. */
  #evict(): void {
    for (const [key, { queue }] of this.#windows) {
      if (queue !== undefined) continue
      this.#windows.delete(key)
      return
    }
  }
}
