import type { Clock } from '@millrace/kit'
import { DeadlineHeap } from '../time/deadline-heap.ts'
import { type Demand, SocketBudget } from './socket-budget.ts'
import { StreamWatch } from './stream-watch.ts'

/** The bounds that hold for all origins of a pool together. */
export interface LoadLimits {
  readonly totalConnections: number
  readonly totalConcurrency: number
  readonly maxQueue: number
}

/** What the origins of a pool share: its time, its places for sockets, and how much waits and runs. */
export class PoolLoad {
  readonly clock: Clock
  readonly deadlines: DeadlineHeap
  readonly sockets: SocketBudget
  readonly streams: StreamWatch = new StreamWatch()
  /** Origins with attempts that wait for `totalConcurrency`. */
  readonly blocked: Set<Demand> = new Set()
  /** Attempts in queues. */
  queued = 0
  /** Attempts on connections. */
  inFlight = 0
  readonly #limits: LoadLimits

  constructor(limits: LoadLimits, clock: Clock) {
    this.#limits = limits
    this.clock = clock
    this.deadlines = new DeadlineHeap(clock)
    this.sockets = new SocketBudget(limits.totalConnections)
  }

  /** Attempts that may wait in all queues together. */
  get maxQueue(): number {
    return this.#limits.maxQueue
  }

  /** Whether one attempt more is one too many, whatever its origin. */
  get isFull(): boolean {
    return this.inFlight >= this.#limits.totalConcurrency
  }

  /** An attempt has ended: origins that waited for that go on, the first first. */
  pumpBlocked(): void {
    for (const origin of this.blocked) {
      if (this.isFull) return
      this.blocked.delete(origin)
      origin.pump()
    }
  }
}
