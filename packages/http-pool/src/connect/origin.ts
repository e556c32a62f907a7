import { PoolQueueFullError } from '../errors.ts'
import type { HostGuard } from '../host/host-guard.ts'
import { checkLimiter, type Limiter } from '../limits/limiter.ts'
import type { OriginSettings } from '../options/origin-settings.ts'
import type { Carried } from './carried.ts'
import { Connection, type ConnectionOwner } from './connection.ts'
import { type Counters, zeroCounters } from './counters.ts'
import { IdleLimit } from './idle-limit.ts'
import type { PoolLoad } from './pool-load.ts'
import { WaitQueue } from './wait-queue.ts'

/**
 * The connections to one origin and the attempts that wait for one.
 *
 * An attempt gets, in this order: the connection that was used last and is free, a new connection if the
 * caps allow one, a place in the queue. A connection that becomes free goes straight to the attempt
 * that has waited longest.
 */
export class Origin implements ConnectionOwner {
  readonly load: PoolLoad
  /** `scheme://host:port`. */
  readonly key: string
  readonly url: URL
  readonly settings: OriginSettings
  /** Absent where no feature judges the host. */
  readonly guard: HostGuard | undefined
  readonly limiter: Limiter | undefined
  readonly counters: Counters = zeroCounters()
  /** Requests that have not ended; some have no connection and are in no queue. */
  exchanges = 0
  readonly #connections: Connection[] = []
  /** Connections that can take one more request, the most recently used last. */
  readonly #available: Connection[] = []
  readonly #waiting = new WaitQueue()
  readonly #idleLimit = new IdleLimit()
  #connecting = 0
  #inFlight = 0
  /** Over TLS the first handshake tells; until then one connection at a time is opened. */
  #protocol: 'unknown' | 'h1' | 'h2'

  constructor(load: PoolLoad, key: string, settings: OriginSettings, guard: HostGuard | undefined) {
    this.load = load
    this.key = key
    this.url = new URL(key)
    this.settings = settings
    this.guard = guard
    const { limiter } = settings
    this.limiter =
      typeof limiter === 'function'
        ? checkLimiter(
            'limiter',
            limiter(key),
            'a function that makes an object with a method acquire',
          )
        : limiter
    this.#protocol = settings.allowH2 && this.url.protocol === 'https:' ? 'unknown' : 'h1'
  }

  get connectionCount(): number {
    return this.#connections.length
  }

  get inFlight(): number {
    return this.#inFlight
  }

  get queued(): number {
    return this.#waiting.size
  }

  /** Connections with an open socket. */
  get open(): number {
    return this.#count(connection => connection.isOpen)
  }

  /** Open connections without a request. */
  get idle(): number {
    return this.#count(connection => connection.isIdle && connection.isOpen)
  }

  /** Whether nothing is lost but its counts if it is forgotten. */
  isUnused(now: number): boolean {
    const isIdle = this.#connections.length === 0 && this.exchanges === 0
    return isIdle && this.guard?.keepsOut(now) !== true
  }

