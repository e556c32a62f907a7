import type { Clock, Timer } from '@millrace/kit'

/** A clock whose timers run when the thread is free again, and not when they are due. */
export class BlockedClock implements Clock {
  #now = 0
  readonly #timers = new Map<object, { readonly due: number; readonly callback: () => void }>()

  now(): number {
    return this.#now
  }

  get pending(): number {
    return this.#timers.size
  }

  setTimer(callback: () => void, delay: number): Timer {
    const id = {}
    this.#timers.set(id, { due: this.#now + delay, callback })
    return { cancel: () => this.#timers.delete(id) }
  }

  /** The thread is blocked for so many ms; then what is due runs. */
  block(ms: number): void {
    this.#now += ms
    for (const [id, { due, callback }] of [...this.#timers]) {
      if (due <= this.#now && this.#timers.delete(id)) callback()
    }
  }
}
