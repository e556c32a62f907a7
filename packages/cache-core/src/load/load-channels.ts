import { OperationChannels } from '@millrace/kit'

/** Published on `millrace:cache:load:start` and, the same object, on `millrace:cache:load:end`. */
export interface LoadMessage {
  /** Keys the loader was called for: one, except in `getOrLoadMany`. */
  readonly keys: readonly unknown[]
  /** Whether callers wait for it: `false` for a refresh in the background. */
  readonly awaited: boolean
  /** Why it failed. Absent at the start and where it succeeded. */
  error?: unknown
}

export const loadChannels: OperationChannels<LoadMessage> = new OperationChannels(
  'millrace:cache:load',
)
