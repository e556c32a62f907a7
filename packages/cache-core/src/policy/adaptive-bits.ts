/*
 * The frequency byte of an entry under `Adaptive`, apart from what reads it, so that bundlers put the numbers in.
 */

/** Bit of the frequency byte: the entry is in the main queue. */
export const IN_MAIN = 4
/** Bit of the frequency byte: the key is one of those that `RecencyDuel` watches. Its entry never saturates, so each hit is told. */
export const SAMPLED = 8
/** The same bit with the two low ones: the entry was removed, its slot is still queued. No hit is told. */
export const DEAD = 11
export const MOST_SAMPLED_HITS = 2
/** The upper half of the frequency byte: how often the key was seen lately, within and before this stay in the cache. */
export const SIGHTS_SHIFT = 4
export const SIGHTS = 0xf0
