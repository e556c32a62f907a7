import { setImmediate as nextTurn } from 'node:timers/promises'
import { runInNewContext } from 'node:vm'
import { VirtualClock } from '@millrace/testkit'
import { beforeEach, describe, expect, it, vi } from 'vitest'
import { Cache } from '../cache/cache.ts'
import type { CacheOptions } from '../cache/cache-options.ts'
import { LoadResultError, PartialLoadError } from '../errors.ts'
import type { BatchContext } from './batch-loader.ts'
import { loaded } from './loaded.ts'

let clock: VirtualClock

beforeEach(() => {
  clock = new VirtualClock(1_000)
})

function newCache<V = string>(options: CacheOptions<string, V> = {}): Cache<string, V> {
  return new Cache({ ttl: 100, clock, ...options })
}

const upper = vi.fn(async (keys: readonly string[]) => keys.map(key => key.toUpperCase()))
beforeEach(() => {
  upper.mockClear()
})

/** A batch loader whose calls end when the test says so. */
function manualLoader() {
  const calls: {
    keys: readonly string[]
    resolve(values: string[]): void
    reject(error: unknown): void
    context: BatchContext<string, string>
  }[] = []
  const load = (
    keys: readonly string[],
    context: BatchContext<string, string>,
  ): Promise<string[]> =>
    new Promise((resolve, reject) => calls.push({ keys, resolve, reject, context }))
  return { calls, load }
}

