import { expect } from 'vitest'

/** Callers that send one call after the other until they are stopped. */
export class Load {
  readonly #callers: readonly Promise<void>[]
  #isStopped = false
  /** Calls that have ended. */
  calls = 0
  readonly failures: unknown[] = []

  constructor(callers: number, call: () => Promise<unknown>) {
    this.#callers = Array.from({ length: callers }, () => this.#run(call))
  }

  /** Resolves once this many more calls have ended. */
  async goesOn(calls: number): Promise<void> {
    const goal = this.calls + calls
    await expect.poll(() => this.calls, { interval: 1 }).toBeGreaterThanOrEqual(goal)
  }

  async stop(): Promise<void> {
    this.#isStopped = true
    await Promise.all(this.#callers)
  }

  async #run(call: () => Promise<unknown>): Promise<void> {
    while (!this.#isStopped) {
      await call().catch(error => this.failures.push(error))
      this.calls++
    }
  }
}
