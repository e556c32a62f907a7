import {
  checkFunction,
  checkList,
  checkMethods,
  checkOneOf,
  checkOptions,
  checkText,
  InvalidOptionError,
  type OptionNames,
} from '@millrace/kit'
import { checkIterable } from '../iterate/check-iterable.ts'
import {
  Cascade,
  type CascadeReport,
  type CoherenceFailure,
  type Entry,
  merged,
} from './cascade.ts'
import type { CoherentCache, Dependent, MemberOptions } from './coherence-member.ts'

const MEMBER_OPTIONS: OptionNames<MemberOptions<unknown>> = {
  cache: true,
  dependents: true,
  version: true,
  derivedFrom: true,
}

const DEPENDENT: OptionNames<Dependent> = { member: true, keys: true }

/** How an invalidation is done: `delete` makes gone, `expire` makes stale where the member can. */
export type CoherenceVerb = 'delete' | 'expire'

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

interface Member {
  readonly cache: CoherentCache
  readonly dependents: readonly Required<Dependent>[]
  readonly version: MemberOptions<unknown>['version']
  readonly derivedFrom: MemberOptions<unknown>['derivedFrom']
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
    let level = [...checkIterable('keys', keys)].map((key): Entry => ({ member, key }))
    const most = level.length * this.#members.size + LARGEST_CASCADE
    while (level.length !== 0) {
      if (cascade.size > most) {
        const members = level.map(entry => entry.member)
        await this.#clearAll(members, verb, cascade)
        break
      }
      const fresh = level.filter(entry => cascade.visit(entry))
      const byMember = Map.groupBy(fresh, entry => entry.member)
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
      level = fresh.flatMap(entry => this.#dependentsOf(entry.member, entry.key, cascade))
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
          cascade.attempt(name, async () => this.#member(name).cache.clear({ expire })),
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
        for await (const [key, value] of cache.entries!()) {
          checked++
          await cascade.attempt(name, async () => {
            inconsistencies.push(...(await this.#faultsOf(name, key, value)))
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
        if (await this.#holds(each)) {
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
          const found = await (expires ? cache.expireMany!(batch) : cache.deleteMany!(batch))
          cascade.count(member, typeof found === 'number' ? found : batch.length)
        })
        continue
      }
      await Promise.all(
        batch.map(key =>
          cascade.attempt(member, async () => {
            const found = await (expires ? cache.expire!(key) : cache.delete(key))
            cascade.count(member, found === false ? 0 : 1)
          }),
        ),
      )
    }
  }

  #dependentsOf(member: string, key: string, cascade: Cascade): Entry[] {
    return this.#member(member).dependents.flatMap(edge => {
      try {
        return [...checkIterable('keys', edge.keys(key))].flatMap(each => {
          if (typeof each === 'string') return { member: edge.member, key: each }
          cascade.fail(edge.member, new InvalidOptionError('keys', 'strings', each))
          return []
        })
      } catch (error) {
        cascade.fail(edge.member, error)
        return []
      }
    })
  }

  async #faultsOf(member: string, key: string, value: unknown): Promise<Inconsistency[]> {
    const faults: Inconsistency[] = []
    for (const source of this.#member(member).derivedFrom!(value, key)) {
      const from = this.#members.get(source.member)
      if (from === undefined) {
        throw new InvalidOptionError('derivedFrom', 'members of the group', source.member)
      }
      const { cache, version } = from
      if (cache.peek === undefined) continue
      const present = await cache.peek(source.key)
      const fault = { member, key, source: { member: source.member, key: source.key } }
      if (present === undefined) faults.push({ ...fault, kind: 'orphaned' })
      else if (source.version !== undefined && version?.(present, source.key) !== source.version) {
        faults.push({ ...fault, kind: 'outdated' })
      }
    }
    return faults
  }

  /** Whether an inconsistency that was found is still there. */
  async #holds({ member, key, kind, source }: Inconsistency): Promise<boolean> {
    const { cache } = this.#member(member)
    for await (const [each, value] of cache.peek === undefined
      ? cache.entries!()
      : one(cache, key)) {
      if (each !== key) continue
      const faults = await this.#faultsOf(member, key, value)
      return faults.some(
        fault =>
          fault.kind === kind &&
          fault.source.member === source.member &&
          fault.source.key === source.key,
      )
    }
    return false
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

async function* one(cache: CoherentCache, key: string): AsyncGenerator<[string, unknown]> {
  const value = await cache.peek!(key)
  if (value !== undefined) yield [key, value]
}

function checkVerb(verb: CoherenceVerb): void {
  checkOneOf('verb', verb, VERBS)
}
