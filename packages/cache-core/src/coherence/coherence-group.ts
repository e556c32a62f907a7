import {
  type Clock,
  checkClock,
  checkFunction,
  checkList,
  checkMethods,
  checkOneOf,
  checkOptions,
  checkPositive,
  checkText,
  InvalidOptionError,
  monotonicClock,
  type OptionNames,
  type OptionRules,
  resolveOptions,
  withDefault,
} from '@millrace/kit'
import { checkIterable } from '../iterate/check-iterable.ts'
import {
  Cascade,
  type CascadeReport,
  type CoherenceFailure,
  type Entry,
  merged,
} from './cascade.ts'
import type { Dependent, MemberOptions } from './coherence-member.ts'
import { Consistency, type Inconsistency, type ValidatedMember } from './consistency.ts'
import { MemberAnswers } from './member-answers.ts'

const MEMBER_OPTIONS: OptionNames<MemberOptions<unknown>> = {
  cache: true,
  dependents: true,
  version: true,
  derivedFrom: true,
}

const DEPENDENT: OptionNames<Dependent> = { member: true, keys: true }

/** Options of a {@link CoherenceGroup}. */
export interface CoherenceGroupOptions {
  /** ms for which one call of a member is waited for, > 0 and finite; it then has failed. Default: 10,000 */
  readonly timeout?: number | undefined
  /** Default: the monotonic clock of the process */
  readonly clock?: Clock | undefined
}

const OPTIONS: OptionRules<CoherenceGroupOptions> = {
  timeout: withDefault(10_000, checkPositive),
  clock: withDefault(monotonicClock, checkClock<Clock>),
}

/** How an invalidation is done: `delete` makes gone, `expire` makes stale where the member can. */
export type CoherenceVerb = 'delete' | 'expire'

/** What {@link CoherenceGroup.validate} found. */
export interface ValidationReport {
  /** Entries looked at. */
  readonly checked: number
  readonly inconsistencies: readonly Inconsistency[]
  /** Members, and entries of them, that could not be looked at. */
  readonly failures: readonly CoherenceFailure[]
}

/** What {@link CoherenceGroup.repair} did. */
export interface RepairReport extends CascadeReport {
  /** Inconsistencies whose entries were removed, with all that was made of those. */
  readonly repaired: readonly Inconsistency[]
  /** Inconsistencies that were no more when it was their turn. One that could not be looked at is in `failures` alone. */
  readonly settled: readonly Inconsistency[]
}

interface Member extends ValidatedMember {
  readonly dependents: readonly Required<Dependent>[]
}

/** Entries that a cascade visits one by one, besides those given and their namesakes in the other members. */
const LARGEST_CASCADE = 100_000
/** Entries that a member is told of by one call. */
const BATCH = 1_000

const VERBS: readonly CoherenceVerb[] = ['delete', 'expire']

const sameKey = (key: string): Iterable<string> => [key]

/**
 * Caches whose entries are made of each other's, such as file contents, parsed trees and results. An entry that is invalidated takes
 * with it all that was made of it, each entry once, in circles too.
 */
export class CoherenceGroup {
  readonly #members = new Map<string, Member>()
  readonly #answers: MemberAnswers
  readonly #consistency: Consistency

  /** @throws {InvalidOptionError} if an option is outside its bounds or unknown */
  constructor(options: CoherenceGroupOptions = {}) {
    const { timeout, clock } = resolveOptions('', options, OPTIONS)
    this.#answers = new MemberAnswers(timeout, clock)
    this.#consistency = new Consistency(this.#members, this.#answers)
  }

