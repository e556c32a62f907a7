/** Sees every update of a series besides its numbers: exemplars, and the last values kept raw. */
export interface SampleListener {
  record(value: number): void
}

/** One tap for both, or `null` where there is neither: what a hot path tests once. */
export function joinListeners(
  a: SampleListener | undefined,
  b: SampleListener | undefined,
): SampleListener | null {
  if (a === undefined || b === undefined) return a ?? b ?? null
  return {
    record(value) {
      a.record(value)
      b.record(value)
    },
  }
}
