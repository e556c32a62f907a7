import type { ObservedPart } from '../registry/stats-source.ts'

/** What an observed object is, told by the numbers it reports. */
export type PartKind = 'cache' | 'limiter' | 'pool' | 'other'

/** The numbers of one observed object, flat. */
export interface Part {
  readonly name: string
  readonly kind: PartKind
  readonly values: Readonly<Record<string, number>>
}

/** Most of the parts of one part, such as the origins of a pool. */
const MOST_INNER = 50

/**
 * Flattens `stats` and tells the kind. Nested numbers become their sum and `field.key`; nested objects, such as the origins of a pool, are
 * counted, and each of them follows as a part of its own.
 */
export function partsOf({ name, labels, stats }: ObservedPart): Part[] {
  const values: Record<string, number> = Object.create(null)
  const inner: Part[] = []
  const own = Object.values(labels)
  const shown = own.length === 0 ? name : `${name} ${own.join(' ')}`
  for (const [field, value] of Object.entries(stats)) {
    if (typeof value === 'number') values[field] = value
    else if (isRecord(value)) {
      let sum = 0
      for (const [key, nested] of Object.entries(value)) {
        if (typeof nested === 'number') {
          values[`${field}.${key}`] = nested
          sum += nested
        } else if (isRecord(nested)) {
          sum++
          if (inner.length < MOST_INNER) inner.push(innerPart(`${shown} ${key}`, nested))
        }
      }
      values[field] = sum
    }
  }
  return [{ name: shown, kind: kindOf(values), values }, ...inner]
}

function innerPart(name: string, stats: object): Part {
  const numbers = Object.entries(stats).filter(([, value]) => typeof value === 'number')
  const values: Record<string, number> = Object.assign(
    Object.create(null),
    Object.fromEntries(numbers),
  )
  return { name, kind: kindOf(values), values }
}

function isRecord(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function kindOf(values: Readonly<Record<string, number>>): PartKind {
  if ('hits' in values && 'misses' in values) return 'cache'
  if ('granted' in values || 'permits' in values) return 'limiter'
  if ('connections' in values || 'sockets' in values) return 'pool'
  if ('idle' in values && 'pending' in values) return 'pool'
  return 'other'
}

/** Hits among look-ups, `NaN` before the first. */
export function hitRatio({ values }: Part): number {
  const { hits = 0, misses = 0 } = values
  return hits / (hits + misses)
}
