import type { LookupFunction } from 'node:net'
import type { ConnectionOptions } from 'node:tls'
import type { Clock } from '@millrace/kit'
import type { HttpCacheOptions } from '../cache/cache-options.ts'
import type { HttpBreakerOptions } from '../host/breaker.ts'
import type { HedgeOptions } from '../host/hedge.ts'
import type { ThrottleOptions } from '../host/throttle.ts'
import type { Limiter } from '../limits/limiter.ts'
import type { Timeouts } from '../request/call-options.ts'
import type { InjectHeaders } from '../request/inject-headers.ts'
import type { HttpRetryOptions } from '../retry/retry-policy.ts'
import type { AllowAddress } from '../security/guarded-lookup.ts'

/** What may differ from host to host. */
export interface OriginOptions {
  /** Most connections to one origin (scheme, host and port). Default: 10 */
  readonly connectionsPerHost?: number | undefined
  /** Most requests in flight to one origin; matters over HTTP/2. Default: Infinity, as many as the connections take */
  readonly concurrencyPerHost?: number | undefined
  /** Name lookup, TCP and TLS handshakes together, in ms, above 0; Infinity for no limit but the system's. Default: 10,000 */
  readonly connectTimeout?: number | undefined
  /** How long an idle connection is kept where the server gives no hint, in ms, above 0 and finite. Default: 4,000 */
  readonly keepAliveTimeout?: number | undefined
  /** Most that a server's `Keep-Alive` hint can ask for, in ms, above 0 and finite. Default: 600,000 */
  readonly keepAliveMaxTimeout?: number | undefined
  /** How much earlier than the server's hint a connection is given up, in ms. Default: 1,000 */
  readonly keepAliveMargin?: number | undefined
  /**
   * Speak HTTP/2 where a TLS server offers it. One connection then carries many requests, and its end is the end of them all; over
   * HTTP/1.1 it is that of one. Default: false
   */
  readonly allowH2?: boolean | undefined
  /** Streams on one HTTP/2 connection; a server may lower it. Default: 100 */
  readonly maxConcurrentStreams?: number | undefined
  /** Most bytes of a response's head. Default: Node's, 16 KiB */
  readonly maxHeaderSize?: number | undefined
  /**
   * Sent with each request that does not have them itself. In `origins` they are sent to that origin alone,
   * beside those of the pool: no redirect takes them elsewhere, and credentials are allowed there only. Default: none
   */
  readonly headers?: Readonly<Record<string, string>> | undefined
  /** Options for `tls.connect`: `ca`, `cert`, `key`, `rejectUnauthorized`, … Default: Node's */
  readonly tls?: ConnectionOptions | undefined
  /**
   * Permits for attempts: anything with `acquire({ signal })`, for instance a limiter of
   * `@millrace/rate-limit`. In `origins` it is that origin's own; at the top one for all of them, and a
   * function there makes one for each. Default: none
   */
  readonly limiter?: Limiter | ((origin: string) => Limiter) | undefined
  /** Leaves hosts alone while most attempts fail. Default: off */
  readonly breaker?: boolean | HttpBreakerOptions | undefined
  /** Rejects a share of the requests here while a host rejects them there. Default: off */
  readonly throttle?: boolean | ThrottleOptions | undefined
  /** Second attempts beside slow ones, for idempotent requests. Default: off */
  readonly hedge?: boolean | HedgeOptions | undefined
  /** Keeps to the limits that `RateLimit`, `X-RateLimit-*` and `Retry-After` of 429 announce. Default: false */
  readonly learnLimits?: boolean | undefined
  /**
   * Addresses that may be connected to, asked after the name was resolved, for the very address that is
   * used: `'public'` allows no loopback, link-local, private or otherwise special range. For URLs that
   * come from users. Default: all
   */
  readonly addresses?: 'public' | AllowAddress | undefined
  /**
   * The URL of an HTTP proxy, with credentials if it wants them, or `'environment'` for `HTTP_PROXY`, `HTTPS_PROXY` and `NO_PROXY`
   * as they are when the pool is made. All requests go through tunnels (CONNECT), so caps, deadlines and retries hold as without.
   * Not beside `addresses`, as the proxy looks names up, nor beside `socketPath`. Default: none
   */
  readonly proxy?: string | URL | undefined
  /**
   * A Unix domain socket, or a named pipe of Windows, that leads to the origin; the URL names it in `Host` and in TLS. No name is
   * looked up, and `addresses` does not apply. For single origins, in `origins`, where it goes before the pool's `proxy`. Default: none
   */
  readonly socketPath?: string | undefined
  /** Name lookup with the signature of `dns.lookup`. Default: `dns.lookup` */
  readonly lookup?: LookupFunction | undefined
}

/** Options of an `HttpPool`. */
export interface HttpPoolOptions extends Timeouts, OriginOptions {
  /** Most connections to all origins together, those being opened and closed included. Default: 100 */
  readonly totalConnections?: number | undefined
  /** Most requests in flight to all origins together. Default: none beyond the connections */
  readonly totalConcurrency?: number | undefined
  /** Most requests that wait for a connection; one more is refused. Default: 10,000; 0 never waits */
  readonly maxQueue?: number | undefined
  /** Options for single origins, by `scheme://host:port` as in `URL.origin`. Default: none */
  readonly origins?: Readonly<Record<string, OriginOptions>> | undefined
  /** Redirects that `request` and `json` follow; 0 hands them to the caller. Default: 5 */
  readonly maxRedirects?: number | undefined
  /** Most bytes of a response's body. Default: none */
  readonly maxResponseSize?: number | undefined
  /**
   * Ask for compressed responses (zstd, brotli, gzip, deflate) and hand them out plain; `maxResponseSize`
   * then bounds the plain bytes too. Default: false: bodies come as they are
   */
  readonly decompress?: boolean | undefined
  /** One response for GET and HEAD requests that are the same and at the same time. Default: false */
  readonly coalesce?: boolean | undefined
  /** Keeps responses as RFC 9111 allows. Default: off */
  readonly cache?: boolean | HttpCacheOptions | undefined
  /** How failed attempts are repeated; `false`: not at all. Default: the defaults of {@link HttpRetryOptions} */
  readonly retry?: boolean | HttpRetryOptions | undefined
  /**
   * A body that is not read is given up after this many ms, above 0, if other requests wait for a connection; Infinity for no limit.
   * Default: 60,000
   */
  readonly bodyLeakTimeout?: number | undefined
  /** Adds headers to each attempt, for instance `traceparent`. Called in the context that channels bound. Default: none */
  readonly injectHeaders?: InjectHeaders | undefined
  /** Monotonic time source. Default: the system's */
  readonly clock?: Clock | undefined
  /** Random numbers from 0 to 1, for jitter. Default: `Math.random` */
  readonly random?: (() => number) | undefined
}
