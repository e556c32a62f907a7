/** How late, in ms, timers are on a thread that is merely busy. */
const BUSY = 10

/**
 * ms for which to wait on when a time-out is found to be `late` ms overdue: the thread was blocked so long, and the answer, which may have
 * come in time, could not be read. No longer than the time-out itself, and not again after that.
 */
export function graceAfter(late: number, timeout: number): number {
  return late > BUSY ? Math.min(late, timeout) : 0
}
