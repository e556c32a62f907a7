import type { ClientHttp2Session, ClientHttp2Stream } from 'node:http2'
import { isIP, type Socket } from 'node:net'
import { type buildConnector, Client } from 'undici'
import { AddressNotAllowedError, HttpTimeoutError } from '../errors.ts'
import type { OriginSettings } from '../options/origin-settings.ts'
import { RefusedAddress } from '../security/guarded-lookup.ts'
import type { Timed } from '../time/deadline-heap.ts'
import type { Carried, Carrier } from './carried.ts'
import { ContinueFilter } from './continue-filter.ts'
import type { Counters } from './counters.ts'
import type { PoolLoad } from './pool-load.ts'
import type { Demand, Idle } from './socket-budget.ts'
import { goawayError } from './stream-errors.ts'

/** The origin, as its connections see it. */
export interface ConnectionOwner extends Demand {
  readonly load: PoolLoad
  /** `scheme://host:port`. */
  readonly key: string
  readonly url: URL
  readonly settings: OriginSettings
  readonly counters: Counters
  onConnect(connection: Connection): void
  /** The server has said how many streams it takes. */
  onCapacity(connection: Connection): void
  /** Its socket has closed, and not by `retire`. */
  onDisconnect(connection: Connection): void
  /** A request on it has ended. */
  release(connection: Connection, failed: boolean): void
  /** It gets no more requests. */
  drain(connection: Connection): void
  /** It is out of use. */
  forget(connection: Connection): void
}

const ignoreError = (): void => {}

/**
 * One undici client, and so at most one socket. It counts against the pool's total from the moment it is
 * made until its socket has closed, whether or not the socket is connected yet: the cap is never passed.
 */
export class Connection implements Carrier, Idle, Timed {
  readonly owner: ConnectionOwner
  readonly #client: Client
  /** Requests it carries. */
  active = 0
  /** Requests it can carry: one over HTTP/1.1; over HTTP/2 one until the server has said how many it takes. */
  capacity = 1
  /** Requests it has carried on its present socket. */
  served = 0
  /** Heads and parts of bodies it has brought, for whatever request: a sign of life. */
  heard = 0
  /** When it last became idle, by the pool's clock. */
  idleSince = 0
  /** How long its last connect took, in ms. */
  connectDuration = 0
  /** Its socket speaks HTTP/2. */
  isH2 = false
  retired = false
  /** It gets no more requests, and closes after those it has. */
  isDraining = false
  /** Whether its first handshake is still to come, which tells the protocol. */
  isProbing = false

  /** Neighbours in the pool's list of idle connections, least recently used first. */
  olderIdle: Idle | null = null
  newerIdle: Idle | null = null
  isIdle = false

  /** The deadline of a connect in progress. */
  deadline = 0
  heapIndex = -1

  #socket: Socket | null = null
  #isLent = false
  #connecting = false
  /** Over HTTP/2. */
  #session: ClientHttp2Session | null = null
  /** An array: the tables that a Set leaves behind when it grows keep finished requests alive until a full collection. */
  readonly #streams: Carried[] = []
  #hasSettings = false
  #connectStart = 0
  /** Over HTTP/1.1. */
  #filter: ContinueFilter | undefined

