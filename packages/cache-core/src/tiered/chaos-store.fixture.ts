import type { VirtualClock } from '@millrace/testkit'
import type { Store } from '../store/contract/store.ts'

/** What may be wrong with a {@link ChaosStore}; the last of them is a store that cannot be reached, but does in the end what it was told. */
export const TROUBLES = [
  'none',
  'slow',
  'rejects',
  'takes effect, then rejects',
  'hangs',
  'lands late',
] as const

/** A store each of whose calls has the trouble of the moment, as one server has that all callers share. */
export class ChaosStore<V> {
  trouble: (typeof TROUBLES)[number] = 'none'
  readonly store: Store<V>

  /** @param timeout ms after which callers give up, which what is slow keeps to and what is late does not */
  constructor(inner: Store<V>, clock: VirtualClock, timeout: number, random: () => number) {
    const pass = (ms: number): Promise<void> => {
      const { promise, resolve } = Promise.withResolvers<void>()
      clock.setTimer(resolve, ms)
      return promise
    }
    this.store = new Proxy(inner, {
      get: (target, name) => {
        const method: unknown = Reflect.get(target, name, target)
        if (typeof method !== 'function') return method
        if (name === 'stats') return method.bind(target)
        return async (...args: unknown[]) => {
          const { trouble } = this
          if (trouble === 'hangs') return new Promise(() => {})
          if (trouble === 'rejects') throw new Error('no connection')
          if (trouble === 'lands late') await pass(timeout + random() * timeout)
          const answer: unknown = method.apply(target, args)
          if (trouble === 'slow') await pass(random() * timeout)
          if (trouble === 'takes effect, then rejects') throw new Error('the connection broke')
          return answer
        }
      },
    })
  }
}
