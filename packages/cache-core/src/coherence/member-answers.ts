import { type Clock, isThenable } from '@millrace/kit'
import { type TimeLimit, within } from '../time/within.ts'
import type { CoherentCache } from './coherence-member.ts'
import { MemberTimeoutError } from './member-timeout-error.ts'

/** What members are asked, each call in time. */
export class MemberAnswers {
  readonly #limit: TimeLimit

  /** @param timeout in ms */
  constructor(timeout: number, clock: Clock) {
    this.#limit = { clock, timeout, expired: after => new MemberTimeoutError(after) }
  }

  /** @throws (by rejection) {MemberTimeoutError}, and what the call fails with */
  async ask<T>(call: () => T | PromiseLike<T>): Promise<T> {
    const answer = call()
    return isThenable(answer) ? within(this.#limit, () => answer) : answer
  }

  /** The entry under a key, if it is valid. */
  async *entryOf(cache: CoherentCache, key: string): AsyncGenerator<[string, unknown]> {
    const value = await this.ask(() => cache.peek!(key))
    if (value !== undefined) yield [key, value]
  }

  /** Each step of the iteration in time. */
  async *entriesOf(cache: CoherentCache): AsyncGenerator<[string, unknown]> {
    const entries = cache.entries!()
    if (Symbol.iterator in entries) {
      yield* entries
      return
    }
    const iterator = entries[Symbol.asyncIterator]()
    let isOver = false
    try {
      for (;;) {
        const step = await this.ask(() => iterator.next())
        if (step.done === true) {
          isOver = true
          return
        }
        yield step.value
      }
    } finally {
      if (!isOver) await this.ask(async () => iterator.return?.())
    }
  }
}
