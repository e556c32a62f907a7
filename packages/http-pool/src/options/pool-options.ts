import type { LookupFunction } from 'node:net'
import type { ConnectionOptions } from 'node:tls'
import type { CacheOptions } from '../cache/cache-options.ts'
import type { Clock } from '../clock.ts'
import type { InjectHeaders } from '../exchange/attempt-trace.ts'
import type { BreakerOptions } from '../host/breaker.ts'
import type { HedgeOptions } from '../host/hedge.ts'
import type { ThrottleOptions } from '../host/throttle.ts'
import type { Limiter } from '../limits/limiter.ts'
import type { RetryOptions } from '../retry/retry-policy.ts'
import type { AllowAddress } from '../security/guarded-lookup.ts'

/** Times that the pool sets and a single call may change. All in ms; 0 or Infinity means none. */
export interface Timeouts {
  /** Waiting for a permit and a connection. Default 10,000. */
  acquireTimeout?: number
  /** From the latest chunk sent to the head of the final response. Default 30,000. */
  headersTimeout?: number
  /** Between two chunks of the response, while the reader keeps up. Default 30,000. */
  bodyTimeout?: number
  /** From the call to the last byte, over all attempts and redirects. Default none. */
  totalTimeout?: number
}

/** What may differ from host to host. */
export interface OriginOptions {
  /** Most connections to one origin (scheme, host and port). Default 10. */
  connectionsPerHost?: number
  /** Most requests in flight to one origin; matters over HTTP/2. Default none beyond the connections. */
  concurrencyPerHost?: number
  /** Name lookup, TCP and TLS handshakes together, in ms. Default 10,000. */
  connectTimeout?: number
  /** How long an idle connection is kept where the server gives no hint, in ms. Default 4,000. */
  keepAliveTimeout?: number
  /** Most that a server's `Keep-Alive` hint can ask for, in ms. Default 600,000. */
  keepAliveMaxTimeout?: number
  /** How much earlier than the server's hint a connection is given up, in ms. Default 1,000. */
  keepAliveMargin?: number
  /** Speak HTTP/2 where a TLS server offers it. Default true. */
  allowH2?: boolean
  /** Streams on one HTTP/2 connection; a server may lower it. Default 100. */
  maxConcurrentStreams?: number
  /** Most bytes of a response's head. Default Node's, 16 KiB. */
  maxHeaderSize?: number
  /**
   * Sent with each request that does not have them itself. In `origins` they are sent to that origin alone,
   * beside those of the pool: no redirect takes them elsewhere, and credentials are allowed there only.
   */
  headers?: Readonly<Record<string, string>>
  /** Options for `tls.connect`: `ca`, `cert`, `key`, `rejectUnauthorized`, … */
  tls?: ConnectionOptions
  /**
   * Permits for attempts: anything with `acquire({ signal })`, for instance a limiter of
   * `@millrace/rate-limit`. In `origins` it is that origin's own; at the top one for all of them, and a
   * function there makes one for each. Default none.
   */
  limiter?: Limiter | ((origin: string) => Limiter)
  /** Leaves hosts alone while most attempts fail. Default off. */
  breaker?: boolean | BreakerOptions
  /** Rejects a share of the requests here while a host rejects them there. Default off. */
  throttle?: boolean | ThrottleOptions
  /** Second attempts beside slow ones, for idempotent requests. Default off. */
  hedge?: boolean | HedgeOptions
  /** Keeps to the limits that `RateLimit`, `X-RateLimit-*` and `Retry-After` of 429 announce. Default false. */
  learnLimits?: boolean
  /**
   * Addresses that may be connected to, asked after the name was resolved, for the very address that is
   * used: `'public'` allows no loopback, link-local, private or otherwise special range. For URLs that
   * come from users. Default all.
   */
  addresses?: 'public' | AllowAddress
  /** Name lookup with the signature of `dns.lookup`. Default `dns.lookup`. */
  lookup?: LookupFunction
}

/** Options of an `HttpPool`. */
export interface HttpPoolOptions extends Timeouts, OriginOptions {
  /** Most connections to all origins together, those being opened and closed included. Default 100. */
  totalConnections?: number
  /** Most requests in flight to all origins together. Default none beyond the connections. */
  totalConcurrency?: number
  /** Most requests that wait for a connection; one more is refused. Default 10,000; 0 never waits. */
  maxQueued?: number
  /** Options for single origins, by `scheme://host:port` as in `URL.origin`. */
  origins?: Readonly<Record<string, OriginOptions>>
  /** Redirects that `request` and `json` follow; 0 hands them to the caller. Default 5. */
  maxRedirects?: number
  /** Most bytes of a response's body. Default none. */
  maxResponseSize?: number
  /**
   * Ask for compressed responses (zstd, brotli, gzip, deflate) and hand them out plain; `maxResponseSize`
   * then bounds the plain bytes too. Default false: bodies come as they are.
   */
  decompress?: boolean
  /** One response for GET and HEAD requests that are the same and at the same time. Default false. */
  coalesce?: boolean
  /** Keeps responses as RFC 9111 allows. Default off. */
  cache?: boolean | CacheOptions
  /** Retries, default on. */
  retry?: boolean | RetryOptions
  /**
   * A body that nobody reads is given up after this many ms if other requests wait for a connection.
   * Default 60,000; 0 or Infinity waits for ever.
   */
  bodyLeakTimeout?: number
  /** Adds headers to each attempt, for instance `traceparent`. Called in the context that channels bound. */
  injectHeaders?: InjectHeaders
  /** Monotonic time source. Default the system's. */
  clock?: Clock
  /** Random numbers from 0 to 1, for jitter. Default `Math.random`. */
  random?: () => number
}

/** What a single call may change. */
export interface CallOptions extends Timeouts {
  /** Aborts the call in any phase. */
  signal?: AbortSignal
  /** Redirects to follow; 0 hands them to the caller. Default the pool's. */
  maxRedirects?: number
  /** Most bytes of the body. Default the pool's. */
  maxResponseSize?: number
  /**
   * `false`: one attempt. `true`: this call may be retried whatever its method is; its body must be
   * one that can be sent twice. Default: the pool's policy, for its methods.
   */
  retry?: boolean
}
