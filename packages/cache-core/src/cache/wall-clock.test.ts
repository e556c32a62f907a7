import { runs } from '@millrace/testkit'
import fc from 'fast-check'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import type { Cache, CacheOptions } from '../index.ts'

/** Steps of the monotonic clock; the wall clock moves on its own. */
type Command =
  | { readonly verb: 'wait'; readonly ms: number }
  | { readonly verb: 'wall'; readonly hours: number }
  | { readonly verb: 'get' | 'peek' | 'explain' | 'expire' | 'fail' | 'none'; readonly key: string }
  | { readonly verb: 'set' | 'load'; readonly key: string; readonly ttl: number | undefined }
  | { readonly verb: 'expireTag' | 'purge' }

const HOUR = 3_600_000
const OPTIONS: CacheOptions<string, number | null> = {
  ttl: 100,
  idleTtl: 80,
  staleWhileRevalidate: 50,
  staleIfError: 200,
  softTimeout: 10,
  eagerRefresh: 0.5,
  negativeTtl: 30,
  errorBackoff: 20,
}

let create: (options: CacheOptions<string, number | null>) => Cache<string, number | null>

beforeAll(async () => {
  // Before the package is loaded, which keeps the function that it reads the clock with.
  vi.useFakeTimers({ toFake: ['hrtime', 'setTimeout', 'clearTimeout'] })
  vi.resetModules()
  const { Cache: Fresh } = await import('../index.ts')
  create = options => new Fresh(options)
})

afterAll(() => {
  vi.useRealTimers()
})

/** What a caller sees of the commands on a cache with the default clock, while the wall clock is moved or left alone. */
async function observe(
  commands: readonly Command[],
  options: CacheOptions<string, number | null>,
  moves: boolean,
): Promise<unknown[]> {
  const realNow = Date.now
  let offset = 0
  const wall = vi.spyOn(Date, 'now').mockImplementation(() => realNow() + offset)
  const cache = create(options)
  const seen: unknown[] = []
  let made = 0
  const load = async (key: string, value: number | null, ttl?: number): Promise<void> => {
    seen.push(await cache.getOrLoad(key, () => value, { ttl, tags: ['t'] }))
  }
  try {
    for (const command of commands) {
      switch (command.verb) {
        case 'wait':
          await vi.advanceTimersByTimeAsync(command.ms)
          break
        case 'wall':
          if (moves) offset += command.hours * HOUR
          break
        case 'set':
          cache.set(command.key, ++made, { ttl: command.ttl, tags: ['t'] })
          break
        case 'load':
          await load(command.key, ++made, command.ttl)
          break
        case 'none':
          await load(command.key, null)
          break
        case 'fail': {
          const failing = cache.getOrLoad(command.key, () => Promise.reject(new Error('down')))
          seen.push(await failing.catch((error: Error) => error.message))
          break
        }
        case 'expireTag':
          cache.expireTag('t')
          break
        case 'purge':
          seen.push(cache.purge())
          break
        default:
          seen.push(cache[command.verb](command.key))
      }
    }
    seen.push([...cache], cache.stats())
  } finally {
    wall.mockRestore()
    cache.close()
  }
  return seen
}

const key = fc.constantFrom('a', 'b', 'c')
const ttl = fc.option(fc.integer({ min: 1, max: 150 }), { nil: undefined })
const commands = fc.array(
  fc.oneof(
    { weight: 4, arbitrary: fc.record({ verb: fc.constant('wait' as const), ms: fc.nat(90) }) },
    fc.record({ verb: fc.constant('wall' as const), hours: fc.constantFrom(-1, 1) }),
    fc.record({ verb: fc.constantFrom('set' as const, 'load' as const), key, ttl }),
    fc.record({
      verb: fc.constantFrom('get', 'peek', 'explain', 'expire', 'fail', 'none'),
      key,
    }) as fc.Arbitrary<Command>,
    fc.record({ verb: fc.constantFrom('expireTag' as const, 'purge' as const) }),
  ) as fc.Arbitrary<Command>,
  { minLength: 5, maxLength: 40 },
)

test('a wall clock that is moved back and forth by an hour changes nothing that a caller sees', async () => {
  const { idleTtl: _, ...withoutIdle } = OPTIONS
  await fc.assert(
    fc.asyncProperty(commands, fc.constantFrom(OPTIONS, withoutIdle), async (list, options) => {
      expect(await observe(list, options, true)).toEqual(await observe(list, options, false))
    }),
    { numRuns: runs(200) },
  )
})

test('entries expire after their time to live whichever way the wall clock was moved', async () => {
  for (const hours of [-1, 1]) {
    const list: Command[] = [
      { verb: 'set', key: 'a', ttl: 100 },
      { verb: 'wall', hours },
      { verb: 'wait', ms: 70 },
      { verb: 'get', key: 'a' },
      { verb: 'wait', ms: 31 },
      { verb: 'get', key: 'a' },
      { verb: 'none', key: 'b' },
      { verb: 'wall', hours: -hours },
      { verb: 'wait', ms: 29 },
      { verb: 'get', key: 'b' },
      { verb: 'wait', ms: 2 },
      { verb: 'get', key: 'b' },
    ]
    const seen = await observe(list, OPTIONS, true)
    expect(seen.slice(0, 5)).toEqual([1, undefined, null, null, undefined])
  }
})
