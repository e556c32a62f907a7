/** What a script call knows of a shard: the ground that its results stand on. */
export interface ShardMark {
  /** Number of the journal's life; 0 if there is none. */
  readonly incarnation: number
  readonly epoch: number
}

/** What came of an operation: the reply of its call, and where its results begin in it. */
export interface Answer {
  readonly reply: readonly unknown[]
  readonly from: number
}

/** The ground that an answer stands on. */
export function markOf({ reply }: Pick<Answer, 'reply'>): ShardMark {
  return { incarnation: reply[0] as number, epoch: reply[1] as number }
}

/** The server's time at which it answered, in ms since 1970. */
export function timeOf({ reply }: Pick<Answer, 'reply'>): number {
  return (reply[2] as number) / 1_000
}