describe('getOrLoadMany', () => {
  it('calls the loader once, for the misses alone, and answers in the order of the keys', async () => {
    const cache = newCache()
    cache.set('b', 'cached')
    const values = await cache.getOrLoadMany(['c', 'b', 'a', 'c'], upper)
    expect([...values]).toEqual([
      ['c', 'C'],
      ['b', 'cached'],
      ['a', 'A'],
    ])
    expect(upper.mock.calls.map(([keys]) => keys)).toEqual([['c', 'a']])
    expect((await cache.getOrLoadMany(new Set(['a', 'b', 'c']), upper)).size).toBe(3)
    expect(upper).toHaveBeenCalledTimes(1)
    expect(cache.stats()).toMatchObject({ loads: 1, hits: 4, misses: 2, loading: 0 })
  })

  it('never calls the loader when nothing is missing', async () => {
    const cache = newCache()
    expect(await cache.getOrLoadMany([], upper)).toEqual(new Map())
    expect(upper).not.toHaveBeenCalled()
  })

  it('leaves out the keys that have no value, and asks for them again', async () => {
    const cache = newCache()
    const load = vi.fn((keys: readonly string[]) => new Map(keys.includes('a') ? [['a', 'A']] : []))
    expect([...(await cache.getOrLoadMany(['a', 'b'], load))]).toEqual([['a', 'A']])
    expect([...(await cache.getOrLoadMany(['a', 'b'], load))]).toEqual([['a', 'A']])
    expect(load.mock.calls.map(([keys]) => keys)).toEqual([['a', 'b'], ['b']])
  })

  it('joins what is being loaded, one by one or in batches, and is joined by it', async () => {
    const cache = newCache()
    const { calls, load } = manualLoader()
    let finish = (_: string): void => {}
    const single = cache.getOrLoad('a', () => new Promise(resolve => (finish = resolve)))
    const one = cache.getOrLoadMany(['a', 'b'], load)
    const two = cache.getOrLoadMany(['b', 'c'], load)
    const joined = cache.getOrLoad('c', async () => 'never called')
    expect(calls.map(({ keys }) => keys)).toEqual([['b'], ['c']])
    finish('A')
    calls[0]!.resolve(['B'])
    calls[1]!.resolve(['C'])
    expect(await single).toBe('A')
    expect([...(await one)]).toEqual([
      ['a', 'A'],
      ['b', 'B'],
    ])
    expect([...(await two)]).toEqual([
      ['b', 'B'],
      ['c', 'C'],
    ])
    expect(await joined).toBe('C')
  })

  it('lets a caller that joined load for itself when the batch leaves its key out', async () => {
    const cache = newCache()
    let finish = (_: Map<string, string>): void => {}
    const batch = cache.getOrLoadMany(['a'], () => new Promise(resolve => (finish = resolve)))
    const single = cache.getOrLoad('a', async () => 'own')
    const many = cache.getOrLoadMany(['a'], async () => new Map())
    finish(new Map())
    expect([...(await batch)]).toEqual([])
    expect(await single).toBe('own')
    // It joins the load that `single` has just begun.
    expect((await many).get('a')).toBe('own')
  })

  it('names the cause of a failure itself where a second attempt was needed', async () => {
    const cache = newCache()
    const down = new Error('source is down')
    let finish = (_: Map<string, string>): void => {}
    const batch = cache.getOrLoadMany(['a'], () => new Promise(resolve => (finish = resolve)))
    const joined = cache.getOrLoadMany(['a'], () => [down]).catch(e => e)
    finish(new Map())
    await batch
    expect([...(await joined).errors]).toEqual([['a', down]])
  })

  it('takes no error of another realm, as those of Node are in a test of Jest, for a value', async () => {
    const cache = newCache()
    const down: Error = runInNewContext('new Error("source is down")')
    const failure = await cache.getOrLoadMany(['a'], () => [down]).catch(e => e)
    expect([...failure.errors]).toEqual([['a', down]])
    expect(cache.has('a')).toBe(false)
  })

  it('rejects with what it has and why the rest is missing', async () => {
    const cache = newCache()
    cache.set('a', 'A')
    const down = new Error('source is down')
    const failure = await cache.getOrLoadMany(['a', 'b', 'c'], () => [down, 'C']).catch(e => e)
    expect(failure).toBeInstanceOf(PartialLoadError)
    expect(failure).toMatchObject({
      message: '1 of 3 keys could not be loaded',
      code: 'ERR_MILLRACE_PARTIAL_LOAD',
      cause: down,
    })
    expect([...failure.results]).toEqual([
      ['a', 'A'],
      ['c', 'C'],
    ])
    expect([...failure.errors]).toEqual([['b', down]])
    expect(Object.keys(failure)).not.toContain('results')
    expect(cache.get('c')).toBe('C')
    await expect(
      cache.getOrLoadMany(['x', 'y'], () => {
        throw down
      }),
    ).rejects.toMatchObject({
      message: '2 of 2 keys could not be loaded',
    })
    expect(cache.stats().loading).toBe(0)
  })

  it('serves stale values per key, within one call for the others', async () => {
    const cache = newCache({ staleWhileRevalidate: 20, staleIfError: 1_000 })
    cache.set('old', 'stale')
    clock.advance(50)
    cache.set('soft', 'stale')
    clock.advance(100)
    const { calls, load } = manualLoader()
    const answer = cache.getOrLoadMany(['soft', 'old', 'new'], load)
    expect(calls.map(({ keys }) => keys)).toEqual([['soft', 'old', 'new']])
    expect(['soft', 'old', 'new'].map(calls[0]!.context.stale)).toEqual([
      'stale',
      'stale',
      undefined,
    ])
    calls[0]!.reject(new Error('source is down'))
    const failure = await answer.catch(e => e)
    expect([...failure.results]).toEqual([
      ['soft', 'stale'],
      ['old', 'stale'],
    ])
    expect([...failure.errors.keys()]).toEqual(['new'])
  })

  it('gives each value the options its result asks for', async () => {
    const cache = newCache()
    await cache.getOrLoadMany(['a', 'b', 'c'], () => [
      loaded('A', { ttl: 10 }),
      loaded('B', { tags: ['t'] }),
      loaded('C', { store: false }),
    ])
    expect([...cache.keys()].sort()).toEqual(['a', 'b'])
    clock.advance(10)
    cache.deleteTag('t')
    expect([...cache.keys()]).toEqual([])
  })

  it('aborts the loader when all callers of all its keys have given up, not before', async () => {
    const cache = newCache()
    const { calls, load } = manualLoader()
    const [one, two] = [new AbortController(), new AbortController()]
    const batch = cache.getOrLoadMany(['a', 'b'], load, { signal: one.signal })
    const single = cache.getOrLoad('b', async () => 'unused', { signal: two.signal })
    const settled = Promise.allSettled([batch, single])
    const { signal } = calls[0]!.context
    one.abort('first')
    await nextTurn()
    expect(signal.aborted).toBe(false)
    two.abort('second')
    expect(signal.reason).toBe('second')
    expect(await settled).toEqual([
      { status: 'rejected', reason: 'first' },
      { status: 'rejected', reason: 'second' },
    ])
    expect(cache.stats().loading).toBe(0)
  })

  it('is wanted again when somebody joins a key that everybody else has given up', async () => {
    const cache = newCache()
    const { calls, load } = manualLoader()
    const [first, second, third] = [0, 1, 2].map(() => new AbortController())
    const batch = cache.getOrLoadMany(['a', 'b'], load, { signal: first!.signal })
    const ofB = cache.getOrLoad('b', async () => 'unused', { signal: second!.signal })
    const gaveUp = Promise.allSettled([batch, ofB])
    first!.abort('first')
    const ofA = cache.getOrLoad('a', async () => 'unused', { signal: third!.signal })
    second!.abort('second')
    expect(calls[0]!.context.signal.aborted).toBe(false)
    calls[0]!.resolve(['A', 'B'])
    expect(await ofA).toBe('A')
    expect((await gaveUp).map(({ status }) => status)).toEqual(['rejected', 'rejected'])
    expect(cache.get('b')).toBe('B')
    expect(calls).toHaveLength(1)
  })

  it('does not load for a caller who has given up already, but serves hits', async () => {
    const cache = newCache()
    const signal = AbortSignal.abort('gone')
    cache.set('a', 'A')
    await expect(cache.getOrLoadMany(['a', 'b'], upper, { signal })).rejects.toBe('gone')
    expect(upper).not.toHaveBeenCalled()
    expect(await cache.getOrLoadMany(['a'], upper, { signal })).toEqual(new Map([['a', 'A']]))
    expect(cache.stats().loading).toBe(0)
  })

  it('leaves no flight behind when the keys cannot be read to the end', async () => {
    const broken = new Error('broken')
    function* keys(): Generator<string> {
      yield 'a'
      throw broken
    }
    const cache = newCache()
    await expect(cache.getOrLoadMany(keys(), upper)).rejects.toBe(broken)
    expect(await cache.getOrLoad('a', () => 'own')).toBe('own')
    expect(cache.stats().loading).toBe(0)
    expect(upper).not.toHaveBeenCalled()
  })

  it('puts off no refresh where it ended before any load began', async () => {
    function* broken(): Generator<string> {
      yield 'a'
      throw new Error('broken')
    }
    const signal = AbortSignal.abort()
    for (const call of [
      (cache: Cache<string, string>) => cache.getOrLoadMany(['a', 'absent'], upper, { signal }),
      (cache: Cache<string, string>) => cache.getOrLoadMany(broken(), upper),
    ]) {
      const cache = newCache({ ttl: 5, staleWhileRevalidate: 60_000, errorBackoff: 5_000 })
      cache.set('a', 'old')
      clock.advance(5)
      await expect(call(cache)).rejects.toThrow()
      expect(upper).not.toHaveBeenCalled()
      expect(await cache.getOrLoad('a', () => 'new')).toBe('old')
      expect(cache.get('a')).toBe('new')
    }
  })

  it('refuses a result that does not fit the keys', async () => {
    const cache = newCache()
    const failure = await cache.getOrLoadMany(['a', 'b'], () => ['A']).catch(e => e)
    expect(failure.cause.message).toBe(
      'Expected the loader to return a Map or an array of 2, as it was given 2 keys, got an array of length 1',
    )
    const record = () => ({ a: 'A' }) as never
    expect((await cache.getOrLoadMany(['a'], record).catch(e => e)).cause.code).toBe(
      'ERR_MILLRACE_LOAD_RESULT',
    )
    await expect(cache.getOrLoadMany(['a'], 1 as never)).rejects.toThrow('`loader`')
    await expect(cache.getOrLoadMany(['a'], upper, { ttl: -1 })).rejects.toThrow('`ttl`')
    await expect(cache.getOrLoadMany(5 as never, upper)).rejects.toThrow('iterable')
    expect(cache.stats().loading).toBe(0)
  })
})

