import { randomUUID } from 'node:crypto'
import { type Clock, setAwaitedTimer, type Timer } from '@millrace/kit'
import { LeaseLostError } from '../../errors.ts'

/** A place in the semaphore that this process has. */
export interface Place {
  /** What the holder is called in the store. */
  readonly holder: string
  /** Permits that it holds. */
  readonly weight: number
  /** 0 for a place that the store has not given. */
  readonly fence: number
  /** When its lease ends unless it is renewed, ms on the local clock; Infinity while the store does not know of it. */
  until: number
}

/** A name for a holder in the store, which counts by it how much is held. */
export function newHolder(weight: number): string {
  return weight === 1 ? randomUUID() : `${randomUUID()}*${weight}`
}

export interface HeldPermitsOptions {
  readonly name: string
  readonly clock: Clock
  /** For how long a lease lasts, in ms. */
  readonly ttl: number
  /** Renews leases. @returns 1 or 0 for each: 0 if it was lost @throws (by rejection) where the store is away */
  renew(holders: readonly string[]): Promise<readonly number[]>
  /** Whether a place whose lease ends without a store stays held all the same. */
  keeps(place: Place): boolean
}

interface Holding {
  readonly place: Place
  readonly controller: AbortController
}

/** The permits that this process holds: renewed every third of a lease, and told in time when they are lost. */
export class HeldPermits {
  readonly #options: HeldPermitsOptions
  readonly #held = new Map<string, Holding>()
  #heartbeat: Timer | undefined = undefined
  /** Permits lost while they were held. */
  lost = 0

  constructor(options: HeldPermitsOptions) {
    this.#options = options
  }

  /** Between two renewals, in ms: permits that would not last until the next are lost. */
  get beat(): number {
    return this.#options.ttl / 3
  }

  get size(): number {
    return this.#held.size
  }

  /** Permits held in all. */
  get permits(): number {
    let permits = 0
    for (const { place } of this.#held.values()) permits += place.weight
    return permits
  }

  get places(): Place[] {
    return Array.from(this.#held.values(), ({ place }) => place)
  }

  get(holder: string): Place | undefined {
    return this.#held.get(holder)?.place
  }

  /** Holds a place, also one that is held already. @returns a signal that aborts when the place is lost */
  add(place: Place): AbortSignal {
    const known = this.#held.get(place.holder)
    if (known !== undefined) return known.controller.signal
    const controller = new AbortController()
    this.#held.set(place.holder, { place, controller })
    this.#arm()
    return controller.signal
  }

  remove(holder: string): void {
    this.#held.delete(holder)
    if (this.#held.size > 0) return
    this.#heartbeat?.cancel()
    this.#heartbeat = undefined
  }

  #arm(): void {
    this.#heartbeat ??= setAwaitedTimer(
      this.#options.clock,
      () => {
        this.#heartbeat = undefined
        void this.#renew()
      },
      this.beat,
    )
  }

  async #renew(): Promise<void> {
    const { clock, ttl, renew } = this.#options
    const holders = this.places.filter(({ until }) => until < Infinity).map(({ holder }) => holder)
    const until = clock.now() + ttl
    try {
      const kept = holders.length === 0 ? [] : await renew(holders)
      for (const [index, holder] of holders.entries()) {
        const holding = this.#held.get(holder)
        if (holding === undefined) continue
        if (kept[index] === 1) holding.place.until = until
        else this.#lose(holding)
      }
    } catch (error) {
      this.#expire(error)
    }
    if (this.#held.size > 0) this.#arm()
  }

  /** The store cannot be reached: permits whose lease ends before the next try count as lost. */
  #expire(cause: unknown): void {
    const { clock, keeps } = this.#options
    const next = clock.now() + this.beat
    for (const holding of [...this.#held.values()]) {
      const { place } = holding
      if (place.until <= next && !keeps(place)) this.#lose(holding, cause)
    }
  }

  #lose({ place, controller }: Holding, cause?: unknown): void {
    this.#held.delete(place.holder)
    this.lost++
    const { name } = this.#options
    controller.abort(new LeaseLostError(name, cause === undefined ? undefined : { cause }))
  }
}
