/** Mean, variance and lag-1 autocorrelation of successive values. */
export interface Sample {
  readonly size: number
  readonly mean: number
  /** With Bessel's correction. */
  readonly variance: number
  /** From 0 to 0.95; an estimate below 0 counts as 0. */
  readonly autocorrelation: number
}

export function sampleOf(values: readonly number[]): Sample {
  const size = values.length
  const mean = values.reduce((sum, value) => sum + value, 0) / size
  let squares = 0
  let products = 0
  for (let i = 0; i < size; i++) {
    squares += (values[i]! - mean) ** 2
    if (i > 0) products += (values[i]! - mean) * (values[i - 1]! - mean)
  }
  // The estimate of a short series is too low by about (1 + 4 rho) / n (Marriott and Pope).
  const estimate = squares > 0 ? products / squares : 0
  const autocorrelation = Math.min(0.95, Math.max(0, (size * estimate + 1) / (size - 4)))
  return { size, mean, variance: squares / Math.max(1, size - 1), autocorrelation }
}

/** How many independent values tell as much of the mean as these, of which neighbours resemble each other. At least 1. */
export function effectiveSize({ size, autocorrelation }: Sample): number {
  return Math.max(1, (size * (1 - autocorrelation)) / (1 + autocorrelation))
}
