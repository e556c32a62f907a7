import { checkRange } from '@millrace/kit'
import type { Meter } from './meter.ts'

/** Below a microsecond clocks do not tell times apart, and everything would pass; beyond 30,000 years doubles do not. */
export function checkWindow(window: number): number {
  return checkRange('window', window, 1e-3, 1e15)
}

/** The arithmetic of a sliding window. */
export interface WindowMeter extends Meter {
  /** Lets nothing pass for `ms`, nor before the window has room. */
  pause(ms: number, now: number): void
  /** Forgets all that was spent, and the pause. */
  clear(): void
}
