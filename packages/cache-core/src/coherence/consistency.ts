import { heed, InvalidOptionError } from '@millrace/kit'
import { checkIterable } from '../iterate/check-iterable.ts'
import type { CoherentCache, MemberOptions } from './coherence-member.ts'
import type { MemberAnswers } from './member-answers.ts'

/** Two entries of which one cannot have been made of the other. */
export interface Inconsistency {
  /** Member and key of the entry that is wrong. */
  readonly member: string
  readonly key: string
  /** Member and key of what it was made of. */
  readonly source: { readonly member: string; readonly key: string }
  /** - `outdated`: the source has another version now - `orphaned`: the source is not there any more */
  readonly kind: 'outdated' | 'orphaned'
}

/** A member as it is validated. */
export interface ValidatedMember {
  readonly cache: CoherentCache
  readonly version: MemberOptions<unknown>['version']
  readonly derivedFrom: MemberOptions<unknown>['derivedFrom']
}

/** Sources that an entry has at most. */
const MOST_SOURCES = 100_000

/** What tells whether entries can have been made of what the members hold now. */
export class Consistency {
  readonly #members: ReadonlyMap<string, ValidatedMember>
  readonly #answers: MemberAnswers

  constructor(members: ReadonlyMap<string, ValidatedMember>, answers: MemberAnswers) {
    this.#members = members
    this.#answers = answers
  }

  /** Everything that is wrong with an entry. */
  async faultsOf(member: string, key: string, value: unknown): Promise<Inconsistency[]> {
    const faults: Inconsistency[] = []
    let left = MOST_SOURCES
    const sources = this.#members.get(member)!.derivedFrom!(value, key)
    for (const source of checkIterable('derivedFrom', sources)) {
      if (--left < 0) throw new InvalidOptionError('derivedFrom', 'an iterable that ends', source)
      const from = this.#members.get(source.member)
      if (from === undefined) {
        throw new InvalidOptionError('derivedFrom', 'members of the group', source.member)
      }
      const { cache, version } = from
      if (cache.peek === undefined) continue
      const present = await this.#answers.ask(() => cache.peek!(source.key))
      const fault = { member, key, source: { member: source.member, key: source.key } }
      if (present === undefined) faults.push({ ...fault, kind: 'orphaned' })
      else if (source.version !== undefined) {
        const now: unknown = version?.(present, source.key)
        // Nothing is outdated by a promise, which is equal to no version.
        if (heed(now)) throw new InvalidOptionError('version', 'a function that is not async', now)
        if (now !== source.version) faults.push({ ...fault, kind: 'outdated' })
      }
    }
    return faults
  }

  /** Whether an inconsistency that was found is still there. */
  async holds({ member, key, kind, source }: Inconsistency): Promise<boolean> {
    const { cache } = this.#members.get(member)!
    for await (const [each, value] of cache.peek === undefined
      ? this.#answers.entriesOf(cache)
      : this.#answers.entryOf(cache, key)) {
      if (each !== key) continue
      const faults = await this.faultsOf(member, key, value)
      return faults.some(
        fault =>
          fault.kind === kind &&
          fault.source.member === source.member &&
          fault.source.key === source.key,
      )
    }
    return false
  }
}
