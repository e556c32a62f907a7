import type { Meter } from './meter.ts'

/** The arithmetic of a sliding window. */
export interface WindowMeter extends Meter {
  /** Lets nothing pass for `ms`, nor before the window has room. */
  pause(ms: number, now: number): void
  /** Forgets all that was spent, and the pause. */
  clear(): void
}
