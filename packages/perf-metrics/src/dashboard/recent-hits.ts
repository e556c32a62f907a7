import type { Part } from '../report/parts.ts'

/** ms over which hits are counted: long enough for a few look-ups, short enough for what has just changed to be seen. */
const SPAN = 10_000

interface Counts {
  readonly hits: number
  readonly lookups: number
}

/** Hits among the look-ups of the last ten seconds, by cache and of all caches together. */
export class RecentHits {
  /** The counts since the start by name, oldest first; the first ones are those that the last ten seconds began with. */
  readonly #moments: { readonly time: number; readonly counts: ReadonlyMap<string, Counts> }[] = []

  /** @param time ms on a clock that never steps back */
  add(time: number, parts: readonly Part[]): void {
    const caches = parts.filter(({ kind }) => kind === 'cache')
    const counts = new Map(
      caches.map(({ name, values: { hits = 0, misses = 0 } }) => [
        name,
        { hits, lookups: hits + misses },
      ]),
    )
    this.#moments.push({ time, counts })
    while (this.#moments.length > 1 && this.#moments[1]!.time <= time - SPAN) this.#moments.shift()
  }

  /** Of one cache; `null` where it was not asked. */
  of(name: string): number | null {
    return ratioOf(this.#since(name))
  }

  /** Of all caches; `null` where none was asked. */
  ofAll(): number | null {
    const changes = [...this.#moments.at(-1)!.counts.keys()].map(name => this.#since(name))
    const sum = (field: keyof Counts) => changes.reduce((total, each) => total + each[field], 0)
    return ratioOf({ hits: sum('hits'), lookups: sum('lookups') })
  }

  #since(name: string): Counts {
    const now = this.#moments.at(-1)!.counts.get(name)
    const then = this.#moments[0]!.counts.get(name)
    // One that began anew, or was not there: what it has counted so far is recent.
    if (now === undefined || then === undefined || then.lookups > now.lookups)
      return now ?? { hits: 0, lookups: 0 }
    return { hits: now.hits - then.hits, lookups: now.lookups - then.lookups }
  }
}

function ratioOf({ hits, lookups }: Counts): number | null {
  return lookups === 0 ? null : hits / lookups
}
