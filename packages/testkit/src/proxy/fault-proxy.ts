import { once } from 'node:events'
import { connect, createServer, type Server, type Socket } from 'node:net'
import { type ReservedPort, reservePort } from '../net/free-port.ts'
import { seededRandom } from '../random/seeded-random.ts'
import type { Direction, Faults } from './faults.ts'
import { Pipe } from './pipe.ts'

/** Options of {@link FaultProxy.start}. */
export interface FaultProxyOptions {
  /** Port of the server behind the proxy. */
  readonly target: number
  /** Host of that server; default `127.0.0.1`. */
  readonly host?: string
  /** Seed of the jitter; default 0. */
  readonly seed?: number
}

/** Counters of a {@link FaultProxy}. */
export interface FaultProxyStats {
  /** Connections open now. */
  readonly connections: number
  /** Connections accepted since the start. */
  readonly accepted: number
  /** Bytes carried from clients to the server. */
  readonly bytesUp: number
  /** Bytes carried from the server to clients. */
  readonly bytesDown: number
}

interface Link {
  readonly client: Socket
  readonly server: Socket
  readonly up: Pipe
  readonly down: Pipe
}

const directions: readonly Direction[] = ['up', 'down']

/**
 * A TCP proxy on a port of 127.0.0.1 that puts network faults between a client and a real server. Faults take effect at
 * once, on present connections too, and last until {@link heal}.
 */
export class FaultProxy {
  readonly port: number
  /** Nobody else's while it refuses. */
  readonly #reserved: ReservedPort
  readonly #listener: Server
  readonly #links = new Set<Link>()
  readonly #faults: Faults = {
    latency: 0,
    jitter: 0,
    stalled: new Set(),
    halfOpen: false,
    cutAfter: new Map(),
  }
  #accepted = 0
  #past = { up: 0, down: 0 }

  private constructor(
    listener: Server,
    reserved: ReservedPort,
    target: number,
    host: string,
    seed: number,
  ) {
    this.#listener = listener
    this.#reserved = reserved
    this.port = reserved.number
    const random = seededRandom(seed)
    listener.on('connection', client => this.#accept(client, connect(target, host), random))
  }

  /** Starts listening on a free port. */
  static async start({
    target,
    host = '127.0.0.1',
    seed = 0,
  }: FaultProxyOptions): Promise<FaultProxy> {
    const reserved = await reservePort()
    const listener = createServer({ allowHalfOpen: true }).listen(reserved.number, '127.0.0.1')
    await once(listener, 'listening')
    return new FaultProxy(listener, reserved, target, host, seed)
  }

  stats(): FaultProxyStats {
    let { up, down } = this.#past
    for (const link of this.#links) {
      up += link.up.carried
      down += link.down.carried
    }
    return {
      connections: this.#links.size,
      accepted: this.#accepted,
      bytesUp: up,
      bytesDown: down,
    }
  }

  /** Delays every chunk by `ms`, and by up to `jitter` ms more; the order of bytes is kept. */
  latency(ms: number, jitter = 0): void {
    this.#faults.latency = ms
    this.#faults.jitter = jitter
  }

  /** Holds all bytes, in one direction or both, until {@link heal} delivers them. Connecting still succeeds. */
  stall(direction?: Direction): void {
    for (const each of direction === undefined ? directions : [direction]) {
      this.#faults.stalled.add(each)
    }
  }

  /** Lets the server's end vanish without a word: bytes get lost, closes are not passed on, connecting still succeeds. */
  halfOpen(): void {
    this.#faults.halfOpen = true
    this.#pump()
  }

  /** Resets the present connections (RST) and returns how many there were. */
  cut(): number {
    const links = [...this.#links]
    for (const link of links) this.#reset(link)
    return links.length
  }

  /**
   * Resets each connection once it has carried `bytes` in that direction, counted from now; these bytes still arrive.
   */
  cutAfter(bytes: number, direction: Direction = 'down'): void {
    this.#faults.cutAfter.set(direction, bytes)
    for (const link of this.#links) link[direction].recount()
  }

  /** Closes the port, so that connecting fails with ECONNREFUSED; present connections go on. */
  refuse(): void {
    this.#listener.close()
  }

  /**
   * Ends all faults: held bytes are delivered, the port is open again. Connections that were half open are reset, as
   * their bytes are gone.
   */
  async heal(): Promise<void> {
    if (this.#faults.halfOpen) this.cut()
    this.#faults.latency = 0
    this.#faults.jitter = 0
    this.#faults.halfOpen = false
    this.#faults.stalled.clear()
    this.#faults.cutAfter.clear()
    if (!this.#listener.listening) {
      this.#listener.listen(this.port, '127.0.0.1')
      await once(this.#listener, 'listening')
    }
    this.#pump()
  }

  /** Resets all connections and closes the port for good. */
  async stop(): Promise<void> {
    this.cut()
    this.#reserved[Symbol.dispose]()
    if (!this.#listener.listening) return
    this.#listener.close()
    await once(this.#listener, 'close')
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop()
  }

  #accept(client: Socket, server: Socket, random: () => number): void {
    this.#accepted++
    client.setNoDelay()
    server.setNoDelay()
    server.allowHalfOpen = true
    const cut = () => this.#reset(link)
    const link: Link = {
      client,
      server,
      up: new Pipe(client, server, 'up', this.#faults, random, cut),
      down: new Pipe(server, client, 'down', this.#faults, random, cut),
    }
    this.#links.add(link)
    client.on('error', () => this.#gone(link))
    client.on('close', () => this.#gone(link))
    server.on('error', () => this.#gone(link))
    server.on('close', () => this.#gone(link))
  }

  /** One end has closed: the other follows, unless the fault is that it does not learn of it. */
  #gone(link: Link): void {
    if (this.#faults.halfOpen && !link.client.destroyed) return
    if (link.client.destroyed && link.server.destroyed) this.#forget(link)
    else if (link.client.errored || link.server.errored) this.#reset(link)
    else if (link.client.destroyed) link.server.destroySoon()
    else if (link.server.destroyed) link.client.destroySoon()
  }

  #reset(link: Link): void {
    this.#forget(link)
    link.client.resetAndDestroy()
    link.server.destroy()
  }

  #forget(link: Link): void {
    if (!this.#links.delete(link)) return
    link.up.stop()
    link.down.stop()
    this.#past.up += link.up.carried
    this.#past.down += link.down.carried
  }

  #pump(): void {
    for (const link of this.#links) {
      link.up.pump()
      link.down.pump()
    }
  }
}