  /** Sends an attempt now, or lets it wait. */
  place(carried: Carried): void {
    if (this.#waiting.size === 0 && this.#start(carried)) return
    const { load } = this
    if (load.queued >= load.maxQueue) {
      if (this.#waiting.size === 0) this.#leaveLines()
      carried.fail(new PoolQueueFullError(load.maxQueue, this.key))
      return
    }
    load.queued++
    this.#waiting.push(carried)
    carried.onQueued()
  }

  /** Takes an attempt out of the queue. */
  unqueue(carried: Carried): void {
    this.#waiting.remove(carried)
    this.load.queued--
    if (this.#waiting.size === 0) this.#leaveLines()
  }

  /** Gives waiting attempts whatever there is. */
  pump(): void {
    for (let head = this.#waiting.head; head !== null; head = this.#waiting.head) {
      if (!this.#start(head)) return
    }
    this.#leaveLines()
  }

  /** An attempt is over. */
  release(connection: Connection, failed: boolean): void {
    const { load } = this
    connection.active--
    this.#inFlight--
    load.inFlight--
    if (!connection.retired) this.#restore(connection, failed)
    if (this.#waiting.size > 0) this.pump()
    // A waiting attempt may have taken it. If not, other origins may have its place.
    if (connection.active === 0 && !connection.retired) {
      connection.idleSince = load.clock.now()
      load.sockets.addIdle(connection)
    }
    if (load.blocked.size > 0) load.pumpBlocked()
  }

  onConnect(connection: Connection): void {
    // Over HTTP/2 it may soon carry all that wait: no other is opened before it has said how many.
    if (!connection.isH2 || connection.active === 0) this.#endConnecting(connection)
    this.#protocol = connection.isH2 ? 'h2' : 'h1'
    if (connection.active < connection.capacity && !connection.retired) this.#offer(connection)
    this.pump()
  }

  onCapacity(connection: Connection): void {
    this.#endConnecting(connection)
    if (connection.active < connection.capacity) this.#offer(connection)
    else remove(this.#available, connection)
    this.pump()
  }

  /** The socket of a connection in use has closed. Its request fails or is sent again by undici. */
  onDisconnect(connection: Connection): void {
    if (connection.active > 0) return
    if (connection.isIdle) this.#idleLimit.onClosed(this.load.clock.now() - connection.idleSince)
    connection.retire()
  }

  drain(connection: Connection): void {
    remove(this.#available, connection)
  }

  forget(connection: Connection): void {
    this.load.sockets.removeIdle(connection)
    remove(this.#connections, connection)
    remove(this.#available, connection)
    this.#endConnecting(connection)
  }

  /** Closes all idle connections: they are older than one that was found dead. */
  retireIdle(): void {
    for (const connection of this.#available.slice()) {
      if (connection.active === 0) connection.retire()
    }
  }

  /** Closes everything, at once. */
  destroy(error: Error): void {
    for (let head = this.#waiting.head; head !== null; head = this.#waiting.head) head.fail(error)
    for (const connection of this.#connections.slice()) connection.retire()
  }

  #start(carried: Carried): boolean {
    const { load } = this
    if (load.isFull) {
      load.blocked.add(this)
      return false
    }
    if (this.#inFlight >= this.settings.concurrencyPerHost) return false
    const connection = this.#take() ?? this.#open()
    if (connection === undefined) return false
    this.#inFlight++
    load.inFlight++
    if (carried.isQueued) {
      this.#waiting.remove(carried)
      load.queued--
      // It is another request that made room: what undici publishes must not be taken for its doing.
      carried.scope.runInAsyncScope(carried.send, carried, connection)
    } else {
      carried.send(connection)
    }
    return true
  }

  #take(): Connection | undefined {
    let connection = this.#available.at(-1)
    while (connection?.isIdle === true && this.#isTooOld(connection)) {
      this.#idleLimit.onRetired()
      connection.retire()
      connection = this.#available.at(-1)
    }
    if (connection === undefined) return undefined
    if (connection.isIdle) this.load.sockets.removeIdle(connection)
    if (connection.active + 1 >= connection.capacity) this.#available.pop()
    return connection
  }

  #isTooOld(connection: Connection): boolean {
    const { value } = this.#idleLimit
    if (value === Infinity) return false
    return this.load.clock.now() - connection.idleSince >= value
  }

  #open(): Connection | undefined {
    if (this.#connections.length >= this.settings.connectionsPerHost) return undefined
    // A handshake in progress may bring a connection that carries all who wait.
    if (this.#protocol !== 'h1' && this.#connecting > 0) return undefined
    if (!this.load.sockets.take(this)) return undefined
    const connection = new Connection(this)
    connection.isProbing = true
    this.#connecting++
    this.#connections.push(connection)
    return connection
  }

  #restore(connection: Connection, failed: boolean): void {
    const isLast = connection.active === 0
    if ((failed && !connection.isH2) || (isLast && (connection.isDraining || !connection.isOpen))) {
      connection.retire()
      return
    }
    if (connection.isDraining) return
    const { sockets } = this.load
    if (isLast && sockets.wants(connection)) {
      sockets.reclaim(connection)
      return
    }
    this.#offer(connection)
  }

  #offer(connection: Connection): void {
    const hasRoom = !connection.isH2 || connection.active < connection.capacity
    if (hasRoom && (!connection.isH2 || !this.#available.includes(connection))) {
      this.#available.push(connection)
    }
  }

  #endConnecting(connection: Connection): void {
    if (!connection.isProbing) return
    connection.isProbing = false
    this.#connecting--
  }

  #leaveLines(): void {
    this.load.sockets.leave(this)
    this.load.blocked.delete(this)
  }

  #count(matches: (connection: Connection) => boolean): number {
    let sum = 0
    for (const connection of this.#connections) if (matches(connection)) sum++
    return sum
  }
}

function remove<T>(array: T[], item: T): void {
  const index = array.indexOf(item)
  if (index !== -1) array.splice(index, 1)
}
