import type { Admission } from '../wait/acquire-options.ts'

/** What every call that need not wait receives: one promise for all, so that the fast path allocates nothing. */
export const NO_WAIT: Promise<Admission> = Promise.resolve(Object.freeze({ waited: 0 }))
