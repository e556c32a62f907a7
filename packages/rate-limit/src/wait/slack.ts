/** Rounding in sums of many intervals must not cost a call another timer, ms. */
export const SLACK = 1e-6
