import type { ReportedChanges } from './watch-source.ts'

/** What the thread that watches is started with. */
export interface WatchWorkerData {
  readonly root: string
  readonly ignore: readonly string[]
  /** Paths held at most while the other thread is busy. */
  readonly maxPending: number
  /** ms for which changes wait for others. */
  readonly delay: number
  /** ms after which it begins. */
  readonly startAfter: number
}

/** To the thread that watches. */
export type WatchRequest =
  | { readonly kind: 'settle'; readonly id: number }
  /** A report has been dealt with: the next may come. */
  | { readonly kind: 'taken' }
  | { readonly kind: 'close' }

/** From the thread that watches. */
export type WatchReply =
  | { readonly kind: 'ready'; readonly complete: boolean }
  | { readonly kind: 'changes'; readonly changes: ReportedChanges }
  | { readonly kind: 'settled'; readonly id: number; readonly complete: boolean }
