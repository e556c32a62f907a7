import type { Gate } from '../wait/gate.ts'
import type { Waiter } from '../wait/waiter.ts'

/** The places of a semaphore: what permits are given back to. */
export class PermitCounter implements Gate<void> {
  readonly timed = false
  permits: number
  /** Permits held now. */
  active = 0
  /** Permits handed out so far. */
  granted = 0
  /** Called when a place has become free. */
  onVacancy: () => void = () => {}

  constructor(permits: number) {
    this.permits = permits
  }

  fits(weight: number): boolean {
    return this.active + weight <= this.permits
  }

  dueAt(weight: number, _ahead: number, now: number): number {
    return this.active + weight <= this.permits ? now : Infinity
  }

  admit({ cost }: Waiter): void {
    this.enter(cost)
  }

  enter(weight: number): void {
    this.active += weight
    this.granted += weight
  }

  leave(weight: number): void {
    this.active -= weight
    this.onVacancy()
  }
}