  /**
   * Adds a member. Dependents may be added later, before the first invalidation.
   *
   * @throws {InvalidOptionError} for a name that is taken, and for options outside their bounds
   */
  add<V>(name: string, options: MemberOptions<V>): this {
    checkText('name', name)
    if (this.#members.has(name)) throw new InvalidOptionError('name', 'one that is not taken', name)
    const {
      cache,
      dependents = [],
      version,
      derivedFrom,
    } = checkOptions('', options as MemberOptions<unknown>, MEMBER_OPTIONS)
    checkMethods('cache', cache, 'a cache', ['delete', 'clear'])
    if (version !== undefined) checkFunction('version', version)
    if (derivedFrom !== undefined) {
      checkFunction('derivedFrom', derivedFrom)
      checkMethods('cache', cache, 'a cache that can be validated', ['entries'])
    }
    const edges = checkList('dependents', dependents, 'an array of members').map(edgeOf)
    this.#members.set(name, { cache, dependents: edges, version, derivedFrom })
    return this
  }

  /** Invalidates an entry and all that was made of it. O(entries reached). */
  invalidate(member: string, key: string, verb: CoherenceVerb = 'delete'): Promise<CascadeReport> {
    return this.invalidateMany(member, [key], verb)
  }

  /**
   * As {@link invalidate} for several entries, each of which and of whose dependents is invalidated once. Sources come before what was
   * made of them, so that what is made anew meanwhile is made of what is there now. Keys that lead to ever new keys in a circle would
   * have no end: after 100,000 more than the keys given, in each member, the members that are left are cleared as a whole, by the same verb.
   * So is a member of which it cannot be told what depends on an entry, as `keys` threw.
   *
   * @throws {InvalidOptionError} if the member, or a dependent of one, is not in the group
   */
  async invalidateMany(
    member: string,
    keys: Iterable<string>,
    verb: CoherenceVerb = 'delete',
  ): Promise<CascadeReport> {
    checkVerb(verb)
    const cascade = new Cascade()
    const given = [...checkIterable('keys', keys)].map((key): Entry => ({ member, key }))
    let level = given.filter(entry => cascade.visit(entry))
    const most = level.length * this.#members.size + LARGEST_CASCADE
    while (level.length !== 0) {
      if (cascade.size > most) {
        const members = level.map(entry => entry.member)
        await this.#clearAll(members, verb, cascade)
        break
      }
      const byMember = Map.groupBy(level, entry => entry.member)
      await Promise.all(
        Array.from(byMember, ([name, entries]) =>
          this.#invalidateIn(
            name,
            entries.map(entry => entry.key),
            verb,
            cascade,
          ),
        ),
      )
      const { entries, unknown } = this.#dependentsOf(level, cascade, most)
      await this.#clearAll(unknown, verb, cascade)
      level = entries
    }
    return cascade.report()
  }

  /** Clears a member and everything that may have been made of its entries. */
  async clear(member: string, verb: CoherenceVerb = 'delete'): Promise<CascadeReport> {
    checkVerb(verb)
    const cascade = new Cascade()
    await this.#clearAll([member], verb, cascade)
    return cascade.report()
  }

