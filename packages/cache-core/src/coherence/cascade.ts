import { InvalidOptionError } from '@millrace/kit'
import { MemberTimeoutError } from './member-timeout-error.ts'

/** What an invalidation did. */
export interface CascadeReport {
  /**
   * Entries that were there and were invalidated, by member, 0 included. Each is once, whichever ways lead to it. Where a member does not
   * say what was there, the keys it was told of.
   */
  readonly invalidated: Readonly<Record<string, number>>
  /** Members that were emptied, or expired, as a whole; what they held is not in {@link invalidated}. */
  readonly cleared: readonly string[]
  /** Members that failed, whose entries may be outdated now, with the error. Their dependents were invalidated all the same. */
  readonly failures: readonly CoherenceFailure[]
}

/** A call of a member that failed. */
export interface CoherenceFailure {
  readonly member: string
  readonly error: unknown
}

/** An entry of a member. */
export interface Entry {
  readonly member: string
  readonly key: string
}

/** What one invalidation has reached. */
export class Cascade {
  readonly #visited = new Map<string, Set<string>>()
  readonly #invalidated = new Map<string, number>()
  readonly #cleared = new Set<string>()
  /** Members that did not answer, which would cost the time-out with every call. */
  readonly #silent = new Set<string>()
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

  /** Whether the member is to be cleared for the first time. */
  clear(member: string): boolean {
    return this.#cleared.size !== this.#cleared.add(member).size
  }

  count(member: string, entries: number): void {
    this.#invalidated.set(member, (this.#invalidated.get(member) ?? 0) + entries)
  }

  fail(member: string, error: unknown): void {
    this.#failures.push({ member, error })
  }

  async attempt(member: string, work: () => Promise<unknown>): Promise<void> {
    if (this.#silent.has(member)) return
    try {
      await work()
    } catch (error) {
      if (error instanceof InvalidOptionError && error.option === 'member') throw error
      // It is in the report.
      this.fail(member, error)
      if (error instanceof MemberTimeoutError) this.#silent.add(member)
    }
  }

  report(): CascadeReport {
    return {
      invalidated: Object.fromEntries(this.#invalidated),
      cleared: [...this.#cleared],
      failures: this.#failures,
    }
  }
}

/** What several invalidations did, as one. */
export function merged(reports: readonly CascadeReport[]): CascadeReport {
  const invalidated = new Map<string, number>()
  for (const report of reports) {
    for (const [member, count] of Object.entries(report.invalidated)) {
      invalidated.set(member, (invalidated.get(member) ?? 0) + count)
    }
  }
  return {
    invalidated: Object.fromEntries(invalidated),
    cleared: [...new Set(reports.flatMap(({ cleared }) => cleared))],
    failures: reports.flatMap(({ failures }) => failures),
  }
}
