/** An origin that needs places for sockets. */
export interface Demand {
  readonly connectionCount: number
  /** There may be a place for it. */
  pump(): void
}

/** A connection without a request, in the budget's list of them. */
export interface Idle {
  readonly owner: Demand
  isIdle: boolean
  olderIdle: Idle | null
  newerIdle: Idle | null
  retire(): void
}

/**
 * The places for sockets that all origins of a pool share.
 *
 * An origin that needs one takes a free place, or the place of whichever connection has been idle for
 * longest, or waits. Places go to waiting origins in the order in which they began to wait; a busy origin
 * gives up connections for a waiting one only until both have as many, so that full load does not turn
 * into an endless exchange of handshakes.
 */
export class SocketBudget {
  readonly limit: number
  /** Places taken: connections that exist, and sockets that have not closed yet. */
  taken = 0
  /** Connections closed to make room for another origin. */
  evicted = 0
  #oldestIdle: Idle | null = null
  #newestIdle: Idle | null = null
  readonly #starving = new Set<Demand>()
  /** Places that are being freed for an origin that waits. */
  #freeing = 0
  /** Places of sockets that callers have taken over. */
  #lent = 0
  #allFree: PromiseWithResolvers<void> | undefined

  constructor(limit: number) {
    this.limit = limit
  }

  /** Takes a place at once, or sees to it that `origin.pump()` is called when there is one. */
  take(origin: Demand): boolean {
    if (this.taken < this.limit) {
      this.taken++
      this.#starving.delete(origin)
      return true
    }
    this.#starving.add(origin)
    this.#makeRoom()
    return false
  }

  /** An origin that no longer needs a place. */
  leave(origin: Demand): void {
    this.#starving.delete(origin)
  }

  /** A socket has closed. */
  free(): void {
    this.taken--
    if (this.#freeing > 0) this.#freeing--
    for (const origin of this.#starving) {
      if (this.taken >= this.limit) break
      this.#starving.delete(origin)
      origin.pump()
    }
    this.#settle()
  }

  /** A socket speaks another protocol from now on: it keeps its place, and closing the pool does not wait for it. */
  lend(): void {
    this.#lent++
    this.#settle()
  }

  /** Such a socket has closed. */
  giveBack(): void {
    this.#lent--
    this.free()
  }

  /** Resolves once all sockets have closed that are not lent. */
  whenFree(): Promise<void> {
    this.#allFree ??= Promise.withResolvers()
    const { promise } = this.#allFree
    this.#settle()
    return promise
  }

  /** Whether `connection`, which just finished a request, is better closed for the sake of a starving origin. */
  wants(connection: Idle): boolean {
    const own = connection.owner
    for (const origin of this.#starving) {
      if (origin === own) continue
      if (origin.connectionCount + this.#freeing + 1 < own.connectionCount) return true
    }
    return false
  }

  /** Closes a busy origin's connection for one that starves. */
  reclaim(connection: Idle): void {
    this.#freeing++
    this.evicted++
    connection.retire()
  }

  addIdle(connection: Idle): void {
    connection.isIdle = true
    connection.olderIdle = this.#newestIdle
    if (this.#newestIdle === null) this.#oldestIdle = connection
    else this.#newestIdle.newerIdle = connection
    this.#newestIdle = connection
    if (this.#starving.size > 0) this.#makeRoom()
  }

  removeIdle(connection: Idle): void {
    if (!connection.isIdle) return
    connection.isIdle = false
    const { olderIdle, newerIdle } = connection
    if (olderIdle === null) this.#oldestIdle = newerIdle
    else olderIdle.newerIdle = newerIdle
    if (newerIdle === null) this.#newestIdle = olderIdle
    else newerIdle.olderIdle = olderIdle
    connection.olderIdle = null
    connection.newerIdle = null
  }

  #settle(): void {
    if (this.taken > this.#lent) return
    this.#allFree?.resolve()
    this.#allFree = undefined
  }

  #makeRoom(): void {
    while (this.#freeing < this.#starving.size && this.#oldestIdle !== null) {
      const victim = this.#oldestIdle
      this.#freeing++
      this.evicted++
      victim.retire()
    }
  }
}
