import type { ChangeFeed } from './change-feed.ts'

/**
 * Which answers are current without a look, because a feed reports every change since they were found. An answer carries the mark that
 * {@link mark} gave it; it is current while {@link holds} its mark.
 */
export class Trust {
  feed: ChangeFeed | undefined
  /** Grows when anything may have changed. 0 is no epoch. */
  #epoch = 1
  /** Grows with every report: an answer found while it grew may be older than the report. */
  reports = 0

  /** The mark of an answer found just now. */
  mark(path: string): number {
    return this.feed?.covers(path) === true ? this.#epoch : 0
  }

  holds(mark: number): boolean {
    return mark === this.#epoch
  }

  /** Outdates all marks. */
  doubtAll(): void {
    this.#epoch++
    this.reports++
  }
}
