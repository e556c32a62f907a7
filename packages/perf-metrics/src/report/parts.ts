import type { ObservedPart } from '../registry/stats-source.ts'

/** What an observed object is, told by the numbers it reports. */
export type PartKind = 'cache' | 'limiter' | 'pool' | 'other'

/** The numbers of one observed object, flat. */
export interface Part {
  readonly name: string
  readonly kind: PartKind
  readonly values: Readonly<Record<string, number>>
}

/** Flattens `stats` and tells the kind. Nested objects become sums and `field.key`. */
export function partOf({ name, labels, stats }: ObservedPart): Part {
  const values: Record<string, number> = Object.create(null)
  for (const [field, value] of Object.entries(stats)) {
    if (typeof value === 'number') values[field] = value
    else if (typeof value === 'object' && value !== null && !Array.isArray(value)) {
      let sum = 0
      for (const [key, nested] of Object.entries(value)) {
        if (typeof nested !== 'number') continue
        values[`${field}.${key}`] = nested
        sum += nested
      }
      values[field] = sum
    }
  }
  const own = Object.values(labels)
  const shown = own.length === 0 ? name : `${name} ${own.join(' ')}`
  return { name: shown, kind: kindOf(values), values }
}

function kindOf(values: Readonly<Record<string, number>>): PartKind {
  if ('hits' in values && 'misses' in values) return 'cache'
  if ('granted' in values || 'permits' in values) return 'limiter'
  if ('connections' in values || 'sockets' in values) return 'pool'
  return 'other'
}

/** Hits among look-ups, `NaN` before the first. */
export function hitRatio({ values }: Part): number {
  const { hits = 0, misses = 0 } = values
  return hits / (hits + misses)
}
