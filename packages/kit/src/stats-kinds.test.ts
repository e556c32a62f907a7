import { describe, expect, test } from 'vitest'
import { counters, describeStats, gauges, statsKindsOf } from './stats-kinds.ts'

interface PoolStats {
  readonly open: number
  readonly requests: number
  readonly waited: number
  readonly removals: Readonly<Record<'ttl' | 'size', number>>
  readonly first: { readonly hits: number; readonly entries: number }
  readonly name: string
}

class Pool {
  stats(): PoolStats {
    const removals = { ttl: 0, size: 0 }
    const first = { hits: 0, entries: 0 }
    return { open: 0, requests: 0, waited: 0, removals, first, name: 'a' }
  }
}
const kinds = {
  open: 'gauge',
  requests: 'counter',
  waited: 'milliseconds',
  removals: 'counter',
  first: { hits: 'counter', entries: 'gauge' },
} as const
describeStats(Pool.prototype, kinds)

describe('describeStats', () => {
  test('describes all objects of a class, and costs none of them a property', () => {
    const pool = new Pool()
    expect(statsKindsOf(pool)).toBe(kinds)
    expect(Reflect.ownKeys(pool)).toEqual([])
    expect(Reflect.ownKeys(pool.stats())).not.toContain(Symbol.for('@millrace/stats'))
    expect(statsKindsOf({ stats: () => ({}) })).toBe(undefined)
  })

  test('takes kinds by name', () => {
    const table = { ...gauges('open', 'idle'), ...counters('requests') }
    expect(table).toEqual({ open: 'gauge', idle: 'gauge', requests: 'counter' })
    // @ts-expect-error: every number has a kind.
    describeStats({ stats: () => ({ open: 1, idle: 2, failed: 0 }) }, table)
  })

  test('describes one object', () => {
    const source = { stats: () => ({ hits: 1 }) }
    describeStats(source, { hits: 'counter' })
    expect(statsKindsOf(source)).toEqual({ hits: 'counter' })
    expect(Object.keys(source)).toEqual(['stats'])
  })

  test('wants every number described, and no other field', () => {
    const source = () => ({ stats: () => ({ hits: 1, name: 'x' }) })
    // @ts-expect-error `hits` is missing
    describeStats(source(), {})
    // @ts-expect-error a name has no kind
    describeStats(source(), { hits: 'counter', name: 'gauge' })
    expect(() => describeStats(source(), { hits: 'counter' })).not.toThrow()
  })
})
