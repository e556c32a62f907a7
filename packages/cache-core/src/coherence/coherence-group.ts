import {
  checkFunction,
  checkMethods,
  checkOptions,
  checkText,
  InvalidOptionError,
  type OptionNames,
} from '@millrace/kit'
import type { CoherentCache, Dependent, MemberOptions } from './coherence-member.ts'

const MEMBER_OPTIONS: OptionNames<MemberOptions<unknown>> = {
  cache: true,
  dependents: true,
  version: true,
  derivedFrom: true,
}

/** How an invalidation is done: `delete` makes gone, `expire` makes stale where the member can. */
export type CoherenceVerb = 'delete' | 'expire'

/** What an invalidation did. */
export interface CascadeReport {
  /** Entries invalidated, by member. Each is once, whichever ways lead to it. */
  readonly invalidated: Readonly<Record<string, number>>
  /** Members that failed, whose entries may be outdated now, with the error. Their dependents were invalidated all the same. */
  readonly failures: readonly CoherenceFailure[]
}

/** A call of a member that failed. */
export interface CoherenceFailure {
  readonly member: string
  readonly error: unknown
}

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
  /** Members that could not be looked at. */
  readonly failures: readonly CoherenceFailure[]
}

/** What {@link CoherenceGroup.repair} did. */
export interface RepairReport extends CascadeReport {
  /** Inconsistencies whose entries were removed, with all that was made of those. */
  readonly repaired: readonly Inconsistency[]
  /** Inconsistencies that were no more when it was their turn. */
  readonly settled: readonly Inconsistency[]
}

interface Member {
  readonly cache: CoherentCache
  readonly dependents: readonly Required<Dependent>[]
  readonly version: MemberOptions<unknown>['version']
  readonly derivedFrom: MemberOptions<unknown>['derivedFrom']
}

/** Entries that a cascade visits one by one. */
const LARGEST_CASCADE = 100_000

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
    const edges = dependents.map(each =>
      typeof each === 'string'
        ? { member: each, keys: sameKey }
        : { member: each.member, keys: each.keys ?? sameKey },
    )
    this.#members.set(name, { cache, dependents: edges, version, derivedFrom })
    return this
  }

  /** Invalidates an entry and all that was made of it. O(entries reached). */
  invalidate(member: string, key: string, verb: CoherenceVerb = 'delete'): Promise<CascadeReport> {
    return this.invalidateMany(member, [key], verb)
  }

  /**
   * As {@link invalidate} for several entries, each of which and of whose dependents is invalidated once. Sources come before what was
   * made of them, so that what is made anew meanwhile is made of what is there now. Beyond 100,000 entries the members are emptied
   * instead, as keys that lead to ever new keys in a circle would have no end.
   *
   * @throws {InvalidOptionError} if the member, or a dependent of one, is not in the group
   */
  async invalidateMany(
    member: string,
    keys: Iterable<string>,
    verb: CoherenceVerb = 'delete',
  ): Promise<CascadeReport> {
    const cascade = new Cascade()
    let level = [...keys].map((key): Entry => ({ member, key }))
    while (level.length !== 0) {
      if (cascade.size > LARGEST_CASCADE) return this.clear(member)
      const fresh = level.filter(entry => cascade.visit(entry))
      await Promise.all(fresh.map(entry => this.#invalidateOne(entry, verb, cascade)))
      level = fresh.flatMap(({ member, key }) => this.#dependentsOf(member, key, cascade))
    }
    return cascade.report()
  }

  /** Empties a member and everything that may have been made of its entries. */
  async clear(member: string): Promise<CascadeReport> {
    const cascade = new Cascade()
    let level = [member]
    while (level.length !== 0) {
      const fresh = level.filter(name => cascade.visit({ member: name, key: '' }))
      await Promise.all(
        fresh.map(name => cascade.attempt(name, async () => this.#member(name).cache.clear())),
      )
      level = fresh.flatMap(name => this.#member(name).dependents.map(edge => edge.member))
    }
    return cascade.report()
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
          inconsistencies.push(...(await this.#faultsOf(name, key, value)))
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
    for (const each of inconsistencies) {
      if (await this.#holds(each)) {
        reports.push(await this.invalidate(each.member, each.key))
        repaired.push(each)
      } else settled.push(each)
    }
    return { repaired, settled, ...merged(reports) }
  }

  async #invalidateOne(
    { member, key }: Entry,
    verb: CoherenceVerb,
    cascade: Cascade,
  ): Promise<void> {
    const { cache } = this.#member(member)
    await cascade.attempt(member, async () => {
      if (verb === 'expire' && cache.expire !== undefined) await cache.expire(key)
      else await cache.delete(key)
      cascade.count(member)
    })
  }

  #dependentsOf(member: string, key: string, cascade: Cascade): Entry[] {
    return this.#member(member).dependents.flatMap(edge => {
      try {
        return [...edge.keys(key)].map(each => ({ member: edge.member, key: each }))
      } catch (error) {
        cascade.fail(edge.member, error)
        return []
      }
    })
  }

  async #faultsOf(member: string, key: string, value: unknown): Promise<Inconsistency[]> {
    const faults: Inconsistency[] = []
    for (const source of this.#member(member).derivedFrom!(value, key)) {
      const { cache, version } = this.#member(source.member)
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

interface Entry {
  readonly member: string
  readonly key: string
}

async function* one(cache: CoherentCache, key: string): AsyncGenerator<[string, unknown]> {
  const value = await cache.peek!(key)
  if (value !== undefined) yield [key, value]
}

/** What one invalidation has reached. */
class Cascade {
  readonly #visited = new Map<string, Set<string>>()
  readonly #invalidated = new Map<string, number>()
  readonly #failures: CoherenceFailure[] = []

  /** Entries met so far. */
  size = 0

  /** Whether the entry is met for the first time. */
  visit({ member, key }: Entry): boolean {
    const keys = this.#visited.get(member) ?? new Set()
    if (keys.has(key)) return false
    this.#visited.set(member, keys.add(key))
    this.size++
    return true
  }

  count(member: string): void {
    this.#invalidated.set(member, (this.#invalidated.get(member) ?? 0) + 1)
  }

  fail(member: string, error: unknown): void {
    this.#failures.push({ member, error })
  }

  async attempt(member: string, work: () => Promise<unknown>): Promise<void> {
    try {
      await work()
    } catch (error) {
      if (error instanceof InvalidOptionError && error.option === 'member') throw error
      // It is in the report.
      this.fail(member, error)
    }
  }

  report(): CascadeReport {
    return { invalidated: Object.fromEntries(this.#invalidated), failures: this.#failures }
  }
}

function merged(reports: readonly CascadeReport[]): CascadeReport {
  const invalidated = new Map<string, number>()
  for (const report of reports) {
    for (const [member, count] of Object.entries(report.invalidated)) {
      invalidated.set(member, (invalidated.get(member) ?? 0) + count)
    }
  }
  return {
    invalidated: Object.fromEntries(invalidated),
    failures: reports.flatMap(({ failures }) => failures),
  }
}
