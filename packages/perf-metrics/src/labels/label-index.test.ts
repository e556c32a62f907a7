import { runs } from '@millrace/testkit'
import fc from 'fast-check'
import { describe, expect, it, vi } from 'vitest'
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

describe.each(['of the same names', 'of other names'])('among metrics %s', company => {
  /** A counter of labels `a` and `b` in a fresh process, as far as modules go, and what was counted by label values. */
  const fresh = async () => {
    vi.resetModules()
    const { Registry } = await import('../index.ts')
    const registry = new Registry()
    if (company === 'of other names') {
      registry.counter('x_total', { labels: ['x'] }).inc({ x: '1' })
      registry.counter('y_total', { labels: ['y'] }).inc({ y: '1' })
    }
    const counter = registry.counter('c_total', { labels: ['a', 'b'] })
    const counted = () =>
      Object.fromEntries(Array.from(counter.family.series(), s => [s.labelValues.join(), s.value]))
    return { counter, counted }
  }

  it('reads labels wherever an object has them', async () => {
    class Request {
      readonly b: string
      constructor(b: string) {
        this.b = b
      }
      get a() {
        return 'class'
      }
    }
    const hidden = (b: string) =>
      Object.defineProperty({ b } as { a: string; b: string }, 'a', { value: 'hidden' })
    const { counter, counted } = await fresh()
    for (let round = 0; round < 3; round++) {
      for (const b of ['1', '2']) {
        counter.inc({ a: 'own', b })
        counter.inc({ b, a: 'own' })
        counter.inc(Object.assign(Object.create(null), { a: 'own', b }))
        counter.inc(Object.create({ a: 'inherited', b }))
        counter.inc(Object.assign(Object.create({ a: 'covered' }), { a: 'own', b }))
        counter.inc(new Request(b))
        counter.inc(hidden(b))
        counter.inc(new Proxy({ b, a: 'proxy' }, {}))
        // Slow: no longer by shape.
        const changed: { a?: string; b: string; c?: string } = { a: 'x', c: '', b }
        delete changed.a
        delete changed.c
        changed.a = 'own'
        counter.inc(changed as { a: string; b: string })
      }
    }
    const each = (b: string) => ({
      [`own,${b}`]: 15,
      [`inherited,${b}`]: 3,
      [`class,${b}`]: 3,
      [`hidden,${b}`]: 3,
      [`proxy,${b}`]: 3,
    })
    expect(counted()).toEqual({ ...each('1'), ...each('2') })
    expect(counter.family.mislabelled).toBe(0)
  })

  it('counts what is no label object, and never throws', async () => {
    const thrower = () => {
      throw new Error('not to be read')
    }
    const hostile: unknown[] = [
      undefined,
      null,
      1,
      'ab',
      [],
      ['a', 'b'],
      {},
      { a: '1' },
      { b: '1' },
      { a: '1', b: undefined },
      { a: '1', b: '2', c: '3' },
      { a: '1', b: Symbol('b') },
      Object.defineProperty({ b: '1' }, 'a', { get: thrower, enumerable: true }),
      Object.defineProperty({ a: '1', b: '9' }, 'c', { get: thrower, enumerable: true }),
      new Proxy({}, { ownKeys: thrower, get: thrower }),
    ]
    const { counter, counted } = await fresh()
    for (let round = 0; round < 3; round++) {
      for (const labels of hostile) counter.inc(labels as { a: string; b: string })
    }
    expect(counter.family.mislabelled).toBe(3 * hostile.length)
    expect(counted()).toEqual({})
    // A getter that is no label of the metric is not asked.
    counter.inc(
      Object.assign(
        Object.create(Object.defineProperty({}, 'c', { get: thrower, enumerable: true })),
        {
          a: '1',
          b: '2',
        },
      ),
    )
    expect(counted()).toEqual({ '1,2': 1 })
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
