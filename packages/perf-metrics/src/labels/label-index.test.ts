import { runs } from '@millrace/testkit'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Registry } from '../index.ts'

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
          const key = JSON.stringify(tuple.map(value => value.toWellFormed()))
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
