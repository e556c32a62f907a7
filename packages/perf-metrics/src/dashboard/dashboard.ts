import type { IncomingMessage, ServerResponse } from 'node:http'
import {
  type Clock,
  checkClock,
  checkFunction,
  checkInteger,
  checkMethods,
  checkText,
  describeStats,
  gauges,
  type OptionRules,
  optional,
  type Resolved,
  required,
  resolveOptions,
  withDefault,
} from '@millrace/kit'
import { InvalidOptionError } from '../errors.ts'
import type { Guard } from '../guard/guard.ts'
import type { Registry } from '../registry/registry.ts'
import { type DashboardRequest, isLocal } from './access.ts'
import { type Answer, NOT_FOUND, SECURITY, STREAM_HEADERS } from './answer.ts'
import { type DashboardStats, LiveFrames } from './live-frames.ts'
import { PageFiles } from './page-files.ts'
import type { DashboardSpan } from './slow-spans.ts'
import type { Sink } from './subscribers.ts'

export interface DashboardOptions {
  readonly registry: Registry
  /**
   * Decides on every request: page, stream, data and files alike. Default: requests from this machine, by its own name
   * and not through a proxy; everyone else gets 404
   */
  readonly authorize?: ((request: DashboardRequest) => boolean | Promise<boolean>) | undefined
  /** Path the dashboard is mounted at, without a slash at the end: `/dashboard`. Default: the root */
  readonly basePath?: string | undefined
  /** Rules to show. Default: none */
  readonly guard?: Guard | undefined
  /** A tracer of `@millrace/tracer`, whose slow traces are shown. Default: none */
  readonly tracer?: SlowSpanSource | undefined
  /** The slow operations that something else kept, newest first, in place of a `tracer`'s. Default: those of the tracer */
  readonly slowSpans?: (() => readonly DashboardSpan[]) | undefined
  /**
   * Name of the timing that the charts of calls and durations and the verdict are about, such as that of a server's requests. Default: all
   * of them for calls, the one with the most for durations
   */
  readonly operation?: string | undefined
  /** Most browsers at a time, 1 to 1,000; more get 503. Default: 20 */
  readonly maxClients?: number | undefined
  /** ms between two frames, 100 to 10,000; ten times as long without a viewer. Default: 1,000 */
  readonly interval?: number | undefined
  /** Frames to keep for a first look, 10 to 3,600. Default: 600 */
  readonly history?: number | undefined
  /** Source of the timers. Default: the registry's */
  readonly clock?: Clock | undefined
}

type Settings = Resolved<DashboardOptions, 'guard' | 'tracer' | 'slowSpans' | 'operation' | 'clock'>

const OPTIONS: OptionRules<DashboardOptions, Settings> = {
  registry: required(checkMethods<Registry>, 'a Registry', ['collect', 'observed']),
  authorize: withDefault(isLocal, checkFunction<Settings['authorize']>),
  basePath: withDefault('', checkPath),
  guard: optional(checkMethods<Guard>, 'a Guard', ['status']),
  tracer: optional(checkMethods<SlowSpanSource>, 'a Tracer', ['slowSpans']),
  slowSpans: optional(checkFunction<() => readonly DashboardSpan[]>),
  operation: optional(checkText),
  maxClients: withDefault(20, checkInteger, 1, 1000),
  interval: withDefault(1000, checkInteger, 100, 10_000),
  history: withDefault(600, checkInteger, 10, 3600),
  clock: optional(checkClock<Clock>),
}

/** What keeps slow operations, newest first: a tracer. */
export interface SlowSpanSource {
  slowSpans(): readonly DashboardSpan[]
}

/**
 * A live page over a registry, to mount in any server. Read-only, closed to other machines unless `authorize` is given.
 *
 *     const dashboard = new Dashboard({ registry })
 *     createServer(dashboard.handler()).listen(9000, '127.0.0.1')
 */
export class Dashboard {
  readonly #authorize: NonNullable<DashboardOptions['authorize']>
  readonly #basePath: string
  readonly #maxClients: number
  readonly #files = new PageFiles()
  readonly #frames: LiveFrames
  #closed = false

  constructor(options: DashboardOptions) {
    const settings = resolveOptions('', options, OPTIONS)
    const { registry, guard, tracer, operation, interval, clock = registry.timeline } = settings
    this.#authorize = settings.authorize
    this.#basePath = settings.basePath
    this.#maxClients = settings.maxClients
    const { slowSpans = tracer && (() => tracer.slowSpans()), history } = settings
    const sources = { registry, operation, guard, slowSpans, history }
    this.#frames = new LiveFrames(sources, interval, clock)
  }