  constructor(owner: ConnectionOwner) {
    this.owner = owner
    const { client } = owner.settings
    this.#client = new Client(owner.url, {
      ...client,
      connect: (options, callback) => this.#connect(options, callback),
      // The pool's heap keeps these times; undici's timers have a grain of half a second and can be early.
      headersTimeout: 0,
      bodyTimeout: 0,
    })
  }

  /** Whether a socket is open and ready. */
  get isOpen(): boolean {
    return this.#socket !== null && !this.#connecting
  }

  dispatch(carried: Carried): void {
    this.active++
    if (this.#filter !== undefined) this.#filter.awaitsHead = true
    this.#client.dispatch(carried.options, carried)
  }

  onSign(): void {
    this.heard++
    // What a server sends first is its settings.
    if (this.isH2 && !this.#hasSettings) this.#learnCapacity()
  }

  onStream(carried: Carried, { session }: ClientHttp2Stream): void {
    if (carried.streamIndex === -1) carried.streamIndex = this.#streams.push(carried) - 1
    if (session === undefined || session === this.#session) return
    this.#session = session as ClientHttp2Session
    session.on('remoteSettings', () => this.#learnCapacity())
    // Before undici hears of it, which would send what was refused on another socket, beyond every cap.
    session.prependListener('goaway', (_code, last) => this.#onGoaway(last))
  }

  release(carried: Carried, failed: boolean): void {
    if (carried.streamIndex !== -1) this.#removeStream(carried)
    this.owner.release(this, failed)
  }

  drain(): void {
    this.isDraining = true
    this.owner.drain(this)
  }

  /** Takes it out of use; its place in the total is free once the socket has closed. */
  retire(): void {
    if (this.retired) return
    this.retired = true
    this.owner.load.deadlines.cancel(this)
    this.owner.forget(this)
    const socket = this.#socket
    // Every request of it has ended: errors of its socket concern no call. A tick later, as undici may be writing: within its loop it
    // would count the request that it writes among those that it has dropped, and fail an assertion.
    process.nextTick(() => this.#client.destroy(null, ignoreError))
    if (socket === null) {
      this.owner.load.sockets.free()
    } else {
      socket.on('error', ignoreError)
      socket.destroy()
    }
  }

  /** Hands its socket, which now speaks another protocol, to the caller; its place is free once that closes. */
  detach(): void {
    const { sockets } = this.owner.load
    this.retired = true
    this.owner.forget(this)
    this.#client.destroy(null, ignoreError)
    this.#isLent = this.#socket !== null
    if (this.#isLent) sockets.lend()
    else sockets.free()
  }

  onDeadline(): void {
    const { connectTimeout } = this.owner.settings
    this.#socket?.destroy(new HttpTimeoutError('connect', connectTimeout, this.owner.key))
  }

  /** RFC 9113 section 6.5.2: until the settings have come, undici holds back all requests but one. */
  #learnCapacity(): void {
    const { maxConcurrentStreams = Infinity } = this.#session?.remoteSettings ?? {}
    this.#hasSettings = true
    this.capacity = Math.min(this.owner.settings.maxConcurrentStreams, maxConcurrentStreams)
    if (!this.retired && !this.isDraining) this.owner.onCapacity(this)
  }

  #removeStream(carried: Carried): void {
    const index = carried.streamIndex
    const last = this.#streams.pop()!
    carried.streamIndex = -1
    if (last === carried) return
    this.#streams[index] = last
    last.streamIndex = index
  }

  #onGoaway(lastStreamId: number): void {
    if (!this.retired && !this.isDraining) this.drain()
    for (const carried of [...this.#streams]) {
      const { stream, hasResponse } = carried
      if (!hasResponse && (stream?.id === undefined || stream.id > lastStreamId)) {
        carried.fail(goawayError())
      }
    }
  }

  #connect(options: buildConnector.Options, callback: buildConnector.Callback): void {
    const previous = this.#socket
    if (previous === null) this.#open(options, callback)
    // undici comes back for a request that it could not send on the session: in the place of the old socket, not beside it.
    else previous.once('close', () => this.#open(options, callback))
  }

  #open(options: buildConnector.Options, callback: buildConnector.Callback): void {
    const { load, settings } = this.owner
    const { connectTimeout } = settings
    this.#connecting = true
    this.served = 0
    this.#connectStart = load.clock.now()
    this.owner.counters.created++
    if (connectTimeout !== 0) load.deadlines.schedule(this, this.#connectStart + connectTimeout)

    let socket: Socket | undefined
    const done: buildConnector.Callback = (...[error, connected]) => {
      this.#connecting = false
      load.deadlines.cancel(this)
      this.connectDuration = load.clock.now() - this.#connectStart
      if (error === null) {
        this.#onConnect(connected)
        callback(null, connected)
      } else {
        const isRefused = error instanceof RefusedAddress
        callback(isRefused ? new AddressNotAllowedError(this.owner.key) : error, null)
      }
    }
    try {
      if (!this.#mayConnectTo(options.hostname)) throw new RefusedAddress()
      // buildConnector returns its socket, which its type does not say.
      socket = settings.connector(options, done) as unknown as Socket
    } catch (error) {
      done(error as Error, null)
      return
    }
    this.#socket = socket
    socket.once('close', () => this.#onClose(socket))
  }

  /** A URL with an address in place of a name: no lookup will be asked. */
  #mayConnectTo(hostname: string): boolean {
    const { allowAddress } = this.owner.settings
    const family = isIP(hostname)
    return allowAddress === undefined || family === 0 || allowAddress(hostname, family)
  }

  #onConnect(socket: Socket & { alpnProtocol?: unknown }): void {
    const { load } = this.owner
    this.isH2 = socket.alpnProtocol === 'h2'
    this.capacity = 1
    this.#hasSettings = false
    this.#filter = undefined
    if (this.isH2) {
      load.streams.add()
      socket.once('close', () => load.streams.remove())
    } else {
      this.#filter = new ContinueFilter(socket)
    }
    this.owner.onConnect(this)
  }

  #onClose(socket: Socket): void {
    if (this.#socket !== socket) return
    this.#socket = null
    this.#connecting = false
    const { sockets } = this.owner.load
    if (this.#isLent) sockets.giveBack()
    else if (this.retired) sockets.free()
    else this.owner.onDisconnect(this)
  }
}
