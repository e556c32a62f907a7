import { checkInteger, checkOneOf } from '@millrace/kit'

/**
 * What a limiter does while its store is not available:
 * - `'closed'`: nobody passes; calls fail with {@link LimitStoreUnavailableError}
 * - `'open'`: everybody passes
 * - `'local'`: each process keeps to its share, the limit divided by the processes known last
 * - `'lease'`: what this process holds of the store already is used up first
 *
 * What passes without the store is entered there when it is back. Not every limiter has every mode: see its options.
 */
export type OutageMode = 'closed' | 'open' | 'local' | 'lease'

export interface OutageOptions<Mode extends OutageMode> {
  readonly whenDown: Mode
  /** As how many processes this one counts itself until it has heard from the store; default 1. */
  readonly processes?: number | undefined
}

/** @returns the options, known to be modes that the limiter has and a number of processes */
export function outageOptions<Mode extends OutageMode>(
  { whenDown, processes = 1 }: OutageOptions<Mode>,
  modes: readonly Mode[],
): { mode: Mode; processes: number } {
  return {
    mode: checkOneOf('whenDown', whenDown, modes),
    processes: checkInteger('processes', processes, 1),
  }
}
