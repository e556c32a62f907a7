import type { CachedResponses, ResponseStore } from './response-store.ts'

/** How responses are cached, by RFC 9111. */
export interface HttpCacheOptions {
  /**
   * Where they are kept: any store of `@millrace/cache-core` or `@millrace/cache-redis`, or an object of the
   * same shape. Default: a `MemoryCacheStore` of undici's, of at most 1,024 responses and 100 MB
   */
  readonly store?: ResponseStore<CachedResponses> | undefined
  /** Largest body that is kept, in bytes. Default: 5 MiB */
  readonly maxEntrySize?: number | undefined
  /**
   * `shared` keeps what is meant for all users; `private` also what is meant for one user, and so is for a
   * pool that serves one user. Default: `shared`
   */
  readonly type?: 'shared' | 'private' | undefined
  /** Seconds for which a response is fresh that says nothing about it. Default: such responses are not kept */
  readonly cacheByDefault?: number | undefined
  /**
   * Fields that stand for `Cache-Control` and `Expires` where a response has them, those with precedence first (RFC 9213):
   * `['CDN-Cache-Control']` for a cache that is a part of the origin's own delivery. Default: none, as such a field says nothing to
   * caches of others
   */
  readonly targets?: readonly string[] | undefined
  /**
   * Headers of requests that say for whom they are, as `['x-api-key']`: a shared cache keeps what was asked for with one for requests
   * with the same value alone, whatever the response varies by, and no redirect takes them to another origin. `Cookie`,
   * `Proxy-Authorization` and what `injectHeaders` adds are among them, and `Authorization` by RFC 9111. Default: no more than these
   */
  readonly credentials?: readonly string[] | undefined
  /** How long a look-up in `store` may take, in ms, before it is a miss: above 0 and finite, as a store may hang. Default: 2,000 */
  readonly storeTimeout?: number | undefined
  /**
   * Answer by 504 where a kept response may not be used without being validated and its origin cannot be reached, as RFC 9111 section
   * 5.2.2.2 asks of a cache that serves others: for a pool within a proxy. Default: false, the call fails with the error
   */
  readonly gateway?: boolean | undefined
}
