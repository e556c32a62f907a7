import { checkFunction, InvalidOptionError } from '@millrace/kit'
import { checkQueryOptions, type Query, type QueryContext, type QueryOptions } from './query.ts'
import type { AnyQuery, Part } from './trace/graph-node.ts'

/** The queries of a graph by their names. */
export class DeclaredQueries {
  /** ms, for queries that do not say. */
  readonly #timeout: number
  readonly #queries = new Map<string, AnyQuery>()

  constructor(timeout: number) {
    this.#timeout = timeout
  }

  find(name: string): AnyQuery | undefined {
    return this.#queries.get(name)
  }

  /** @throws {InvalidOptionError} if there is one of this name */
  declare<V, K extends string>(
    name: string,
    compute: (context: QueryContext, key: K) => V | Promise<V>,
    options: QueryOptions<V>,
    part: Part | undefined,
  ): Query<K, V> {
    const { fingerprint, version, timeout } = checkQueryOptions(options, this.#timeout)
    if (typeof name !== 'string' || name === '' || this.#queries.has(name)) {
      throw new InvalidOptionError('name', 'a string that no other query of the graph has', name)
    }
    const query = {
      name,
      compute: checkFunction('compute', compute),
      fingerprint,
      version,
      timeout,
      part,
    }
    this.#queries.set(name, query as unknown as AnyQuery)
    return query
  }

  /** @throws {InvalidOptionError} for anything but one of them */
  assertOwn<K extends string, V>(query: Query<K, V>): void {
    if (this.#queries.get(query?.name) !== (query as unknown)) {
      throw new InvalidOptionError('query', 'a query of this graph', query)
    }
  }
}
