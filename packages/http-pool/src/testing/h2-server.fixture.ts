import { once } from 'node:events'
import type { AddressInfo, Socket } from 'node:net'
import { createServer, type Server, type TLSSocket } from 'node:tls'
import { selfSignedCertificate } from '@millrace/testkit'

/** What to answer: the frames of one stream, after those that came before have arrived. */
export type Script = (send: FrameSender) => void

/** Writes frames of one stream. */
export interface FrameSender {
  /** `:status: 200` */
  head(): void
  data(text: string, end?: boolean): void
  reset(code: number): void
  /** A part of a body of no stream, after which the client has to end the connection (RFC 9113 section 6.1). */
  garble(): void
}

const frameType = { data: 0, headers: 1, reset: 3, settings: 4, ping: 6 } as const
const endStream = 1
const endHeaders = 4
const ack = 1
const headerSize = 9
const prefaceSize = 24
/** Index 8 of the static table of HPACK. */
const status200 = Buffer.from([0x88])

/**
 * An HTTP/2 server that sends exactly the frames it is told to. node:http2 cannot be made to reset a stream in
 * the middle of its body: its `close()` ends the body first.
 */
export class H2Server {
  readonly url: string
  readonly certificate: string
  /** Requests so far. */
  requests = 0
  script: Script = () => {}
  readonly #server: Server
  readonly #sockets = new Set<Socket>()
  #isStopped = false

  private constructor(server: Server, certificate: string) {
    this.#server = server
    this.certificate = certificate
    this.url = `https://127.0.0.1:${(server.address() as AddressInfo).port}`
    server.on('connection', socket => this.#hold(socket))
    server.on('secureConnection', socket => this.#serve(socket))
  }

  static async start(): Promise<H2Server> {
    const { key, cert } = selfSignedCertificate()
    const server = createServer({ key, cert, ALPNProtocols: ['h2'] })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    return new H2Server(server, cert)
  }

  stop(): void {
    this.#isStopped = true
    this.#server.close()
    for (const socket of this.#sockets) socket.destroy()
  }

  /** From the moment on that it is accepted: a handshake that ended after `stop()` would leave a client with a server that is none. */
  #hold(socket: Socket): void {
    this.#sockets.add(socket)
    socket.on('close', () => this.#sockets.delete(socket))
    if (this.#isStopped) socket.destroy()
  }

  #serve(socket: TLSSocket): void {
    this.#hold(socket)
    // A client that goes away in the middle of a frame.
    socket.on('error', () => socket.destroy())
    socket.write(frame(frameType.settings, 0, 0))
    let unread: Buffer = Buffer.alloc(0)
    let isPrefaceRead = false
    socket.on('data', (chunk: Buffer) => {
      unread = Buffer.concat([unread, chunk])
      if (!isPrefaceRead && unread.length >= prefaceSize) {
        unread = unread.subarray(prefaceSize)
        isPrefaceRead = true
      }
      while (isPrefaceRead && unread.length >= headerSize) {
        const size = headerSize + unread.readUIntBE(0, 3)
        if (unread.length < size) return
        if (unread[3] === frameType.ping) {
          socket.write(frame(frameType.ping, ack, 0, unread.subarray(headerSize, size)))
        }
        this.#onFrame(socket, unread[3]!, unread[4]!, unread.readUInt32BE(5) & 0x7fffffff)
        unread = unread.subarray(size)
      }
    })
  }

  #onFrame(socket: TLSSocket, type: number, flags: number, stream: number): void {
    if (type === frameType.settings && (flags & ack) === 0) {
      socket.write(frame(frameType.settings, ack, 0))
    }
    if (type !== frameType.headers) return
    this.requests++
    const code = Buffer.alloc(4)
    this.script({
      head: () => void socket.write(frame(frameType.headers, endHeaders, stream, status200)),
      data: (text, end = false) =>
        void socket.write(frame(frameType.data, end ? endStream : 0, stream, Buffer.from(text))),
      garble: () => void socket.write(frame(frameType.data, 0, 0)),
      reset: number => {
        code.writeUInt32BE(number)
        socket.write(frame(frameType.reset, 0, stream, code))
      },
    })
  }
}

function frame(
  type: number,
  flags: number,
  stream: number,
  payload: Buffer = Buffer.alloc(0),
): Buffer {
  const header = Buffer.alloc(headerSize)
  header.writeUIntBE(payload.length, 0, 3)
  header[3] = type
  header[4] = flags
  header.writeUInt32BE(stream, 5)
  return Buffer.concat([header, payload])
}
