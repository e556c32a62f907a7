import { InvalidOptionError } from '@millrace/kit'
import { type EntryState, FRESH, GONE, type Guard, STALE } from '../kernel/entry.ts'

/** One tag in use. `deleteTag` retires the object, so that stamps which hold it can never be fresh again. */
interface Tag {
  readonly name: string
  retired: boolean
  /** The present one. */
  version: Version
}

/** A tag between two of its expiries. */
interface Version {
  readonly tag: Tag
  /** ms on the clock; Infinity while it is the present one. */
  expiredAt: number
}

/** Never collected below this many tags, so that small tables are not swept again and again. */
const SWEEP_AT_LEAST = 1_024

/**
 * How many invalidations are remembered by name for loads in progress. A load that began before the
 * oldest of them was forgotten counts as invalidated, if its result has tags.
 */
const REMEMBERED = 1_024

/**
 * Tags as versions. An entry holds a {@link TagStamp} of the versions it was
 * stored under, and is checked against the table when it is read: invalidating a tag is O(1), touches
 * no entry, and costs an untagged hit nothing and a tagged one a comparison of two integers until the
 * next invalidation.
 *
 * Memory: one object per tag that some entry holds, plus at most as many again before a sweep drops
 * those that eviction left behind.
 */
export class TagTable {
  readonly #tags = new Map<string, Tag>()
  /** Name -> epoch of its last invalidation, oldest first. */
  readonly #invalidated = new Map<string, number>()
  /** Loads that began before this epoch may have missed an invalidation that was forgotten. */
  #forgotten = 0
  #sweepAt = SWEEP_AT_LEAST
  /** Grows with every invalidation of a tag. */
  epoch = 0

  /** Number of tags in use. */
  get size(): number {
    return this.#tags.size
  }

  /**
   * The present versions of `names`, to be kept with an entry.
   *
   * @param stamps all stamps still in use, with gaps, asked for when it is time to drop the tags that no entry
   *   holds any more; amortized O(1) per new tag
   */
  stamp(names: readonly string[], stamps: () => Iterable<TagStamp | undefined> | null): TagStamp {
    if (this.#tags.size >= this.#sweepAt) this.#sweep(stamps())
    const versions = names.map(name => {
      let tag = this.#tags.get(name)
      if (tag === undefined) {
        tag = { name, retired: false } as Tag
        begin(tag)
        this.#tags.set(name, tag)
      }
      return tag.version
    })
    return new TagStamp(this, versions)
  }

  /**
   * Entries that have the tag become stale. O(1).
   *
   * @param now ms on the clock, from which on the entries count as stale
   */
  expire(name: string, now: number): void {
    this.#remember(name)
    const tag = this.#tags.get(name)
    if (tag === undefined) return
    tag.version.expiredAt = now
    begin(tag)
  }

  /** Entries that have the tag are gone. O(1). */
  delete(name: string): void {
    this.#remember(name)
    const tag = this.#tags.get(name)
    if (tag === undefined) return
    tag.retired = true
    this.#tags.delete(name)
  }

  /** Forgets all tags: for a cache that has just dropped all its entries and fenced its loads. */
  clear(): void {
    for (const tag of this.#tags.values()) tag.retired = true
    this.#tags.clear()
    this.#invalidated.clear()
    this.#forgotten = ++this.epoch
    this.#sweepAt = SWEEP_AT_LEAST
  }

  /** Whether one of `names` was invalidated after `epoch`; true also where that is no longer known. */
  invalidatedSince(epoch: number, names: readonly string[]): boolean {
    if (epoch === this.epoch || names.length === 0) return false
    if (epoch < this.#forgotten) return true
    for (const name of names) {
      if ((this.#invalidated.get(name) ?? 0) > epoch) return true
    }
    return false
  }

  #remember(name: string): void {
    // A list of tags, for one, would silently invalidate nothing.
    if (typeof name !== 'string') throw new InvalidOptionError('tag', 'a string', name)
    const invalidated = this.#invalidated
    invalidated.delete(name)
    invalidated.set(name, ++this.epoch)
    if (invalidated.size > REMEMBERED) {
      const [oldest, epoch] = invalidated.entries().next().value!
      invalidated.delete(oldest)
      this.#forgotten = epoch
    }
  }

  #sweep(stamps: Iterable<TagStamp | undefined> | null): void {
    const held = new Set<Tag>()
    for (const stamp of stamps ?? []) stamp?.collect(held)
    for (const tag of this.#tags.values()) {
      if (held.has(tag)) continue
      // A stamp that outlived its entry must not miss what happens to a tag of the same name later.
      tag.retired = true
      this.#tags.delete(tag.name)
    }
    this.#sweepAt = Math.max(SWEEP_AT_LEAST, 2 * this.#tags.size)
  }
}

function begin(tag: Tag): void {
  tag.version = { tag, expiredAt: Infinity }
}

/** The versions that the tags of one entry had when it was stored. */
export class TagStamp implements Guard {
  readonly #table: TagTable
  readonly #versions: readonly Version[]
  #state: EntryState = FRESH
  /** Epoch of the table at which `#state` was right. */
  #checked: number

  constructor(table: TagTable, versions: readonly Version[]) {
    this.#table = table
    this.#versions = versions
    this.#checked = table.epoch
  }

  get names(): string[] {
    return this.#versions.map(({ tag }) => tag.name)
  }

  /** O(1) when no tag at all was invalidated since the last call, else O(tags of this entry). */
  state(): EntryState {
    if (this.#checked !== this.#table.epoch) this.#check()
    return this.#state
  }

  /** ms on the clock from which on the entry is stale; Infinity if none of its tags was expired. */
  get staleSince(): number {
    return Math.min(...this.#versions.map(({ expiredAt }) => expiredAt))
  }

  /** The first tag that makes the entry stale or gone. */
  get invalidatedBy(): string | undefined {
    return this.#versions.find(version => standing(version) !== FRESH)?.tag.name
  }

  /** Adds the tags to `held`. */
  collect(held: Set<Tag>): void {
    for (const { tag } of this.#versions) held.add(tag)
  }

  #check(): void {
    for (const version of this.#versions) {
      const state = standing(version)
      if (state > this.#state) this.#state = state
    }
    this.#checked = this.#table.epoch
  }
}

function standing({ tag, expiredAt }: Version): EntryState {
  if (tag.retired) return GONE
  return expiredAt === Infinity ? FRESH : STALE
}
