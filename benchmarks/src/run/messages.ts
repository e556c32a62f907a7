/** What the parent tells a child process, as one JSON argument. */
export type Task =
  | {
      readonly kind: 'round'
      readonly folder: string
      readonly suite: string
      readonly case: string
      /** `ours`, or the name of a peer. */
      readonly contender: string
      /** Measures one run for each message that it gets, and not all at once. */
      readonly inTurn?: boolean
      readonly quick: boolean
      readonly fixture: unknown
    }
  | {
      readonly kind: 'fixture'
      readonly folder: string
      readonly suite: string
      readonly case: string
      readonly quick: boolean
    }

/** What a child answers over the IPC channel. */
export type Answer =
  | { readonly kind: 'measured'; readonly value: number }
  | { readonly kind: 'ready'; readonly value: unknown }
  | { readonly kind: 'failed'; readonly message: string }

/** The contender name of our own side. */
export const ours = 'ours'
