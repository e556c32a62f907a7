import { InvalidOptionError } from '@millrace/kit'
import type { AcquireOptions } from '../wait/acquire-options.ts'

/** How a call waits for permits. */
export interface SemaphoreAcquireOptions extends Omit<AcquireOptions, 'cost'> {
  /** How many permits, given back as one; an alternative to the first argument. Default: 1 */
  readonly weight?: number | undefined
}

/**
 * The weight of `acquire(weight?, options?)`, whose options are known already.
 *
 * @throws {InvalidOptionError} where both say one, or `cost` is given, which is the word of limiters of a rate
 */
export function weightOf(
  first: number | SemaphoreAcquireOptions | undefined,
  options: SemaphoreAcquireOptions | undefined,
): number {
  const cost = (options as AcquireOptions | undefined)?.cost
  if (cost !== undefined) {
    throw new InvalidOptionError('cost', 'absent, as a semaphore takes a `weight`', cost)
  }
  const other = options?.weight
  if (typeof first === 'object' || first === undefined) return other === undefined ? 1 : other
  if (other !== undefined) {
    throw new InvalidOptionError('weight', 'absent beside the first argument', other)
  }
  return first
}

/** The options of a wait, which knows no weight. */
export function withoutWeight(
  options: SemaphoreAcquireOptions | undefined,
): AcquireOptions | undefined {
  if (options?.weight === undefined) return options
  const { weight: _, ...wait } = options
  return wait
}
