import type { Answer, ShardMark } from './script-line.ts'

/** The ground that an answer stands on. */
export function markOf({ reply }: Answer): ShardMark {
  return { incarnation: reply[0] as number, epoch: reply[1] as number }
}

/** The server's time at which it answered, in ms since 1970. */
export function timeOf({ reply }: Answer): number {
  return (reply[2] as number) / 1_000
}
