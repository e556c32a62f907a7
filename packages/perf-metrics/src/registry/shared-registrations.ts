import { type Registration, registration } from './registration.ts'

interface Held {
  readonly own: Registration
  holders: number
}

/** Lets several parts of a program begin the same thing: it goes on once, until the last of them has ended it. */
export class SharedRegistrations<K extends object> {
  readonly #held = new WeakMap<K, Held>()

  /**
   * @param key what it goes on for
   * @param begin begins it, unless it goes on already
   */
  hold(key: K, begin: () => Registration): Registration {
    const held = this.#held.get(key) ?? { own: begin(), holders: 0 }
    this.#held.set(key, held)
    held.holders++
    let ended = false
    return registration(() => {
      if (ended) return
      ended = true
      if (--held.holders > 0) return
      this.#held.delete(key)
      held.own.close()
    })
  }
}
