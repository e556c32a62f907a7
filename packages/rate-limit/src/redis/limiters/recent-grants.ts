import type { WindowGrant } from '../stores/window-store.ts'

/** Numbers of one grant: which call, its cost, when. */
const FIELDS = 3

/**
 * What Redis has given this process in the present window: entered again if Redis has lost it. Three numbers per grant, of which
 * those that have left the window are dropped as others come.
 */
export class RecentGrants {
  readonly #identity: string
  readonly #window: number
  #numbers: number[] = []
  #first = 0

  /** @param identity what the names of this process' grants begin with */
  constructor(identity: string, window: number) {
    this.#identity = identity
    this.#window = window
  }

  /** The name of a call's grant. */
  static nonce(identity: string, call: number): string {
    return `${identity}:${call}`
  }

  add(call: number, cost: number, now: number): void {
    this.#drop(now)
    this.#numbers.push(call, cost, now)
  }

  /** Whether there are none in the window. */
  empty(now: number): boolean {
    this.#drop(now)
    return this.#first >= this.#numbers.length
  }

  all(): WindowGrant[] {
    const grants: WindowGrant[] = []
    for (let at = this.#first; at < this.#numbers.length; at += FIELDS) {
      const [call, cost, time] = this.#numbers.slice(at, at + FIELDS) as [number, number, number]
      grants.push({ nonce: RecentGrants.nonce(this.#identity, call), cost, at: time })
    }
    return grants
  }

  #drop(now: number): void {
    const numbers = this.#numbers
    while (this.#first < numbers.length && numbers[this.#first + 2]! <= now - this.#window) {
      this.#first += FIELDS
    }
    if (this.#first * 2 < numbers.length) return
    this.#numbers = numbers.slice(this.#first)
    this.#first = 0
  }
}
