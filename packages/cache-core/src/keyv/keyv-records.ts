import type { TimeSource } from '@millrace/kit'
import { letGo } from '../iterate/let-go.ts'
import { decodeEntry, encodeEntry, type StoredEntry } from '../store/format/entry-format.ts'
import type { StoreCounters } from '../store/store-counters.ts'
import { type TimeLimit, within } from '../time/within.ts'
import type { KeyvStorage } from './keyv-storage.ts'

/** When a tag, or everything, was last invalidated. */
export interface Mark {
  readonly deleted: number
  readonly expired: number
}

/** A value that may be returned, or a deleted key, with what invalidations make of it. */
export interface Judged {
  readonly entry: StoredEntry | undefined
  /** Epoch of the last thing that happened to the key: fences before it are outdated. */
  readonly barrier: number
}

const NEVER: Mark = { deleted: 0, expired: 0 }
/** What a mark that cannot be read stands for: whatever it is about may have been invalidated. */
const DAMAGED: Mark = { deleted: Infinity, expired: Infinity }
/** Name of the mark of everything. */
export const ALL = 'all'
/** Name of the mark of a tag in its storable form. */
export const tagMark = (tag: string): string => `tag:${tag}`
/** Before the keys of values, so that no user's key is taken for a mark. */
export const VALUE = 'value:'
const BATCH = 500

/** What {@link KeyvRecords} work with. */
export interface KeyvRecordsOptions {
  readonly storage: KeyvStorage
  readonly clock: TimeSource
  readonly counters: StoreCounters
  /** How long one call of the adapter is waited for. */
  readonly limit: TimeLimit
  /** Told of a record that has to be invalidated: a mark that cannot be read, or one that was written too late, perhaps over a newer one. */
  readonly onUnsure: (name: string) => void
}

/** What a `KeyvStore` keeps in an adapter: values under `value:KEY`, marks under `tag:NAME` and `all`, all of them text. */
export class KeyvRecords {
  readonly #storage: KeyvStorage
  readonly #clock: TimeSource
  readonly #counters: StoreCounters
  readonly #limit: TimeLimit
  readonly #onUnsure: (name: string) => void

  constructor({ storage, clock, counters, limit, onUnsure }: KeyvRecordsOptions) {
    this.#limit = limit
    this.#storage = storage
    this.#clock = clock
    this.#counters = counters
    this.#onUnsure = onUnsure
  }

  /** What the records say of keys in their storable form, together. */
  async judge(keys: readonly string[]): Promise<Judged[]> {
    const { entries, all } = await this.#read(keys)
    const tags = [...new Set(entries.flatMap(entry => entry?.tags ?? []))]
    const marks = await this.marks(tags.map(tagMark))
    const markOf = new Map(tags.map((tag, index) => [tag, marks[index]!]))
    const now = this.#clock.now()
    return entries.map(entry => {
      if (entry === undefined) return { entry, barrier: Math.max(all.deleted, all.expired) }
      let { deleted, expired } = all
      for (const tag of entry.tags) {
        const mark = markOf.get(tag)!
        deleted = Math.max(deleted, mark.deleted)
        expired = Math.max(expired, mark.expired)
      }
      const barrier = Math.max(all.deleted, all.expired, entry.version)
      const gone =
        entry.packed.length === 0 ||
        deleted > entry.version ||
        Math.max(now, entry.written) >= entry.retained
      if (gone) return { entry: undefined, barrier }
      return { entry: expired > entry.version ? { ...entry, expires: 0 } : entry, barrier }
    })
  }

  /** The values of keys and the mark of everything, by one call. */
  async #read(
    keys: readonly string[],
  ): Promise<{ entries: (StoredEntry | undefined)[]; all: Mark }> {
    const [all, ...texts] = await this.#get([ALL, ...keys.map(key => VALUE + key)])
    return {
      entries: texts.map((text, index) => this.#entry(keys[index]!, text)),
      all: this.#mark(ALL, all),
    }
  }

  async marks(names: readonly string[]): Promise<Mark[]> {
    if (names.length === 0) return []
    const texts = await this.#get(names)
    return names.map((name, index) => this.#mark(name, texts[index]))
  }

  async write(entry: StoredEntry): Promise<void> {
    const text = encodeEntry(entry).toString('base64')
    await this.#set(VALUE + entry.key, text, entry.retained)
  }

  async mark(name: string, version: number, expire: boolean): Promise<void> {
    const before = markOf((await this.#get([name]))[0])
    const { deleted, expired } =
      before === DAMAGED ? { deleted: version, expired: version } : before
    const mark = expire
      ? { deleted, expired: Math.max(expired, version) }
      : { deleted: Math.max(deleted, version), expired }
    await this.#set(name, JSON.stringify(mark), Infinity)
  }

  /** Keys of values, so many at a time. All are looked for first, so that a loop that writes ends. */
  async *pages(): AsyncGenerator<string[], void> {
    const { iterator, namespace } = this.#storage
    if (iterator === undefined) throw new TypeError('The storage adapter has no `iterator`')
    const items = iterator.call(this.#storage, namespace)[Symbol.asyncIterator]()
    const found: string[] = []
    try {
      for (;;) {
        const { done, value } = await within(this.#limit, () => items.next())
        if (done) break
        const [name] = value as [unknown]
        // Some give their keys with what they put before them.
        const at = String(name).indexOf(VALUE)
        if (at !== -1) found.push(String(name).slice(at + VALUE.length))
      }
    } finally {
      letGo(items)
    }
    for (let from = 0; from < found.length; from += BATCH) yield found.slice(from, from + BATCH)
  }

  clear(): Promise<unknown> {
    return within(this.#limit, () => this.#storage.clear())
  }

  disconnect(): Promise<unknown> {
    return within(this.#limit, () => this.#storage.disconnect?.())
  }

  async #get(names: readonly string[]): Promise<unknown[]> {
    const storage = this.#storage
    const texts: unknown = await within(this.#limit, () =>
      storage.getMany === undefined
        ? Promise.all(names.map(name => storage.get(name)))
        : storage.getMany([...names]),
    )
    if (Array.isArray(texts) && texts.length === names.length) return texts
    throw new TypeError('The storage adapter did not answer for each of the keys')
  }

  async #set(name: string, text: string, retained: number): Promise<void> {
    const { capabilities } = this.#storage
    const lifetime = capabilities?.expires ? retained : retained - this.#clock.now()
    const kept = await within(
      this.#limit,
      () => this.#storage.set(name, text, lifetime === Infinity ? undefined : lifetime),
      () => this.#onUnsure(name),
    )
    if (kept === false) throw new Error('The storage adapter did not store the value')
  }

  #mark(name: string, text: unknown): Mark {
    const mark = markOf(text)
    if (mark === DAMAGED) {
      this.#counters.corrupt++
      this.#onUnsure(name)
    }
    return mark
  }

  #entry(key: string, text: unknown): StoredEntry | undefined {
    if (text === undefined || text === null) return undefined
    const entry = typeof text === 'string' ? decodeEntry(Buffer.from(text, 'base64')) : undefined
    if (entry !== undefined && entry.key === key) return entry
    this.#counters.corrupt++
    return undefined
  }
}

/** {@link DAMAGED} where it is not what {@link KeyvRecords.mark} writes. */
function markOf(text: unknown): Mark {
  if (text === undefined || text === null) return NEVER
  try {
    const { deleted, expired } = JSON.parse(text as string) as Mark
    if (Number.isFinite(deleted) && Number.isFinite(expired)) return { deleted, expired }
  } catch {
    // Not ours, or cut short.
  }
  return DAMAGED
}
