import type { ShardMark } from '../protocol/answer.ts'
import type { BusMessage } from './bus-message.ts'

/** How far the messages of a shard have arrived: each says which epoch it follows, so a missing one shows. */
export class EpochTrail {
  #incarnation = -1
  #epoch = 0
  #expected: ShardMark | undefined

  /** How far it is. */
  get mark(): ShardMark {
    return { incarnation: this.#incarnation, epoch: this.#epoch }
  }

  /** Goes on with a message; false if others are missing before it. */
  follow({ incarnation, before, epoch }: BusMessage): boolean {
    const known = incarnation === this.#incarnation
    // One that was counted as missing, or as arrived by comparison, may still come.
    if (known && epoch <= this.#epoch) return true
    // Nor can one follow what is past, unless an older state was put back.
    const kept = known && before === this.#epoch
    this.#incarnation = incarnation
    this.#epoch = epoch
    return kept
  }

  /** Goes on from what the shard says of itself; false if messages are missing before that. */
  jump({ incarnation, epoch }: ShardMark): boolean {
    this.#expected = undefined
    if (incarnation === this.#incarnation && epoch <= this.#epoch) return true
    this.#incarnation = incarnation
    this.#epoch = epoch
    return false
  }

  /** Notes what the shard says of itself; false if not all has arrived that it said the time before, as messages take a moment. */
  expect(mark: ShardMark): boolean {
    const last = this.#expected
    this.#expected = mark
    if (last === undefined) return true
    if (last.incarnation !== mark.incarnation) return false
    return this.#incarnation === last.incarnation && this.#epoch >= last.epoch
  }
}
