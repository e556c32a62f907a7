import { isIP, type Socket } from 'node:net'
import { type buildConnector, Client } from 'undici'
import { AddressNotAllowedError, HttpTimeoutError } from '../errors.ts'
import type { Attempt } from '../exchange/attempt.ts'
import { RefusedAddress } from '../security/guarded-lookup.ts'
import type { Timed } from '../time/deadline-heap.ts'
import type { Origin } from './origin.ts'

const ignoreError = (): void => {}

/**
 * One undici client, and so at most one socket. It counts against the pool's total from the moment it is
 * made until its socket has closed, whether or not the socket is connected yet: the cap is never passed.
 */
export class Connection implements Timed {
  readonly origin: Origin
  readonly #client: Client
  /** Requests it carries. */
  active = 0
  /** Requests it can carry: one over HTTP/1.1, as many as there are streams over HTTP/2. */
  capacity = 1
  /** Requests it has carried on its present socket. */
  served = 0
  /** Heads and parts of bodies it has brought, for whomever: a sign of life. */
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
  olderIdle: Connection | null = null
  newerIdle: Connection | null = null
  isIdle = false

  /** The deadline of a connect in progress. */
  deadline = 0
  heapIndex = -1

  #socket: Socket | null = null
  #isLent = false
  #connecting = false
  #connectStart = 0

  constructor(origin: Origin) {
    this.origin = origin
    const { client } = origin.settings
    this.#client = new Client(origin.url, {
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

  dispatch(attempt: Attempt): void {
    this.active++
    this.#client.dispatch(attempt.options, attempt)
  }

  /** Takes it out of use; its place in the total is free once the socket has closed. */
  retire(): void {
    if (this.retired) return
    this.retired = true
    this.origin.core.deadlines.cancel(this)
    this.origin.forget(this)
    const socket = this.#socket
    // Errors of a socket that nobody uses any more concern nobody.
    this.#client.destroy(null, ignoreError)
    if (socket === null) {
      this.origin.core.sockets.free()
    } else {
      socket.on('error', ignoreError)
      socket.destroy()
    }
  }

  /** Hands its socket, which now speaks another protocol, to the caller; its place is free once that closes. */
  detach(): void {
    const { sockets } = this.origin.core
    this.retired = true
    this.origin.forget(this)
    this.#client.destroy(null, ignoreError)
    this.#isLent = this.#socket !== null
    if (this.#isLent) sockets.lend()
    else sockets.free()
  }

  onDeadline(): void {
    const { connectTimeout } = this.origin.settings
    this.#socket?.destroy(new HttpTimeoutError('connect', connectTimeout, this.origin.key))
  }

  #connect(options: buildConnector.Options, callback: buildConnector.Callback): void {
    const { core, settings } = this.origin
    const { connectTimeout } = settings
    this.#connecting = true
    this.served = 0
    this.#connectStart = core.clock.now()
    this.origin.counters.created++
    if (connectTimeout !== 0) core.deadlines.schedule(this, this.#connectStart + connectTimeout)

    let socket: Socket | undefined
    const done: buildConnector.Callback = (...[error, connected]) => {
      this.#connecting = false
      core.deadlines.cancel(this)
      this.connectDuration = core.clock.now() - this.#connectStart
      if (error === null) {
        this.#onConnect(connected)
        callback(null, connected)
      } else {
        const isRefused = error instanceof RefusedAddress
        callback(isRefused ? new AddressNotAllowedError(this.origin.key) : error, null)
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
    const { allowAddress } = this.origin.settings
    const family = isIP(hostname)
    return allowAddress === undefined || family === 0 || allowAddress(hostname, family)
  }

  #onConnect(socket: Socket & { alpnProtocol?: unknown }): void {
    const { core, settings } = this.origin
    this.isH2 = socket.alpnProtocol === 'h2'
    this.capacity = this.isH2 ? settings.maxConcurrentStreams : 1
    if (this.isH2) {
      core.streams.add()
      socket.once('close', () => core.streams.remove())
    }
    this.origin.onConnect(this, this.isH2)
  }

  #onClose(socket: Socket): void {
    if (this.#socket !== socket) return
    this.#socket = null
    this.#connecting = false
    const { sockets } = this.origin.core
    if (this.#isLent) sockets.giveBack()
    else if (this.retired) sockets.free()
    else this.origin.onDisconnect(this)
  }
}
