/**
 * What Keyv's storage adapters have in common, of Keyv 5 (times to live) and 6 (points in time): `@keyv/redis`, `@keyv/postgres`,
 * `keyv-file` and the like.
 */
export interface KeyvStorage {
  get(key: string): Promise<unknown>
  /** @param lifetime ms to live; ms since 1970 for an adapter whose {@link capabilities} say that it `expires` */
  set(key: string, value: string, lifetime?: number): Promise<unknown>
  delete(key: string): Promise<unknown>
  clear(): Promise<unknown>
  getMany?(keys: string[]): Promise<unknown[]>
  iterator?(namespace?: string): AsyncIterable<unknown>
  disconnect?(): Promise<unknown>
  readonly namespace?: string | undefined
  readonly capabilities?: { readonly expires?: boolean | undefined } | undefined
}
