import type { TimeSource } from '@millrace/kit'
import type { Fence } from '../store/contract/store.ts'
import type { StoredEntry } from '../store/format/entry-format.ts'
import { KeyTurns } from './key-turns.ts'
import { type KeyvRecords, tagMark, VALUE } from './keyv-records.ts'

/** A value on its way into the adapter. */
export interface KeyvWrite {
  readonly entry: StoredEntry
  readonly fence: Fence | undefined
}

/** ms for which a deleted key is remembered; what was begun before that is not stored. */
const TOMBSTONE_LIFE = 60_000
/** What stands for a deleted key: no packed value is empty. */
const NOTHING = new Uint8Array()
/** ms by which the clock of a process may be ahead of that of another. */
const AHEAD = 1_000

/** What changes the records of a `KeyvStore`: for each key one change after the other, each with a version that is later than the last. */
export class KeyvChanges {
  readonly #records: KeyvRecords
  readonly #clock: TimeSource
  readonly #turns = new KeyTurns()
  /** The last version given out. */
  #epoch = 0

  constructor(records: KeyvRecords, clock: TimeSource) {
    this.#records = records
    this.#clock = clock
  }

  fence(): Fence {
    const at = this.#clock.now()
    this.#epoch = Math.max(this.#epoch, at * 1_000)
    return { epoch: this.#epoch, at }
  }

  /**
   * Microseconds since 1970, or one more than the last: what is later has the greater one, in other processes and after a restart, too.
   * An invalidation takes the end of its millisecond, so that it is later than what another process did in the same one.
   */
  nextEpoch(invalidates: boolean): number {
    const first = this.#clock.now() * 1_000
    this.#epoch = Math.max(this.#epoch + 1, invalidates ? first + 999 : first)
    return this.#epoch
  }

  /** Whether it was written, and not overtaken by an invalidation. */
  write({ entry, fence }: KeyvWrite): Promise<boolean> {
    return this.#turns.run([entry.key], async () => {
      const admitted = await this.#admits(entry, fence)
      if (admitted) await this.#records.write(entry)
      return admitted
    })
  }

  /** Deletes or expires a value by the storable form of its key, and remembers that. Whether there was one. */
  invalidate(key: string, expire: boolean): Promise<boolean> {
    const version = this.nextEpoch(true)
    return this.#turns.run([key], async () => {
      const [judged] = await this.#records.judge([key])
      const { entry } = judged!
      if (entry !== undefined && expire) {
        await this.#records.write({ ...entry, version, expires: 0 })
        return true
      }
      const written = this.#clock.now()
      const retained = written + TOMBSTONE_LIFE
      await this.#records.write({
        key,
        expires: 0,
        retained,
        written,
        version,
        tags: [],
        packed: NOTHING,
      })
      return entry !== undefined
    })
  }

  /** Remembers an invalidation of a tag or of everything. */
  mark(name: string, expire: boolean): Promise<void> {
    const version = this.nextEpoch(true)
    return this.#turns.run([name], () => this.#records.mark(name, version, expire))
  }

  /** Invalidates what a record of this name in the adapter stands for: a value, a tag or everything. */
  async invalidateRecord(name: string): Promise<void> {
    if (name.startsWith(VALUE)) await this.invalidate(name.slice(VALUE.length), false)
    else await this.mark(name, false)
  }

  async #admits({ key, tags, version }: StoredEntry, fence: Fence | undefined): Promise<boolean> {
    // Its key may have been deleted and that be forgotten.
    if (fence !== undefined && fence.at <= this.#clock.now() - TOMBSTONE_LIFE) return false
    // That of another store: what is written so late in time could not be invalidated.
    if (fence !== undefined && fence.epoch > this.fence().epoch + AHEAD * 1_000) return false
    const [[judged], marks] = await Promise.all([
      this.#records.judge([key]),
      this.#records.marks(tags.map(tagMark)),
    ])
    if (judged!.barrier > version) return false
    return marks.every(({ deleted, expired }) => Math.max(deleted, expired) <= version)
  }
}
