import type { RemovalReason } from '../kernel.ts'
import type { Advisor } from './advisor.ts'
import type { Departures } from './departures.ts'

/** What a kernel tells where somebody wants advice or explanations. */
export class Observer<K> {
  readonly advisor: Advisor<K> | null
  readonly departures: Departures<K> | null

  constructor(advisor: Advisor<K> | null, departures: Departures<K> | null) {
    this.advisor = advisor
    this.departures = departures
  }

  /** A key was read. `weight` is that of its entry, undefined if there was none. */
  read(key: K, weight: number | undefined): void {
    this.advisor?.read(key, weight)
  }

  stored(key: K, weight: number): void {
    this.advisor?.stored(key, weight)
  }

  /** A value of `key` was not stored. */
  refused(key: K, reason: 'refused' | 'discarded' | 'failed' = 'refused'): void {
    this.departures?.note(key, reason)
  }

  removed(key: K, reason: RemovalReason): void {
    if (reason !== 'evicted' && reason !== 'resized' && reason !== 'replaced') {
      this.advisor?.removed(key)
    }
    if (reason !== 'replaced') this.departures?.note(key, reason)
  }

  cleared(): void {
    this.advisor?.clear()
    this.departures?.clear()
  }
}
