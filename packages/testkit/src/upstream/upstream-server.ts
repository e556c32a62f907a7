import { once } from 'node:events'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import type { Socket } from 'node:net'
import { type ReservedPort, reservePort } from '../net/free-port.ts'
import type { Replier, UpstreamRequest } from './reply.ts'
import { type Certificate, selfSignedCertificate } from './self-signed-certificate.ts'
import { sendReply } from './send-reply.ts'

/** Options of {@link UpstreamServer.start}. */
export interface UpstreamOptions {
  /** Port of 127.0.0.1; default a free one. */
  readonly port?: number
  /** Serves HTTPS with a new self-signed certificate, see {@link UpstreamServer.certificate}; default false. */
  readonly tls?: boolean
  /** How long an idle connection is kept, in ms; default 5,000, as Node's. */
  readonly keepAliveTimeout?: number
}

/** Counters of an {@link UpstreamServer}. */
export interface UpstreamStats {
  /** Requests whose head has arrived. */
  readonly requests: number
  /** Connections open now. */
  readonly connections: number
  /** Most connections open at one time. */
  readonly peakConnections: number
  /** Connections accepted in all. */
  readonly accepted: number
  /** Requests that have no complete answer yet. */
  readonly active: number
  /** Most requests without an answer at one time. */
  readonly peakActive: number
}

interface Route {
  readonly replies: readonly Replier[]
  served: number
}

/**
 * A real HTTP/1.1 server on a port of 127.0.0.1 whose answers a test scripts: statuses in turn, latency, validators,
 * slow bodies, resets. It records every request and counts connections.
 */
export class UpstreamServer {
  /** Port it listens on, the same after {@link restart}. */
  readonly port: number
  /** The certificate (PEM) to trust when `tls` is on. */
  readonly certificate: string | undefined
  /** Every request so far, in order of arrival. */
  readonly requests: UpstreamRequest[] = []
  readonly #options: UpstreamOptions
  /** Nobody else's while the server is killed. */
  readonly #reserved: ReservedPort | undefined
  readonly #tls: Certificate | undefined
  readonly #routes = new Map<string, Route>()
  readonly #sockets = new Map<Socket, number>()
  #server: Server
  #counts = { requests: 0, peakConnections: 0, accepted: 0, active: 0, peakActive: 0 }

  private constructor(
    server: Server,
    port: number,
    reserved: ReservedPort | undefined,
    options: UpstreamOptions,
    tls: Certificate | undefined,
  ) {
    this.#server = server
    this.port = port
    this.#reserved = reserved
    this.#options = options
    this.#tls = tls
    this.certificate = tls?.cert
    this.#attach(server)
  }

  /** Starts listening. Every path answers 200 until {@link on} says otherwise. */
  static async start(options: UpstreamOptions = {}): Promise<UpstreamServer> {
    const tls = options.tls === true ? selfSignedCertificate() : undefined
    const reserved = options.port === undefined ? await reservePort() : undefined
    const port = reserved?.number ?? options.port!
    const server = await listen(port, options, tls)
    return new UpstreamServer(server, port, reserved, options, tls)
  }

  get origin(): string {
    return `${this.#tls === undefined ? 'http' : 'https'}://127.0.0.1:${this.port}`
  }

  /** Full URL of a path. */
  url(path = '/'): string {
    return this.origin + path
  }

  /**
   * Scripts a path (query not counted; `*` for all others): the first request gets the first reply and so on, all
   * further ones the last. Replaces what the path answered before and starts its count anew.
   */
  on(path: string, ...replies: [Replier, ...Replier[]]): this {
    this.#routes.set(path, { replies, served: 0 })
    return this
  }

  stats(): UpstreamStats {
    return { ...this.#counts, connections: this.#sockets.size }
  }

  /** Closes the port and all connections at once, as a crash does. {@link restart} brings it back. */
  async kill(): Promise<void> {
    for (const socket of this.#sockets.keys()) socket.resetAndDestroy()
    if (!this.#server.listening) return
    this.#server.close()
    await once(this.#server, 'close')
  }

  /** Kills the server if it runs and listens on the same port again; routes and counters stay. */
  async restart(): Promise<void> {
    await this.kill()
    this.#server = await listen(this.port, this.#options, this.#tls)
    this.#attach(this.#server)
  }

  /** Closes the port, lets running answers end, and closes idle connections, as an orderly shutdown does. */
  async close(): Promise<void> {
    if (!this.#server.listening) return
    this.#server.close()
    this.#server.closeIdleConnections()
    await once(this.#server, 'close')
  }

  /** Kills the server for good: others may have its port. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill()
    this.#reserved?.[Symbol.dispose]()
  }

  #attach(server: Server): void {
    server.on('connection', (socket: Socket) => {
      this.#sockets.set(socket, ++this.#counts.accepted)
      this.#counts.peakConnections = Math.max(this.#counts.peakConnections, this.#sockets.size)
      socket.on('close', () => this.#sockets.delete(socket))
    })
    server.on('request', (message: IncomingMessage, response: ServerResponse) => {
      this.#answer(message, response).catch(error => response.destroy(error as Error))
    })
  }

  async #answer(message: IncomingMessage, response: ServerResponse): Promise<void> {
    const counts = this.#counts
    counts.requests++
    counts.peakActive = Math.max(counts.peakActive, ++counts.active)
    response.on('close', () => counts.active--)

    const { method = 'GET', url = '/', headers, socket } = message
    const route = this.#routes.get(url.split('?', 1)[0]!) ?? this.#routes.get('*')
    const index = route === undefined ? this.requests.length : route.served++
    const connection = this.#connection(socket)
    const body = await read(message)
    if (body === undefined) return
    const request: UpstreamRequest = { method, url, headers, body, connection, index }
    this.requests.push(request)
    const replies = route?.replies ?? [200]
    const replier = replies[Math.min(index, replies.length - 1)]!
    const reply = typeof replier === 'function' ? await replier(request) : replier
    await sendReply(typeof reply === 'number' ? { status: reply } : reply, request, response)
  }

  /** Under TLS the request's socket wraps the one that was accepted; they share the remote port. */
  #connection(socket: Socket): number {
    const number = this.#sockets.get(socket)
    if (number !== undefined) return number
    for (const [accepted, number] of this.#sockets) {
      if (accepted.remotePort === socket.remotePort) return number
    }
    return 0
  }
}

async function listen(
  port: number,
  { keepAliveTimeout = 5_000 }: UpstreamOptions,
  tls: Certificate | undefined,
): Promise<Server> {
  const server =
    tls === undefined
      ? createServer({ keepAliveTimeout })
      : createTlsServer({ keepAliveTimeout, ...tls })
  server.listen(port, '127.0.0.1')
  await once(server, 'listening')
  return server
}

/** The whole body, or `undefined` if the client went away before its end. */
async function read(message: IncomingMessage): Promise<Buffer | undefined> {
  const chunks: Buffer[] = []
  try {
    for await (const chunk of message) chunks.push(chunk as Buffer)
  } catch {
    return undefined
  }
  return Buffer.concat(chunks)
}
