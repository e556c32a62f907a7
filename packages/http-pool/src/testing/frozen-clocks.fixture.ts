import { monotonicClock } from '@millrace/kit'
import { vi } from 'vitest'

/**
 * Stops the clocks that a cache reads: the wall clock until a test moves it by `vi.setSystemTime`, and the monotonic one altogether. One
 * that went on would tell of a wall clock set back, as soon as the machine is slow.
 *
 * @param now the wall clock, in ms since 1970; default what it says
 */
export function freezeClocks(now: number = Date.now()): void {
  vi.useFakeTimers({ toFake: ['Date'], now })
  vi.spyOn(monotonicClock, 'now').mockReturnValue(monotonicClock.now())
}

/** Undoes {@link freezeClocks}. */
export function releaseClocks(): void {
  vi.mocked(monotonicClock.now).mockRestore()
  vi.useRealTimers()
}
