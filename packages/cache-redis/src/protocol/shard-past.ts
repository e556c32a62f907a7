import type { ShardMark } from './answer.ts'

/** Marks that are remembered at once: more than a process has calls under way. */
const MOST = 16

/**
 * What a process has seen of a shard, by which the script notices that an older state was put back under its feet: a backup restored into
 * the running server, databases swapped, a primary that was a lagging server's replica for a while. No connection breaks then. The state
 * may have gone on from there, so that to be later is not enough: each mark must be in the past of the state that a call finds. Immutable,
 * so that a reply can be judged by what its call has carried.
 */
export class ShardPast {
  /** Those of which no reply has shown that they are in the past of another one. */
  readonly marks: readonly ShardMark[]
  /** As the script takes them. */
  readonly text: string

  constructor(marks: readonly ShardMark[] = []) {
    this.marks = marks
    this.text = marks.map(({ incarnation, epoch }) => `${incarnation} ${epoch}`).join(' ')
  }

  has(mark: ShardMark): boolean {
    return this.marks.some(each => isSame(each, mark))
  }

  /** With a reply, to a call that has carried `sent`: what that knew is in the past of the reply. */
  with({ incarnation, epoch }: ShardMark, sent: ShardPast): ShardPast {
    // Without memory for a journal there is no life.
    if (incarnation === 0) return this
    const mark = { incarnation, epoch }
    if (this === sent)
      return this.marks.length === 1 && this.has(mark) ? this : new ShardPast([mark])
    const open = this.marks.filter(each => !isSame(each, mark) && !sent.has(each))
    return new ShardPast([mark, ...open].slice(0, MOST))
  }

  /** With a message, of an epoch and of the one that it follows. */
  told({ incarnation, before, epoch }: ShardMark & { readonly before: number }): ShardPast {
    const mark = { incarnation, epoch }
    if (this.marks.length === 0) return new ShardPast([mark])
    // Others say nothing of what is known: that will show at the next call.
    if (!this.has({ incarnation, epoch: before })) return this
    const open = this.marks.filter(
      each => !isSame(each, mark) && !isSame(each, { incarnation, epoch: before }),
    )
    return new ShardPast([mark, ...open])
  }
}

function isSame(one: ShardMark, other: ShardMark): boolean {
  return one.epoch === other.epoch && one.incarnation === other.incarnation
}
