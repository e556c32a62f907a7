import type { ShardMark } from './answer.ts'

/** Lives of a journal that are remembered after their end. Another one ends only when Redis loses something. */
const LIVES = 16

/**
 * How far a process has seen a shard, by which it notices that an older state was put back under its feet: a backup restored into the
 * running server, databases swapped, a primary that was a lagging server's replica for a while. No connection breaks then. Immutable, so
 * that a call can be judged by what was known when it was sent, in whatever order replies come.
 */
export class ShardPast {
  readonly #incarnation: number
  readonly #epoch: number
  /** Lives that were seen to be over. */
  readonly #ended: readonly number[]

  constructor(incarnation = 0, epoch = 0, ended: readonly number[] = []) {
    this.#incarnation = incarnation
    this.#epoch = epoch
    this.#ended = ended
  }

  /** Whether a shard was further than that already. */
  isAfter({ incarnation, epoch }: ShardMark): boolean {
    if (incarnation === this.#incarnation) return epoch < this.#epoch
    return this.#ended.includes(incarnation)
  }

  /**
   * With what a shard said, or its messages.
   *
   * @param sent what was known when it was asked; a life that was replaced since is not over because of an older reply
   */
  with({ incarnation, epoch }: ShardMark, sent: ShardPast): ShardPast {
    // Without memory for a journal there is no life.
    if (incarnation === 0) return this
    if (incarnation === this.#incarnation) {
      return epoch > this.#epoch ? new ShardPast(incarnation, epoch, this.#ended) : this
    }
    if (this.#incarnation !== sent.#incarnation) return this
    const ended = this.#incarnation === 0 ? [] : [this.#incarnation]
    return new ShardPast(incarnation, epoch, [...ended, ...this.#ended].slice(0, LIVES))
  }
}
