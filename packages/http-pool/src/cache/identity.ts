import { hash } from 'node:crypto'

/** Among the headers by which a cache looks for its response: by whose rules, and for whom. No request has such a field. */
export const IDENTITY = 'millrace-identity'

/** The options that decide what may be kept, and for whom. */
interface Rules {
  readonly type: 'shared' | 'private'
  readonly credentials: readonly string[]
  readonly targets: readonly string[]
  readonly cacheByDefault: number | undefined
}

/**
 * What a kept response is told apart by besides its URL and what it varies by: the options of the cache that decide what may be kept,
 * and the values of headers that say for whom a request is. All as a digest, as a store need not know them.
 *
 * With it pools may share a store: what a private cache keeps is not found by a shared one, and no user's response by a pool that
 * names other credentials, or none.
 */
export class Identity {
  readonly #names: readonly string[]
  readonly #rules: string

  constructor({ type, credentials, targets, cacheByDefault }: Rules) {
    // In a shared cache `Authorization` has rules of its own (RFC 9111 section 3.5).
    this.#names = type === 'private' ? [...credentials, 'authorization'] : credentials
    this.#rules = digest([type, credentials.toSorted(), targets, cacheByDefault])
  }

  /**
   * @param list names and values of the request's headers
   * @param injected names in lower case of headers that are the pool's hook's affair
   */
  of(list: readonly string[], injected: readonly string[] | undefined): string {
    const found: string[] = []
    for (let i = 0; i < list.length; i += 2) {
      const name = list[i]!.toLowerCase()
      if (this.#names.includes(name) || injected?.includes(name)) found.push(name, list[i + 1]!)
    }
    return found.length === 0 ? this.#rules : digest([this.#rules, found])
  }
}

function digest(value: unknown): string {
  return hash('sha256', JSON.stringify(value), 'base64url')
}
