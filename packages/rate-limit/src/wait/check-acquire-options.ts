import type { AcquireOptions } from '../limiter/rate-limiter.ts'
import { checkPriority, DEFAULT_PRIORITY } from './priority-order.ts'
import { checkBounds } from './wait-bounds.ts'

/** @throws {InvalidOptionError} for what no caller can wait with, whether it has to or not */
export function checkAcquireOptions(options: AcquireOptions): void {
  checkPriority(options.priority ?? DEFAULT_PRIORITY)
  checkBounds(options)
}
