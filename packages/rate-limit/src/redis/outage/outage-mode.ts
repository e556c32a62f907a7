/**
 * What a limiter does while its store is not available:
 * - `'closed'`: no call passes; calls fail with {@link LimitStoreUnavailableError}
 * - `'open'`: every call passes
 * - `'local'`: each process keeps to its share, the limit divided by the processes known last
 * - `'lease'`: what this process holds of the store already is used up first
 *
 * What passes without the store is entered there when it is back. Not every limiter has every mode: see its options.
 */
export type OutageMode = 'closed' | 'open' | 'local' | 'lease'
