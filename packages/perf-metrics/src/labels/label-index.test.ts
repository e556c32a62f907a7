import { runs } from '@millrace/testkit'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Registry } from '../index.ts'
import { LabelIndex } from './label-index.ts'

const nasty = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc.constantFrom(
    '',
    '|',
    'a|b',
    ',',
    '"',
    '\\',
    '\n',
    '{',
    '}',
    '=',
    '__overflow__',
    '\0',
    '\uD800',
  ),
)

describe('series identity', () => {
  it('never merges two series, whatever their label values contain', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(nasty, nasty, nasty), { maxLength: 60 }), tuples => {
        const counter = new Registry().counter('c_total', { labels: ['a', 'b', 'c'] })
        const expected = new Map<string, number>()
        for (const tuple of tuples) {
          const [a, b, c] = tuple
          counter.inc({ a, b, c })
          // What no format can express is counted as mislabelled.
          if (!tuple.every(value => value.isWellFormed())) continue
          const key = JSON.stringify(tuple)
          expected.set(key, (expected.get(key) ?? 0) + 1)
        }
        const actual = new Map(
          Array.from(counter.family.series(), s => [JSON.stringify(s.labelValues), s.value]),
        )
        expect(actual).toEqual(expected)
      }),
      { numRuns: runs(300) },
    )
  })

  it('keeps apart what prom-client merges', () => {
    const counter = new Registry().counter('c_total', { labels: ['a', 'b'] })
    counter.inc({ a: 'x|y', b: 'z' })
    counter.inc({ a: 'x', b: 'y|z' })
    expect([...counter.family.series()].map(s => s.value)).toEqual([1, 1])
  })

  it('takes numbers and booleans for their strings', () => {
    const counter = new Registry().counter('c_total', { labels: ['status'] })
    counter.inc({ status: 200 })
    counter.inc({ status: '200' })
    expect(counter.labels({ status: 200 }).value).toBe(2)
    counter.inc({ status: true })
    expect(counter.labels({ status: 'true' }).value).toBe(1)
  })

  it.each([1, 2, 3, 4, 5, 7])('finds series by %i labels among many', arity => {
    const names = Array.from({ length: arity }, (_, i) => `l${i}`)
    const counter = new Registry().counter('c_total', { labels: names })
    const labels = Array.from({ length: 600 }, (_, n) =>
      Object.fromEntries(names.map((name, i) => [name, `v${(n >> i) % 10}-${i === 0 ? n : ''}`])),
    )
    for (let round = 0; round < 3; round++) for (const l of labels) counter.inc(l)
    expect(counter.family.size).toBe(600)
    for (const l of labels) expect(counter.labels(l).value).toBe(3)
  })
})

describe('the table before the maps', () => {
  it('comes to know values that differ in the middle alone', () => {
    let resolved = 0
    const index: LabelIndex<string> = new LabelIndex(['method', 'route'], {
      resolve: values => {
        resolved++
        return { series: values.join(' '), cacheable: true }
      },
      refuse: () => 'refused',
    })
    const routes = Array.from({ length: 50 }, (_, i) => `/items-${String(i).padStart(3, '0')}/x`)
    const round = (): void => {
      for (const route of routes) {
        expect(index.find({ method: 'GET', route })).toBe(`GET ${route}`)
      }
    }
    for (let i = 0; i < 5; i++) round()
    resolved = 0
    round()
    // A few share a slot of the 256 whatever the hash is.
    expect(resolved).toBeLessThan(15)
  })

  it('takes values of any length and kind for what they are', () => {
    const values = ['', 'a', 'b', 'ab', 'ba', 'é', '1', 'true', 1, true, false, -0, 1e21]
    const counter = new Registry().counter('c_total', { labels: ['a', 'b'] })
    for (let round = 0; round < 3; round++) {
      for (const a of values) for (const b of values) counter.inc({ a, b })
    }
    const names = [...new Set(values.map(String))]
    expect(counter.family.size).toBe(names.length ** 2)
    for (const a of names) {
      for (const b of names) {
        const spellings = (name: string) => values.filter(value => String(value) === name).length
        expect(counter.labels({ a, b }).value).toBe(3 * spellings(a) * spellings(b))
      }
    }
  })
})
