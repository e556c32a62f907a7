import type { AcquireOptions } from '../wait/acquire-options.ts'

/** How a call waits for permits. */
export interface SemaphoreAcquireOptions extends Omit<AcquireOptions, 'cost'> {
  /** How many permits, given back as one; an alternative to the first argument. Default: 1 */
  readonly weight?: number | undefined
}

/** The weight of `acquire(weight?, options?)`, whose options are known already. */
export function weightOf(
  first: number | SemaphoreAcquireOptions | undefined,
  options: SemaphoreAcquireOptions | undefined,
): number {
  const weight = typeof first === 'object' || first === undefined ? options?.weight : first
  return weight === undefined ? 1 : weight
}

/** The options of a wait, which knows no weight. */
export function withoutWeight(
  options: SemaphoreAcquireOptions | undefined,
): AcquireOptions | undefined {
  if (options?.weight === undefined) return options
  const { weight: _, ...wait } = options
  return wait
}
