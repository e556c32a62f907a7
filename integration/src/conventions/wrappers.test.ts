import { cached, memoize } from '@millrace/cache-core'
import { Registry, timed } from '@millrace/perf-metrics'
import { concurrent, limited, Semaphore, TokenBucket } from '@millrace/rate-limit'
import { MemoryExporter, Tracer } from '@millrace/tracer'
import { describe, expect, expectTypeOf, test } from 'vitest'

const load = memoize(async (id: string) => id.length)

/** Every wrapper of the family, at work and switched off. */
const wrappers = {
  traced: new Tracer({ exporter: new MemoryExporter(), signals: [] }).traced({}),
  'traced without an exporter': new Tracer().traced({}),
  timed: timed(new Registry().timing('load_seconds')),
  'timed without metrics': timed(new Registry({ enabled: false }).timing('load_seconds')),
  limited: limited(new TokenBucket({ rate: 1_000 })),
  concurrent: concurrent(new Semaphore({ permits: 1 })),
}

describe('a wrapper of a memoized function', () => {
  test.each(Object.entries(wrappers))('has the cache that its type says (%s)', async (_, wrap) => {
    const wrapped = (wrap as (fn: typeof load) => typeof load)(load)
    expect(wrapped.cache).toBe(load.cache)
    expect([wrapped.name, wrapped.length]).toEqual([load.name, load.length])
    await expect(wrapped('abc')).resolves.toBe(3)
  })

  test('keeps its type, in any order', async () => {
    expectTypeOf(wrappers.timed(load)).toEqualTypeOf(load)
    expectTypeOf(wrappers.limited(load)).toEqualTypeOf(load)
    expectTypeOf(wrappers.concurrent(load)).toEqualTypeOf(load)
    expectTypeOf(new Tracer().traced(load)).toEqualTypeOf(load)
    const all = wrappers.timed(wrappers.limited(wrappers.concurrent(load)))
    expectTypeOf(all.cache).toEqualTypeOf(load.cache)
    const last = cached({ ttl: 1_000 })(all)
    expectTypeOf(last).parameters.toEqualTypeOf<[id: string]>()
    expectTypeOf(last('a')).toEqualTypeOf<Promise<number>>()
    await expect(last('ab')).resolves.toBe(2)
  })
})

describe('a wrapper of an odd function', () => {
  type Wrap = (fn: () => unknown) => (...args: unknown[]) => unknown
  // A tracer without an exporter hands out the function itself.
  const { 'traced without an exporter': _, ...real } = wrappers
  const cases = Object.entries({ ...real, memoize, cached: cached({}) }) as unknown as [
    string,
    Wrap,
  ][]

  test.each(cases)('calls one that has an `apply` of its own (%s)', async (_, wrap) => {
    const own = Object.assign(() => 'called', { apply: () => 'past', call: () => 'past' })
    const wrapped = wrap(own)
    expect(await wrapped()).toBe('called')
    expect(await wrapped.apply(undefined, [])).toBe('called')
  })

  test.each(cases)('calls one without a prototype, a name and a length (%s)', async (_, wrap) => {
    const bare = () => 'called'
    Reflect.deleteProperty(bare, 'name')
    Reflect.deleteProperty(bare, 'length')
    Object.setPrototypeOf(bare, null)
    const wrapped = wrap(bare)
    expect(await wrapped()).toBe('called')
    expect([wrapped.name, wrapped.length]).toEqual(['', 0])
  })

  test.each(cases)('takes one whose `name` is no text (%s)', async (_, wrap) => {
    const wrapped = wrap(Object.defineProperty(() => 'called', 'name', { value: { of: 'mine' } }))
    expect(await wrapped()).toBe('called')
    expect(wrapped.name).toEqual({ of: 'mine' })
  })
})

describe('a wrapper as a decorator', () => {
  type Decorate = (...args: unknown[]) => unknown
  const decorators = { ...wrappers, cached: cached({}) } as unknown as Record<string, Decorate>

  // What compilers call with `experimentalDecorators`, or for what is no method; the result would be dropped, or take its place.
  class Service {
    load() {}
    static load() {}
  }
  const method = Object.getOwnPropertyDescriptor(Service.prototype, 'load')
  const calls: Record<string, unknown[]> = {
    'a method, before TC39': [Service.prototype, 'load', method],
    'a static method, before TC39': [Service, 'load', method],
    'a property, before TC39': [Service.prototype, Symbol('load')],
    'a class': [Service, { kind: 'class', name: 'Service' }],
    'a getter': [() => 1, { kind: 'getter', name: 'load' }],
    'a field': [undefined, { kind: 'field', name: 'load' }],
    null: [() => 1, null],
    nothing: [undefined],
  }
  const cases = Object.keys(decorators).flatMap(wrapper =>
    Object.keys(calls).map(of => [wrapper, of] as const),
  )
  test.each(cases)('%s refuses %s', (wrapper, of) => {
    expect(() => decorators[wrapper]!(...calls[of]!)).toThrow(
      expect.objectContaining({ code: 'ERR_MILLRACE_INVALID_OPTION' }),
    )
  })

  test.each(Object.keys(decorators))('%s wraps a method, and functions by map', wrapper => {
    const decorate = decorators[wrapper]!
    expect(decorate(method!.value, { kind: 'method', name: 'load' })).toBeTypeOf('function')
    expect([() => 1, () => 2].map(decorate)).toHaveLength(2)
  })
})