  async #clearAll(
    members: readonly string[],
    verb: CoherenceVerb,
    cascade: Cascade,
  ): Promise<void> {
    const expire = verb === 'expire'
    let level = members
    while (level.length !== 0) {
      const fresh = level.filter(name => cascade.clear(name))
      await Promise.all(
        fresh.map(name =>
          cascade.attempt(name, () =>
            this.#answers.ask(() => this.#member(name).cache.clear({ expire })),
          ),
        ),
      )
      level = fresh.flatMap(name => this.#member(name).dependents.map(edge => edge.member))
    }
  }

  /** Looks for entries that cannot have been made of what the other members hold now. O(entries and what they were made of). */
  async validate(): Promise<ValidationReport> {
    const inconsistencies: Inconsistency[] = []
    const cascade = new Cascade()
    let checked = 0
    for (const [name, { cache, derivedFrom }] of this.#members) {
      if (derivedFrom === undefined) continue
      await cascade.attempt(name, async () => {
        for await (const [key, value] of this.#answers.entriesOf(cache)) {
          checked++
          await cascade.attempt(name, async () => {
            inconsistencies.push(...(await this.#consistency.faultsOf(name, key, value)))
          })
        }
      })
    }
    return { checked, inconsistencies, failures: cascade.report().failures }
  }

  /** Removes entries that {@link validate} found, unless they are right meanwhile, and all that was made of them. */
  async repair(report?: ValidationReport): Promise<RepairReport> {
    const { inconsistencies } = report ?? (await this.validate())
    const repaired: Inconsistency[] = []
    const settled: Inconsistency[] = []
    const reports: CascadeReport[] = []
    const cascade = new Cascade()
    for (const each of inconsistencies) {
      await cascade.attempt(each.member, async () => {
        if (await this.#consistency.holds(each)) {
          reports.push(await this.invalidate(each.member, each.key))
          repaired.push(each)
        } else settled.push(each)
      })
    }
    return { repaired, settled, ...merged([...reports, cascade.report()]) }
  }

  async #invalidateIn(
    member: string,
    keys: readonly string[],
    verb: CoherenceVerb,
    cascade: Cascade,
  ): Promise<void> {
    const { cache } = this.#member(member)
    const expires = verb === 'expire' && cache.expire !== undefined
    const hasMany = (expires ? cache.expireMany : cache.deleteMany) !== undefined
    for (let from = 0; from < keys.length; from += BATCH) {
      const batch = keys.slice(from, from + BATCH)
      if (hasMany && batch.length > 1) {
        await cascade.attempt(member, async () => {
          const found = await this.#answers.ask(() =>
            expires ? cache.expireMany!(batch) : cache.deleteMany!(batch),
          )
          cascade.count(member, typeof found === 'number' ? found : batch.length)
        })
        continue
      }
      await Promise.all(
        batch.map(key =>
          cascade.attempt(member, async () => {
            const found = await this.#answers.ask(() =>
              expires ? cache.expire!(key) : cache.delete(key),
            )
            cascade.count(member, found === false ? 0 : 1)
          }),
        ),
      )
    }
  }

  /**
   * What was made of entries and is met for the first time, up to more than `most` in the cascade, and the members of which that cannot
   * be told.
   */
  #dependentsOf(
    level: readonly Entry[],
    cascade: Cascade,
    most: number,
  ): { entries: Entry[]; unknown: string[] } {
    const entries: Entry[] = []
    const unknown = new Set<string>()
    for (const { member, key } of level) {
      for (const edge of this.#member(member).dependents) {
        let left = most
        try {
          for (const each of checkIterable('keys', edge.keys(key))) {
            checkKey(each)
            const entry = { member: edge.member, key: each }
            if (cascade.visit(entry)) entries.push(entry)
            // The members are cleared then.
            if (cascade.size > most) return { entries, unknown: [...unknown] }
            // It may name the same ones again and again.
            if (--left < 0) throw new InvalidOptionError('keys', 'an iterable that ends', edge.keys)
          }
        } catch (error) {
          cascade.fail(edge.member, error)
          unknown.add(edge.member)
        }
      }
    }
    return { entries, unknown: [...unknown] }
  }

  #member(name: string): Member {
    const member = this.#members.get(name)
    if (member === undefined) {
      throw new InvalidOptionError('member', 'the name of a member of the group', name)
    }
    return member
  }
}

/** @throws {InvalidOptionError} */
function edgeOf(dependent: string | Dependent): Required<Dependent> {
  const given = typeof dependent === 'string' ? { member: dependent } : dependent
  const { member, keys = sameKey } = checkOptions<Dependent>('dependents', given, DEPENDENT)
  return {
    member: checkText('dependents.member', member),
    keys: checkFunction('dependents.keys', keys),
  }
}

/** @throws {InvalidOptionError} */
function checkKey(key: unknown): void {
  if (typeof key !== 'string') throw new InvalidOptionError('keys', 'strings', key)
}

function checkVerb(verb: CoherenceVerb): void {
  checkOneOf('verb', verb, VERBS)
}
