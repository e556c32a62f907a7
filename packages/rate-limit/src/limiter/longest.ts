/** The longest that a key is blocked, or anything is kept in Redis, in ms: 31 years, which doubles of microseconds hold to the microsecond. */
export const LONGEST = 1e12
