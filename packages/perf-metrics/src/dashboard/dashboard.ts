import type { IncomingMessage, ServerResponse } from 'node:http'
import { gzipped } from '../bytes/gzip.ts'
import { type Clock, stopwatch, systemClock, type Timer } from '../clock.ts'
import { InvalidOptionError } from '../errors.ts'
import type { Guard } from '../guard/guard.ts'
import { integerOption } from '../integer-option.ts'
import type { Registry } from '../registry/registry.ts'
import { type SlicedWork, startSlices } from '../slices.ts'
import { type DashboardRequest, isLocal } from './access.ts'
import { type Asset, loadAssets } from './assets.ts'
import { type Frame, FrameRecorder, type SlowSpan } from './frames.ts'
import { type Sink, Subscribers } from './subscribers.ts'

export interface DashboardOptions {
  registry: Registry
  /**
   * Decides on every request: page, stream, data and files alike. Default: requests from this machine, by its own name
   * and not through a proxy; everyone else gets 404.
   */
  authorize?: (request: DashboardRequest) => boolean | Promise<boolean>
  /** Path the dashboard is mounted at, without a slash at the end: `/dashboard`. Default: the root. */
  basePath?: string
  /** Rules to show. */
  guard?: Guard
  /** The slow operations that a tracer kept, newest first. */
  slowSpans?: () => readonly SlowSpan[]
  /** Most browsers at a time; more get 503. 1 to 1,000, default 20. */
  maxClients?: number
  /** Milliseconds between two frames, 100 to 10,000. Default 1,000; a tenth of the frames while nobody looks. */
  interval?: number
  /** Frames to keep for a first look, 10 to 3,600. Default 600. */
  history?: number
  /** Source of time. Default: the system's. */
  clock?: Clock
}

export interface DashboardStats {
  clients: number
  /** Frames not sent to clients that did not read. */
  dropped: number
  /** Bytes of the last frame. */
  frameBytes: number
  /** Milliseconds from the beginning of the last frame to its end; a large registry is read in slices of 1 ms. */
  frameTime: number
}

/** What to answer, before it takes the form of either kind of server. */
type Answer =
  | { status: number; headers: Record<string, string>; body?: Uint8Array<ArrayBuffer> }
  | 'stream'
  | 'elsewhere'

const SECURITY = {
  'content-security-policy':
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  'x-content-type-options': 'nosniff',
  'x-robots-tag': 'noindex',
  'referrer-policy': 'no-referrer',
  'cross-origin-resource-policy': 'same-origin',
}

const STREAM_HEADERS = {
  ...SECURITY,
  'content-type': 'text/event-stream',
  'cache-control': 'no-store, no-transform',
  // nginx buffers event streams unless told otherwise.
  'x-accel-buffering': 'no',
}

