import type { BatchContext } from '../load/batch-loader.ts'
import type { LoadContext } from '../load/loader.ts'
import type { ValueGuard } from './protection.ts'

/** A loader's context whose stale value is handed out under a guard. Its signal is asked for only when it is wanted. */
export class ProtectedContext<K, V> implements LoadContext<K, V> {
  readonly #inner: LoadContext<K, V>
  readonly #guard: ValueGuard
  /** What was handed out, so that each look finds the same. */
  #stale: V | undefined

  constructor(inner: LoadContext<K, V>, guard: ValueGuard) {
    this.#inner = inner
    this.#guard = guard
  }

  get key(): K {
    return this.#inner.key
  }

  get stale(): V | undefined {
    this.#stale ??= this.#guard.hand(this.#inner.stale)
    return this.#stale
  }

  get background(): boolean {
    return this.#inner.background
  }

  get signal(): AbortSignal {
    return this.#inner.signal
  }
}

/** As {@link ProtectedContext} for a batch loader. */
export class ProtectedBatchContext<K, V> implements BatchContext<K, V> {
  readonly #inner: BatchContext<K, V>
  readonly stale: (key: K) => V | undefined
  readonly background: (key: K) => boolean

  constructor(inner: BatchContext<K, V>, guard: ValueGuard) {
    this.#inner = inner
    this.stale = key => guard.hand(inner.stale(key))
    this.background = key => inner.background(key)
  }

  get signal(): AbortSignal {
    return this.#inner.signal
  }
}