describe('one bad value', () => {
  const revoked = (): string => {
    const { proxy, revoke } = Proxy.revocable({}, {})
    revoke()
    return proxy as string
  }

  it.each([
    ['a revoked proxy', revoked],
    ['a promise', () => Promise.resolve('later') as unknown as string],
    ['a promise of its own ttl', () => loaded(Promise.resolve('later') as never, { ttl: 5 })],
    [
      'a `then` that throws',
      () => ({
        // biome-ignore lint/suspicious/noThenProperty: it is what is tested
        then() {
          throw new Error('then')
        },
      }),
    ],
  ])('is the failure of its key alone: %s', async (_, bad) => {
    const cache = newCache<unknown>()
    const load = async (keys: readonly string[]) =>
      keys.map(key => (key === 'b' ? bad() : key.toUpperCase()))
    const failure = await cache.getOrLoadMany(['a', 'b', 'c'], load).catch(error => error)
    expect(failure).toBeInstanceOf(PartialLoadError)
    expect([...failure.results]).toEqual([
      ['a', 'A'],
      ['c', 'C'],
    ])
    expect([...failure.errors.keys()]).toEqual(['b'])
    expect([cache.has('a'), cache.has('b'), cache.has('c')]).toEqual([true, false, true])
    expect(cache.stats().loading).toBe(0)
    await expect(cache.getOrLoad('b', async () => 'good')).resolves.toBe('good')
  })

  it('ends its load where it is the only one', async () => {
    const cache = newCache<unknown>()
    await expect(cache.getOrLoad('a', () => revoked())).rejects.toThrow(TypeError)
    await expect(
      cache.getOrLoad('a', () => loaded(Promise.resolve(1), { ttl: 5 })),
    ).rejects.toThrow(LoadResultError)
    expect(() => cache.getOrLoadSync('a', () => revoked())).toThrow(TypeError)
    expect(cache.stats()).toMatchObject({ loading: 0, entries: 0 })
  })
})

it.each([undefined, null, 5, {}, 'keys'])('refuses %o in place of keys', async keys => {
  const call = newCache().getOrLoadMany(keys as never, upper)
  await expect(call).rejects.toMatchObject({ code: 'ERR_MILLRACE_INVALID_OPTION', option: 'keys' })
})
