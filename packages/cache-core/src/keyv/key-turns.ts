/** Lets what is done to a key wait for what was begun before, so that steps of two calls do not mix. Calls for other keys go on. */
export class KeyTurns {
  readonly #last = new Map<string, Promise<unknown>>()

  /** Runs `work` when all calls for any of the keys that came before have ended. */
  async run<T>(keys: readonly string[], work: () => Promise<T>): Promise<T> {
    const before = keys.map(key => this.#last.get(key))
    const turn = Promise.allSettled(before).then(work)
    for (const key of keys) this.#last.set(key, turn)
    try {
      return await turn
    } finally {
      for (const key of keys) if (this.#last.get(key) === turn) this.#last.delete(key)
    }
  }
}
