import type { Stage } from './stage-clock.ts'

/** What is remembered of a tree's last cold run, for later runs to be compared with. */
export interface RunSummary {
  /** From the first stage to the report, in ms. */
  readonly total: number
  readonly files: number
  readonly stages: readonly Stage[]
}
