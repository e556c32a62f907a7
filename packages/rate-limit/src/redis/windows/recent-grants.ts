import type { PermitNames, WindowGrant } from '../stores/window-store.ts'

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

  /** Takes out up to `cost` permits, the oldest first, and names them. */
  take(cost: number, now: number): PermitNames[] {
    this.#drop(now)
    const taken: PermitNames[] = []
    let rest = cost
    while (rest > 0 && this.#first < this.#numbers.length) {
      const [call, held] = this.#numbers.slice(this.#first, this.#first + 2) as [number, number]
      const count = Math.min(rest, held)
      taken.push({ nonce: RecentGrants.nonce(this.#identity, call), from: held - count, to: held })
      this.#numbers[this.#first + 1] = held - count
      if (count === held) this.#first += FIELDS
      rest -= count
    }
    return taken
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
