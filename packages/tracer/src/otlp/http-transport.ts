import type { Agent, AgentOptions, ClientRequest, RequestOptions } from 'node:http'
import { exchange, type HttpAnswer, retryAfter, setSystemTimer } from '@millrace/kit'
import { suppressTracing } from '../context/active-context.ts'
import { VERSION } from '../export/resource.ts'

/** What a collector answered. */
export interface Answer extends HttpAnswer {
  /** Milliseconds the collector asks to wait, where it says so. */
  readonly retryAfter: number | undefined
  /** Whether the whole request had left the process before the answer was complete. */
  readonly sent: boolean
}

/** Names exporter, language and version, as OTLP asks. */
const USER_AGENT = `Millrace-OTLP-Exporter-JavaScript/${VERSION}`

interface HttpModule extends Pick<typeof import('node:http'), 'request'> {
  readonly Agent: new (options: AgentOptions) => Agent
  readonly globalAgent: Agent
}

/** One kept-alive connection to a collector. The http module is loaded with the first request, not with the tracer. */
export class HttpTransport {
  readonly #target: RequestOptions
  readonly #headers: Record<string, string>
  readonly #gzip: boolean
  /** The module to make requests with: asking the loader for it again costs a good part of a request. */
  #http: HttpModule | null = null
  #agent: Agent | null = null
  #request: ClientRequest | null = null
  /** Whether requests keep the process alive. */
  #detached = false

  constructor(url: URL, headers: Readonly<Record<string, string>>, gzip: boolean) {
    // Not imported at the top: the loader's view of a module of Node's takes a good part of the time that this package has to start.
    const { urlToHttpOptions } = process.getBuiltinModule('node:url')
    this.#target = urlToHttpOptions(url) as RequestOptions
    this.#headers = { 'user-agent': USER_AGENT }
    for (const name of Object.keys(headers)) this.#headers[name.toLowerCase()] = headers[name]!
    this.#gzip = gzip
  }

  /** Posts one request, whose body comes in parts. Rejects when no complete answer came within `timeout` ms. */
  async post(parts: readonly Uint8Array[], contentType: string, timeout: number): Promise<Answer> {
    const http = (this.#http ??=
      // The module and not its names, which keep the global agent that was there when they were first imported.
      (
        await (this.#target.protocol === 'https:' ? import('node:https') : import('node:http'))
      ).default)
    this.#agent ??= new http.Agent({ keepAlive: true, maxSockets: 1, ...proxyOf(http.globalAgent) })
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
    return suppressTracing(async () => {
      const request = http.request(options)
      this.#request = request
      if (this.#detached) detach(request)
      limit(request, timeout)
      const answer = await exchange(request, parts)
      return {
        ...answer,
        retryAfter: retryAfter(answer.headers),
        sent: request.writableFinished,
      }
    })
  }

  /** From now on requests, also the one under way, keep no process alive. */
  detach(): void {
    this.#detached = true
    if (this.#request !== null) detach(this.#request)
  }

  close(): void {
    this.#agent?.destroy()
    this.#agent = null
  }
}

/** The proxies that the process's own agent goes through, as with `NODE_USE_ENV_PROXY`. */
function proxyOf(agent: Agent & { readonly options?: AgentOptions }): AgentOptions {
  const proxyEnv = agent.options?.proxyEnv
  return proxyEnv === undefined ? {} : { proxyEnv }
}

/** Ends a request that takes too long. The timer does not keep the process alive; a flush at the end of the process has one that does. */
function limit(request: ClientRequest, timeout: number): void {
  const timer = setSystemTimer(() => {
    request.destroy(new Error(`No complete answer within ${Math.round(timeout)} ms`))
  }, timeout)
  request.once('close', () => timer.cancel())
}

function detach(request: ClientRequest): void {
  if (request.socket === null) request.once('socket', socket => socket.unref())
  else request.socket.unref()
}

/** Bytes of a body in parts. */
export function byteLength(parts: readonly Uint8Array[]): number {
  return parts.reduce((sum, part) => sum + part.length, 0)
}

async function gzip(body: Uint8Array): Promise<Uint8Array> {
  const zlib = await import('node:zlib')
  return new Promise((resolve, reject) => {
    zlib.gzip(body, (error, result) => (error === null ? resolve(result) : reject(error)))
  })
}
