/**
 * ms for which a test of something else waits for Redis. On a machine that stalls for seconds neither does Redis answer nor can its answer
 * be read, and the defaults are shorter than that.
 */
const PATIENCE = 60_000

/** Options of what talks to Redis. */
export const PATIENT = { timeout: PATIENCE } as const

/** Options of tiers over it. */
export const PATIENT_TIERS = { storeTimeout: PATIENCE } as const
