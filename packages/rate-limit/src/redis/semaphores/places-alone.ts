import type { Clock } from '@millrace/kit'
import type { Attempt } from '../limit/remote-queue.ts'
import type { Outage } from '../outage/outage.ts'
import { type HeldPermits, newHolder, type Place } from '../stores/held-permits.ts'
import type { SemaphoreStore } from '../stores/semaphore-store.ts'
import type { SemaphoreOutageMode } from './semaphore-options.ts'

export interface PlacesAloneOptions {
  readonly permits: number
  /** How long to wait between two tries, in ms. */
  readonly poll: number
  readonly held: HeldPermits
  readonly store: SemaphoreStore
  readonly outage: Outage<SemaphoreOutageMode, true>
  readonly clock: Clock
}

/** The places that this process gives without Redis, of its share or of those that it has had released, and how Redis is told of them. */
export class PlacesAlone {
  readonly #options: PlacesAloneOptions
  /** Released while Redis was away, with leases that still run. */
  readonly #spare: Place[] = []

  constructor(options: PlacesAloneOptions) {
    this.#options = options
  }

  /** Permits of this process while Redis is away. Rounded down: one too many would not be bounded at all. */
  get share(): number {
    return Math.floor(this.#options.permits / this.#options.outage.divisor)
  }

  /** @throws the store's error where not even the return of a permit within this process can help */
  enter(weight: number, error: Error): Attempt<Place> {
    const { poll, outage, held } = this.#options
    const local = outage.mode === 'local'
    const place = local ? this.#takeShare(weight) : this.#takeSpare(weight)
    if (place !== undefined) return { granted: true, value: place }
    if (local ? this.share < weight : held.size === 0) throw error
    return { granted: false, retryIn: poll }
  }

  /** Whether a permit whose lease ends while Redis is away goes on as one of this process' share. */
  keeps(place: Place): boolean {
    const { outage } = this.#options
    if (outage.mode !== 'local' || this.#options.held.permits > this.share) return false
    place.until = Infinity
    outage.owe(place.holder, true)
    return true
  }

  /** Notes a holder that has left, of which Redis could not be told. If that is later than the end of its lease the place is free already. */
  left(place: Place): void {
    const { outage } = this.#options
    outage.owe(place.holder, true)
    if (outage.mode === 'lease') this.#spare.push(place)
  }

  /** Tells Redis what became of a holder while it was away. */
  async tell(holder: string): Promise<void> {
    const { store, held } = this.#options
    const place = held.get(holder)
    if (place !== undefined) return store.restore(place)
    // No other takes it over while Redis is told that it is free.
    const index = this.#spare.findIndex(spare => spare.holder === holder)
    const [spare] = index < 0 ? [] : this.#spare.splice(index, 1)
    try {
      await store.leave(holder)
    } catch (error) {
      if (spare !== undefined) this.#spare.push(spare)
      throw error
    }
  }

  #takeShare(weight: number): Place | undefined {
    const { held, outage } = this.#options
    if (held.permits + weight > this.share) return undefined
    const place = { holder: newHolder(weight), weight, fence: 0, until: Infinity }
    // From now on: calls that find Redis away together share what there is before the first of them has its permit.
    held.add(place)
    outage.owe(place.holder, true)
    return place
  }

  #takeSpare(weight: number): Place | undefined {
    const { clock, held } = this.#options
    // It must last until its holder is told of its end.
    const earliest = clock.now() + held.beat
    const index = this.#spare.findIndex(place => place.weight === weight && place.until > earliest)
    return index < 0 ? undefined : this.#spare.splice(index, 1)[0]
  }
}
