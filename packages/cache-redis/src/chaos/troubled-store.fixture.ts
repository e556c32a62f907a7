import { setTimeout as sleep } from 'node:timers/promises'
import { type Store, StoreUnavailableError } from '@millrace/cache-core/store'

/** What may be wrong with a {@link TroubledStore}; `lands late`: it does what it was told when nobody waits for it any more. */
export type Trouble = 'none' | 'is slow' | 'fails' | 'does it, then fails' | 'hangs' | 'lands late'

/** A store whose calls have the trouble of the moment, as those on a network disk have. What hung never ends. */
export class TroubledStore<V> {
  trouble: Trouble = 'none'
  readonly store: Store<V>
  readonly #timeout: number

  /** @param timeout ms after which callers give up */
  constructor(inner: Store<V>, timeout: number) {
    this.#timeout = timeout
    this.store = new Proxy(inner, {
      get: (target, name) => {
        const method: unknown = Reflect.get(target, name, target)
        if (typeof method !== 'function') return method
        const act = (...args: unknown[]): unknown => method.apply(target, args)
        if (name === 'stats') return act
        if (name === 'keys') return (...args: unknown[]) => this.#each(() => act(...args))
        return (...args: unknown[]) => this.#troubled(() => act(...args))
      },
    })
  }

  async *#each(act: () => unknown): AsyncGenerator<string> {
    yield* (await this.#troubled(act)) as AsyncIterable<string>
  }

  async #troubled(act: () => unknown): Promise<unknown> {
    const { trouble } = this
    if (trouble === 'hangs') return new Promise(() => {})
    if (trouble === 'fails') throw new StoreUnavailableError('disk', 'is not there')
    if (trouble === 'lands late') await sleep(this.#timeout * (1 + Math.random()))
    const answer = await act()
    if (trouble === 'is slow') await sleep(this.#timeout * 0.7 * Math.random())
    if (trouble === 'does it, then fails') throw new StoreUnavailableError('disk', 'went away')
    return answer
  }
}
