import { once } from 'node:events'
import { createServer, type IncomingHttpHeaders, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { gunzipSync } from 'node:zlib'
import {
  type DecodedSpan,
  decodedSpans,
  decodeJsonRequest,
  spansOf,
} from './otlp-messages.fixture.ts'

export interface Received {
  headers: IncomingHttpHeaders
  body: Buffer
  spans: DecodedSpan[]
}

export interface Answer {
  status: number
  headers?: Record<string, string>
  body?: Uint8Array
  /** Cuts the connection instead of answering, or in the middle of the answer, sends more than anyone wants, or never ends the answer. */
  cut?: 'at once' | 'in the body' | 'never' | 'late'
}

/** A collector over real HTTP that decodes what it receives and answers as it is told. */
export class Collector {
  readonly accepted: Received[] = []
  requests = 0
  concurrent = 0
  mostConcurrent = 0
  answer: (request: number) => Answer | Promise<Answer> = () => ({ status: 200 })
  readonly #server: Server
  readonly #waiting: { count: number; resolve: () => void }[] = []

  private constructor() {
    this.#server = createServer(async (incoming, response) => {
      this.mostConcurrent = Math.max(this.mostConcurrent, ++this.concurrent)
      const parts: Buffer[] = []
      for await (const part of incoming) parts.push(part as Buffer)
      const raw = Buffer.concat(parts)
      const body = incoming.headers['content-encoding'] === 'gzip' ? gunzipSync(raw) : raw
      const {
        status,
        headers = {},
        body: reply = new Uint8Array(),
        cut,
      } = await this.answer(++this.requests)
      this.concurrent--
      if (cut !== 'at once' && status >= 200 && status < 300) {
        const json = incoming.headers['content-type'] === 'application/json'
        this.accepted.push({
          headers: incoming.headers,
          body,
          spans: json ? spansOf(decodeJsonRequest(body)) : decodedSpans(body),
        })
      }
      if (cut === 'at once') incoming.socket.destroy()
      else if (cut === 'in the body') {
        response.writeHead(status, { 'content-length': 100 })
        response.write('half', () => incoming.socket.destroy())
      } else if (cut === 'late') {
        response.writeHead(status, headers).write('half')
      } else if (cut === 'never') {
        response.writeHead(status, headers)
        const more = (): void => {
          while (!response.destroyed && response.write(Buffer.alloc(2 ** 16)));
        }
        response.on('drain', more)
        more()
      } else response.writeHead(status, headers).end(reply)
      for (const { count, resolve } of this.#waiting) if (this.requests >= count) resolve()
    })
  }

  static async start(port = 0): Promise<Collector> {
    const collector = new Collector()
    collector.#server.listen(port, '127.0.0.1')
    await once(collector.#server, 'listening')
    return collector
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}/v1/traces`
  }

  get names(): string[] {
    return this.accepted.flatMap(({ spans }) => spans.map(span => span.name))
  }

  /** Resolves when so many requests were answered. */
  requested(count: number): Promise<void> {
    if (this.requests >= count) return Promise.resolve()
    return new Promise(resolve => this.#waiting.push({ count, resolve }))
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections()
    this.#server.close()
    await once(this.#server, 'close')
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop()
  }
}