  /** For `node:http` and everything built on it. Calls `next`, or answers 404, for paths outside `basePath`. */
  handler(): (
    request: IncomingMessage,
    response: ServerResponse,
    next?: () => void,
  ) => Promise<void> {
    return async (request, response, next) => {
      const answer = await this.#answer({
        method: request.method ?? '',
        url: request.url ?? '',
        remoteAddress: request.socket.remoteAddress,
        header: name => {
          const value = request.headers[name]
          return Array.isArray(value) ? value.join(',') : value
        },
      })
      if (answer === 'stream') this.#streamTo(response)
      else if (answer === 'elsewhere' && next !== undefined) next()
      else {
        const { status, headers, body } = answer === 'elsewhere' ? NOT_FOUND : answer
        response.writeHead(status, headers).end(request.method === 'HEAD' ? undefined : body)
      }
    }
  }

  /** For servers of Web requests. As those do not say where a request comes from, pass it, or give `authorize`. */
  async fetch(
    request: Request,
    peer: { readonly remoteAddress?: string | undefined } = {},
  ): Promise<Response> {
    const { pathname, search, host } = new URL(request.url)
    const answer = await this.#answer({
      method: request.method,
      url: pathname + search,
      remoteAddress: peer.remoteAddress,
      header: name => request.headers.get(name) ?? (name === 'host' ? host : undefined),
    })
    if (answer === 'stream') return new Response(this.#webStream(), { headers: STREAM_HEADERS })
    const { status, headers, body } = answer === 'elsewhere' ? NOT_FOUND : answer
    return new Response(request.method === 'HEAD' ? null : (body ?? null), { status, headers })
  }

  /** `stream` for what is answered frame by frame, `elsewhere` for what is not ours to answer. */
  async #answer(request: DashboardRequest): Promise<Answer | 'stream' | 'elsewhere'> {
    const path = request.url.replace(/[?#].*$/s, '')
    const inside = path === this.#basePath || path.startsWith(`${this.#basePath}/`)
    if (!inside) return 'elsewhere'
    if (this.#closed || !(await this.#allowed(request))) return NOT_FOUND
    if (request.method !== 'GET' && request.method !== 'HEAD') {
      return { status: 405, headers: { ...SECURITY, allow: 'GET, HEAD' } }
    }
    if (path === this.#basePath && this.#basePath !== '') {
      // Relative, so that it also holds behind a proxy that strips a prefix.
      const last = this.#basePath.slice(this.#basePath.lastIndexOf('/') + 1)
      return { status: 308, headers: { ...SECURITY, location: `./${last}/` } }
    }
    const name = path.slice(this.#basePath.length + 1)
    if (name !== 'events' && name !== 'snapshot.json') return this.#files.answer(name, request)
    await this.#frames.ready()
    if (this.#closed) return NOT_FOUND
    return name === 'events' ? this.#admit(request) : this.#json()
  }

  /** An `authorize` that throws or rejects refuses the request. */
  async #allowed(request: DashboardRequest): Promise<boolean> {
    try {
      return (await this.#authorize(request)) === true
    } catch {
      return false
    }
  }

  #admit(request: DashboardRequest): Answer | 'stream' {
    if (request.method === 'HEAD') return { status: 200, headers: STREAM_HEADERS }
    if (this.#frames.stats().clients < this.#maxClients) return 'stream'
    return { status: 503, headers: { ...SECURITY, 'retry-after': '10' } }
  }

  #json(): Answer {
    return {
      status: 200,
      headers: { ...SECURITY, 'content-type': 'application/json', 'cache-control': 'no-store' },
      body: this.#frames.json(),
    }
  }

  #streamTo(response: ServerResponse): void {
    response.writeHead(200, STREAM_HEADERS)
    const sink: Sink = {
      write: frame => response.write(frame),
      end: () => response.end(),
      abort: () => response.destroy(),
    }
    response.on('drain', () => this.#frames.drained(sink))
    response.on('close', () => this.#frames.leave(sink))
    this.#frames.join(sink)
  }

  #webStream(): ReadableStream<Uint8Array<ArrayBuffer>> {
    let sink: Sink
    return new ReadableStream(
      {
        start: controller => {
          sink = {
            write: frame => {
              controller.enqueue(frame)
              return (controller.desiredSize ?? 0) > 0
            },
            end: () => controller.close(),
            abort: () => controller.close(),
          }
          this.#frames.join(sink)
        },
        pull: () => this.#frames.drained(sink),
        cancel: () => this.#frames.leave(sink),
      },
      { highWaterMark: 65_536, size: chunk => chunk?.byteLength ?? 0 },
    )
  }

  /**
   * Draws a line at this moment into all charts, with a word on what happened: a deployment, a switch, a test that begins. The last 100
   * are kept.
   *
   * @param text 1 to 80 characters; all viewers of the page see it
   */
  mark(text: string): void {
    if (typeof text !== 'string' || text.length < 1 || text.length > 80)
      throw new InvalidOptionError('text', 'a string of 1 to 80 characters', text)
    if (!this.#closed) this.#frames.mark(text)
  }

  stats(): DashboardStats {
    return this.#frames.stats()
  }

  /** Ends all streams and stops. Requests get 404 from now on. */
  close(): void {
    this.#closed = true
    this.#frames.close()
  }

  [Symbol.dispose](): void {
    this.close()
  }
}

function checkPath(option: string, path: unknown): string {
  if (path === '' || (typeof path === 'string' && /^\/.*[^/]$/.test(path))) return path
  throw new InvalidOptionError(option, 'a path like /dashboard', path)
}

describeStats<DashboardStats>(Dashboard.prototype, {
  ...gauges('clients', 'frameBytes', 'frameTime'),
  dropped: 'counter',
})
