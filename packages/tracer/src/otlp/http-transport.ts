import type { Agent, ClientRequest, IncomingMessage, RequestOptions } from 'node:http'
import { urlToHttpOptions } from 'node:url'
import { retryAfter, setSystemTimer } from '@millrace/kit'
import { suppressTracing } from '../context/active-context.ts'
import { VERSION } from '../export/resource.ts'

/** What a collector answered. */
export interface Answer {
  status: number
  body: Uint8Array
  /** Milliseconds the collector asks to wait, where it says so. */
  retryAfter: number | undefined
  /** Whether the whole request had left the process before the answer was complete. */
  sent: boolean
}

/** Names exporter, language and version, as OTLP asks. */
const USER_AGENT = `Millrace-OTLP-Exporter-JavaScript/${VERSION}`

/** OTLP allows no larger response. */
const MAX_RESPONSE = 4 * 1024 * 1024

/** One kept-alive connection to a collector. The http module is loaded with the first request, not with the tracer. */
export class HttpTransport {
  readonly #target: RequestOptions
  readonly #headers: Record<string, string>
  readonly #gzip: boolean
  /** The module to make requests with: asking the loader for it again costs a good part of a request. */
  #http: Pick<typeof import('node:http'), 'Agent' | 'request'> | null = null
  #agent: Agent | null = null

  constructor(url: URL, headers: Readonly<Record<string, string>>, gzip: boolean) {
    this.#target = urlToHttpOptions(url) as RequestOptions
    this.#headers = { 'user-agent': USER_AGENT }
    for (const name of Object.keys(headers)) this.#headers[name.toLowerCase()] = headers[name]!
    this.#gzip = gzip
  }

  /** Posts one request, whose body comes in parts. Rejects when no complete answer came within `timeout` ms. */
  async post(parts: readonly Uint8Array[], contentType: string, timeout: number): Promise<Answer> {
    const http = (this.#http ??=
      this.#target.protocol === 'https:' ? await import('node:https') : await import('node:http'))
    this.#agent ??= new http.Agent({ keepAlive: true, maxSockets: 1 })
    const headers: Record<string, string | number> = {
      ...this.#headers,
      'content-type': contentType,
    }
    if (this.#gzip) {
      parts = [await gzip(Buffer.concat(parts))]
      headers['content-encoding'] = 'gzip'
    }
    headers['content-length'] = byteLength(parts)
    const options: RequestOptions = {
      ...this.#target,
      method: 'POST',
      agent: this.#agent,
      headers,
    }
    // The tracer must not trace its own exports, whatever instrumentation is loaded.
    return suppressTracing(
      () =>
        new Promise<Answer>((resolve, reject) => {
          const request = http.request(options, response => {
            // From here on the status is the answer, also where the rest is late.
            request.off('error', reject).on('error', () => {})
            void readAnswer(request, response).then(resolve)
          })
          limit(request, timeout)
          request.on('error', reject)
          // Held back until the end, so that the parts leave together without having been copied into one.
          request.cork()
          for (const part of parts) request.write(part)
          request.end()
        }),
    )
  }

  close(): void {
    this.#agent?.destroy()
    this.#agent = null
  }
}

/** Ends a request that takes too long. The timer does not keep the process alive; a flush at the end of the process has one that does. */
function limit(request: ClientRequest, timeout: number): void {
  const timer = setSystemTimer(() => {
    request.destroy(new Error(`No complete answer within ${Math.round(timeout)} ms`))
  }, timeout)
  request.once('close', () => timer.cancel())
}

/** Bytes of a body in parts. */
export function byteLength(parts: readonly Uint8Array[]): number {
  return parts.reduce((sum, part) => sum + part.length, 0)
}

/**
 * The status is the answer: where the body that follows is cut off, late or too long, it is taken as empty. By events, as walking a
 * response asynchronously takes twice as long.
 */
function readAnswer(request: ClientRequest, response: IncomingMessage): Promise<Answer> {
  return new Promise(resolve => {
    const parts: Uint8Array[] = []
    let size = 0
    const end = (): void => {
      resolve({
        status: response.statusCode ?? 0,
        body: response.complete ? Buffer.concat(parts) : new Uint8Array(),
        retryAfter: retryAfter(response.headers),
        sent: request.writableFinished,
      })
    }
    response.on('data', (part: Uint8Array) => {
      size += part.length
      if (size <= MAX_RESPONSE) parts.push(part)
      else response.destroy()
    })
    response.on('error', end)
    response.on('end', end)
    response.on('close', end)
  })
}

async function gzip(body: Uint8Array): Promise<Uint8Array> {
  const zlib = await import('node:zlib')
  return new Promise((resolve, reject) => {
    zlib.gzip(body, (error, result) => (error === null ? resolve(result) : reject(error)))
  })
}
