/** `up` is from the client to the server, `down` from the server to the client. */
export type Direction = 'up' | 'down'

/** What a {@link FaultProxy} does to bytes at this moment; shared by all its connections. */
export interface Faults {
  /** Added to the way of every chunk in each direction, in ms. */
  latency: number
  /** At most this much more, drawn per chunk, in ms. */
  jitter: number
  /** Directions in which bytes are held until the stall ends. */
  readonly stalled: Set<Direction>
  /** Whether the server's end has silently gone: bytes and closes get lost in both directions. */
  halfOpen: boolean
  /** Per direction, after how many bytes a connection is reset. */
  readonly cutAfter: Map<Direction, number>
}
