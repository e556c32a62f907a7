import { EventEmitter } from 'node:events'
import { checkMethods, checkOptions, InvalidOptionError, type OptionNames } from '@millrace/kit'
import type { Store, StoreEntry, StoreItem } from '../store/contract/store.ts'
import { isFresh } from '../store/entry-time.ts'

/** Options of a {@link KeyvAdapter}. */
export interface KeyvAdapterOptions {
  /** Keeps the keys of one Keyv apart from others in the same store; Keyv sets it to its own. Default: none. */
  readonly namespace?: string | undefined
}

const OPTIONS: OptionNames<KeyvAdapterOptions> = { namespace: true }
/** Keys read, or deleted, at a time. */
const BATCH = 500

/**
 * A {@link Store} behind Keyv: `new Keyv({ store: new KeyvAdapter(new SqliteStore({ path })) })`. For Keyv 5 and 6; one adapter for each
 * Keyv, any number over one store. What the store throws reaches Keyv, which emits it as an `error` or throws it, as it was told to.
 */
export class KeyvAdapter extends EventEmitter {
  readonly #store: Store<unknown>
  /** Keyv looks here for what kind of database it has, and offers `iterator()` for those that it knows alone. */
  readonly opts: Record<string, unknown> = { dialect: 'sqlite' }
  /** Keyv sets it to its own. */
  declare namespace?: string

  /** @throws {InvalidOptionError} */
  constructor(store: Store<unknown>, options: KeyvAdapterOptions = {}) {
    super()
    checkMethods('store', store, 'a Store', ['get', 'getMany', 'set', 'setMany', 'delete', 'keys'])
    this.#store = store
    const { namespace } = checkOptions('', options, OPTIONS)
    if (namespace === undefined) return
    if (typeof namespace !== 'string') {
      throw new InvalidOptionError('namespace', 'a string', namespace)
    }
    this.namespace = namespace
  }

  async get<V>(key: string): Promise<V | undefined> {
    return fresh(await this.#store.get(this.#name(key))) as V | undefined
  }

  async getMany<V>(keys: string[]): Promise<(V | undefined)[]> {
    const entries = await this.#store.getMany(keys.map(key => this.#name(key)))
    return entries.map(fresh) as (V | undefined)[]
  }

  /** @param ttl ms; as in Keyv, 0 and what is not finite are as good as none, and one below 0 is over, which deletes */
  async set(key: string, value: unknown, ttl?: number): Promise<boolean> {
    const item = this.#item(key, value, ttl)
    if (item !== undefined) {
      const { ttl: lifetime, tags } = item
      return this.#store.set(item.key, value, { ttl: lifetime, tags })
    }
    await this.delete(key)
    return true
  }

  /** Whether each is stored; typed as Keyv 5 and 6 each have it. */
  async setMany(
    entries: readonly {
      readonly key: string
      readonly value: unknown
      readonly ttl?: number | undefined
    }[],
    // biome-ignore lint/suspicious/noExplicitAny: nothing for one, booleans for the other
  ): Promise<any> {
    const items = entries.map(({ key, value, ttl }) => this.#item(key, value, ttl))
    const stored = await this.#store.setMany(items.filter(item => item !== undefined))
    const ended = entries.filter((_, index) => items[index] === undefined)
    if (ended.length !== 0) await this.deleteMany(ended.map(({ key }) => key))
    let next = 0
    return items.map(item => item === undefined || stored[next++]!)
  }

  delete(key: string): Promise<boolean> {
    return this.#store.delete(this.#name(key))
  }

  /** Whether there was any of them. */
  async deleteMany(keys: string[]): Promise<boolean> {
    return (await this.#store.deleteMany(keys.map(key => this.#name(key)))) > 0
  }

  async has(key: string): Promise<boolean> {
    return isFresh(await this.#store.get(this.#name(key)))
  }

  async hasMany(keys: string[]): Promise<boolean[]> {
    return (await this.#store.getMany(keys.map(key => this.#name(key)))).map(isFresh)
  }

  /** Removes what is in the namespace; all that the store has if there is none. */
  async clear(): Promise<void> {
    const prefix = this.#name('')
    if (prefix === '') await this.#store.clear()
    // By tag, which no write in progress escapes, as it would the search for keys.
    else await this.#store.deleteTag(prefix)
  }

  /** Keys and values of the namespace. */
  async *iterator<V>(): AsyncGenerator<[string, Awaited<V>], void> {
    const prefix = this.#name('')
    let page: string[] = []
    for await (const key of this.#store.keys({ prefix })) {
      if (page.push(key) < BATCH) continue
      yield* this.#entries<V>(page, prefix)
      page = []
    }
    yield* this.#entries<V>(page, prefix)
  }

  /** Closes the store. */
  disconnect(): Promise<void> {
    return this.#store.close()
  }

  async *#entries<V>(
    keys: readonly string[],
    prefix: string,
  ): AsyncGenerator<[string, Awaited<V>]> {
    const entries = await this.#store.getMany(keys)
    for (const [index, entry] of entries.entries()) {
      if (!isFresh(entry)) continue
      yield [keys[index]!.slice(prefix.length), entry.value as Awaited<V>]
    }
  }

  #name(key: string): string {
    return this.namespace === undefined || this.namespace === '' ? key : `${this.namespace}::${key}`
  }

  /** `undefined` for what has ended already. */
  #item(key: string, value: unknown, ttl: number | undefined): StoreItem<unknown> | undefined {
    if (Number.isFinite(ttl) && ttl! < 0) return undefined
    const prefix = this.#name('')
    const lifetime = ttl !== undefined && ttl > 0 ? ttl : undefined
    return { key: prefix + key, value, ttl: lifetime, tags: prefix === '' ? [] : [prefix] }
  }
}

function fresh(entry: StoreEntry<unknown> | undefined): unknown {
  return isFresh(entry) ? entry.value : undefined
}
