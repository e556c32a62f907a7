import type { Gate } from '../wait/gate.ts'

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

  get free(): boolean {
    return this.active < this.permits
  }

  dueAt(_cost: number, _ahead: number, now: number): number {
    return this.free ? now : Infinity
  }

  admit(): void {
    this.active++
    this.granted++
  }

  leave(): void {
    this.active--
    this.onVacancy()
  }
}
