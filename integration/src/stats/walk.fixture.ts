/** What an object says that a number of its `stats()` is; a reader of `Symbol.for('@millrace/stats')` needs no more than this. */
type Kind = 'counter' | 'gauge' | 'milliseconds'

interface Kinds {
  readonly [field: string]: Kind | Kinds
}

export interface StatsSource {
  stats(): object
}

/** An object with `stats()`, and work that moves its numbers up and, at the end, down again. */
export interface Subject {
  readonly source: StatsSource
  /** Each is followed by a look at the numbers. */
  readonly steps: readonly (() => unknown)[]
  /** Gauges of what is held until the object itself goes. */
  readonly held?: readonly string[]
  /** False for an object that counts nothing, and has gauges alone. Default: true */
  readonly counts?: boolean
}

/** What `source` or its prototype says of its numbers. */
export function kindsOf(source: object): Kinds | undefined {
  return (source as Record<symbol, Kinds | undefined>)[Symbol.for('@millrace/stats')]
}

interface StatsNumber {
  readonly path: string
  readonly kind: Kind | 'not described'
  readonly value: number
}

/** Every number of `stats`, nested ones by path, with its kind. */
function numbersOf(stats: object, kinds: Kind | Kinds | undefined, under = ''): StatsNumber[] {
  return Object.entries(stats).flatMap(([field, value]: [string, unknown]) => {
    const kind = typeof kinds === 'object' ? kinds[field] : kinds
    const path = under + field
    // Described as `{}`: a record by a name of the user's, of which nothing is said here.
    if (typeof kind === 'object' && Object.keys(kind).length === 0) return []
    if (typeof value === 'object' && value !== null) return numbersOf(value, kind, `${path}.`)
    if (typeof value !== 'number') return []
    return [{ path, kind: typeof kind === 'string' ? kind : ('not described' as const), value }]
  })
}

/** Fields that `kinds` names and `stats` does not have. */
function absentFields(stats: object, kinds: Kinds): string[] {
  return Object.keys(kinds).filter(field => !(field in stats))
}

/**
 * Lets the subject work and compares what its numbers do with what it says of them: one line for each contradiction. A counter or a sum
 * of milliseconds never falls; a gauge that rose falls again when the work is undone.
 */
export async function contradictions({
  source,
  steps,
  held = [],
  counts = true,
}: Subject): Promise<string[]> {
  const kinds = kindsOf(source)
  if (kinds === undefined) return ['says nothing of its numbers']
  const found = new Set(absentFields(source.stats(), kinds).map(field => `${field}: is no field`))
  const first = new Map<string, number>()
  const peak = new Map<string, number>()
  const last = new Map<string, StatsNumber>()
  const look = (): void => {
    for (const number of numbersOf(source.stats(), kinds)) {
      const { path, kind, value } = number
      if (kind === 'not described') found.add(`${path}: is not described`)
      if (kind !== 'gauge' && value < (last.get(path)?.value ?? value))
        found.add(`${path}: a ${kind} that falls`)
      if (!first.has(path)) first.set(path, value)
      peak.set(path, Math.max(value, peak.get(path) ?? value))
      last.set(path, number)
    }
  }
  look()
  for (const step of steps) {
    await step()
    look()
  }
  for (const { path, kind, value } of last.values()) {
    if (held.includes(path)) continue
    if (kind === 'gauge' && value === peak.get(path) && value > first.get(path)!)
      found.add(`${path}: a gauge that never fell`)
  }
  const moved = [...last.values()].some(
    ({ path, kind, value }) => kind !== 'gauge' && value > first.get(path)!,
  )
  if (counts && !moved) found.add('nothing was counted')
  return [...found]
}
