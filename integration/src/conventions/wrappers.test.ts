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