const IDLE_FACTOR = 10
/** Level of compression for what is compressed once. */
const SMALLEST = 9

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
  readonly #interval: number
  readonly #clock: Clock
  readonly #assets: ReadonlyMap<string, Asset> = loadAssets()
  readonly #zipped = new Map<Asset, Uint8Array<ArrayBuffer>>()
  readonly #recorder: FrameRecorder
  readonly #subscribers: Subscribers
  readonly #stopwatch: () => number
  /** Settled once there is a frame. */
  readonly #first = Promise.withResolvers<void>()
  #frame!: Frame
  #frameUnderWay: SlicedWork | undefined
  #frameBytes = 0
  #frameTime = 0
  #timer: Timer | undefined
  #closed = false

  constructor(options: DashboardOptions) {
    const {
      authorize = isLocal,
      basePath = '',
      maxClients = 20,
      interval = 1000,
      history = 600,
      clock = systemClock,
    } = options
    if (basePath !== '' && !/^\/.*[^/]$/.test(basePath)) {
      throw new InvalidOptionError('basePath', 'a path like /dashboard', basePath)
    }
    this.#authorize = authorize
    this.#basePath = basePath
    this.#maxClients = integerOption('maxClients', maxClients, 1, 1000)
    this.#interval = integerOption('interval', interval, 100, 10_000)
    this.#clock = clock
    this.#recorder = new FrameRecorder({
      registry: options.registry,
      guard: options.guard,
      slowSpans: options.slowSpans,
      history: integerOption('history', history, 10, 3600),
    })
    this.#subscribers = new Subscribers((callback, delay) => clock.setTimer(callback, delay))
    this.#stopwatch = stopwatch(clock)
    this.#record()
    this.#schedule()
  }

  #schedule(): void {
    const delay = this.#subscribers.size > 0 ? this.#interval : this.#interval * IDLE_FACTOR
    this.#timer = this.#clock.setTimer(() => {
      // A frame that takes longer than the interval goes on, and the next waits its turn.
      if (this.#frameUnderWay === undefined) this.#record()
      this.#schedule()
    }, delay)
  }

  #record(): void {
    const start = this.#stopwatch()
    let finished = false
    const work = startSlices(
      this.#recorder.take(this.#clock.now()),
      this.#clock,
      this.#stopwatch,
      frame => {
        finished = true
        this.#frameUnderWay = undefined
        this.#publish(frame)
        this.#frameTime = this.#stopwatch() - start
      },
    )
    if (!finished) this.#frameUnderWay = work
  }

  #publish(frame: Frame): void {
    this.#frame = frame
    this.#first.resolve()
    if (this.#subscribers.size === 0) return
    const event = this.#event('frame', frame)
    this.#frameBytes = event.length
    this.#subscribers.broadcast(event)
  }

  #event(name: string, data: object): Uint8Array<ArrayBuffer> {
    return Buffer.from(
      `id: ${this.#frame.sequence}\nevent: ${name}\ndata: ${JSON.stringify(data)}\n\n`,
    )
  }

  #snapshot(): Uint8Array<ArrayBuffer> {
    return this.#event('snapshot', { frame: this.#frame, history: this.#recorder.history })
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
        const { status, headers, body } = answer === 'elsewhere' ? notFound() : answer
        response.writeHead(status, headers).end(request.method === 'HEAD' ? undefined : body)
      }
    }
  }

  /** For servers of Web requests. As those do not say where a request comes from, pass it, or give `authorize`. */
  async fetch(request: Request, peer: { remoteAddress?: string } = {}): Promise<Response> {
    const { pathname, search, host } = new URL(request.url)
    const answer = await this.#answer({
      method: request.method,
      url: pathname + search,
      remoteAddress: peer.remoteAddress,
      header: name => request.headers.get(name) ?? (name === 'host' ? host : undefined),
    })
    if (answer === 'stream') return new Response(this.#webStream(), { headers: STREAM_HEADERS })
    const { status, headers, body } = answer === 'elsewhere' ? notFound() : answer
    return new Response(request.method === 'HEAD' ? null : (body ?? null), { status, headers })
  }

  async #answer(request: DashboardRequest): Promise<Answer> {
    const path = request.url.replace(/[?#].*$/s, '')
    const inside = path === this.#basePath || path.startsWith(`${this.#basePath}/`)
    if (!inside) return 'elsewhere'
    if (this.#closed || !(await this.#allowed(request))) return notFound()
    if (request.method !== 'GET' && request.method !== 'HEAD') {
      return { status: 405, headers: { ...SECURITY, allow: 'GET, HEAD' } }
    }
    if (path === this.#basePath && this.#basePath !== '') {
      // Relative, so that it also holds behind a proxy that strips a prefix.
      const last = this.#basePath.slice(this.#basePath.lastIndexOf('/') + 1)
      return { status: 308, headers: { ...SECURITY, location: `./${last}/` } }
    }
    const name = path.slice(this.#basePath.length + 1)
    if (name === 'events' || name === 'snapshot.json') {
      await this.#first.promise
      if (this.#closed) return notFound()
      return name === 'events' ? this.#admit(request) : this.#json()
    }
    const asset = this.#assets.get(name)
    return asset === undefined ? notFound() : this.#file(asset, request)
  }

  /** An `authorize` that throws or rejects lets nobody in. */
  async #allowed(request: DashboardRequest): Promise<boolean> {
    try {
      return (await this.#authorize(request)) === true
    } catch {
      return false
    }
  }

  #admit(request: DashboardRequest): Answer {
    if (request.method === 'HEAD') return { status: 200, headers: STREAM_HEADERS }
    if (this.#subscribers.size < this.#maxClients) return 'stream'
    return { status: 503, headers: { ...SECURITY, 'retry-after': '10' } }
  }

  #json(): Answer {
    const { clients, dropped, frameBytes, frameTime } = this.stats()
    const own = { clients, dropped, frameBytes, frameTime }
    const data = { frame: this.#frame, history: this.#recorder.history, dashboard: own }
    return {
      status: 200,
      headers: { ...SECURITY, 'content-type': 'application/json', 'cache-control': 'no-store' },
      body: Buffer.from(JSON.stringify(data)),
    }
  }

  async #file(asset: Asset, request: DashboardRequest): Promise<Answer> {
    const { body, type, etag } = asset
    const headers = {
      ...SECURITY,
      'content-type': type,
      'cache-control': 'no-cache',
      vary: 'accept-encoding',
      etag,
    }
    if (request.header('if-none-match') === etag) return { status: 304, headers }
    if (!/\bgzip\b/.test(request.header('accept-encoding') ?? '')) {
      return { status: 200, headers, body }
    }
    let zipped = this.#zipped.get(asset)
    if (zipped === undefined) this.#zipped.set(asset, (zipped = await gzipped(body, SMALLEST)))
    return { status: 200, headers: { ...headers, 'content-encoding': 'gzip' }, body: zipped }
  }

  #streamTo(response: ServerResponse): void {
    response.writeHead(200, STREAM_HEADERS)
    const sink: Sink = {
      write: frame => response.write(frame),
      end: () => response.destroy(),
    }
    response.on('drain', () => this.#subscribers.drained(sink, () => this.#snapshot()))
    response.on('close', () => this.#subscribers.remove(sink))
    this.#join(sink)
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
          }
          this.#join(sink)
        },
        pull: () => this.#subscribers.drained(sink, () => this.#snapshot()),
        cancel: () => this.#subscribers.remove(sink),
      },
      { highWaterMark: 65_536, size: chunk => chunk?.byteLength ?? 0 },
    )
  }

  #join(sink: Sink): void {
    const first = this.#subscribers.size === 0
    this.#subscribers.add(sink, Buffer.concat([Buffer.from('retry: 2000\n\n'), this.#snapshot()]))
    if (!first) return
    // The idle rhythm may have most of its pause ahead.
    this.#timer?.cancel()
    this.#schedule()
  }

  stats(): DashboardStats {
    return {
      clients: this.#subscribers.size,
      dropped: this.#subscribers.dropped,
      frameBytes: this.#frameBytes,
      frameTime: this.#frameTime,
    }
  }

  /** Ends all streams and stops. Requests get 404 from now on. */
  close(): void {
    this.#closed = true
    this.#timer?.cancel()
    this.#frameUnderWay?.cancel()
    this.#first.resolve()
    this.#subscribers.close()
    this.#recorder.stop()
  }

  [Symbol.dispose](): void {
    this.close()
  }
}

function notFound(): Exclude<Answer, string> {
  return { status: 404, headers: { 'x-content-type-options': 'nosniff' } }
}
